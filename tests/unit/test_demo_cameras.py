"""The demo's cameras: endless MJPEG of a short list of pictures."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from afterimage.demo_cameras import CameraServer

PICTURES = (b"\xff\xd8one\xff\xd9", b"\xff\xd8two\xff\xd9")


@pytest.fixture
def port() -> Iterator[int]:
    stop = threading.Event()
    with CameraServer(("127.0.0.1", 0), {"covered": PICTURES}, stop) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        stop.set()
        server.shutdown()
        thread.join()


def test_a_camera_plays_its_pictures_again_and_again(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/covered")
        reply = connection.getresponse()
        assert reply.getheader("Content-Type") == "multipart/x-mixed-replace; boundary=frame"
        part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 7\r\n\r\n"
        seen = [reply.read(len(part + PICTURES[0]) + 2) for _ in range(4)]
    assert all(each.startswith(part) for each in seen)
    pictures = [each.removeprefix(part).strip() for each in seen]
    assert set(pictures) == set(PICTURES)
    assert pictures[:2] == pictures[2:]


def test_it_lists_its_cameras_and_refuses_others(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"covered"
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/door")
        assert connection.getresponse().status == 404
