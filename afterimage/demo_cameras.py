"""`python -m afterimage.demo_cameras`: cameras that show one kind of incident each, over and over.

Each is an MJPEG stream at `http://HOST:8080/LABEL`, registered with the api at AFTERIMAGE_API under the address that
AFTERIMAGE_DEMO_CAMERAS gives. What is registered already stays as it is.
"""

import os
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import cv2

from afterimage.client import Client
from shared.service.lifecycle import run_service, stop_on_signals
from training.scenes.clips import render_repeated_clip
from training.scenes.incidents import SHIPPED

PORT = 8080
FPS = 10.0
SEED = 0
JPEG_QUALITY = 90
Pictures = Sequence[bytes]


class CameraServer(ThreadingHTTPServer):
    """Plays JPEGs, a list for each camera's name, at FPS to everyone who asks; all see the same picture at a time."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], cameras: Mapping[str, Pictures], stop: threading.Event) -> None:
        super().__init__(address, _Handler)
        self.cameras = cameras
        self.stop = stop
        self.began = time.monotonic()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (the library's own)
        """A viewer that goes is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: CameraServer

    def do_GET(self) -> None:
        pictures = self.server.cameras.get(self.path.removeprefix("/"))
        if pictures:
            self._play(pictures)
        else:
            self._list(200 if self.path == "/" else 404)

    def _play(self, pictures: Pictures) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        began = self.server.began
        index = int((time.monotonic() - began) * FPS)
        while not self.server.stop.wait(max(0.0, began + index / FPS - time.monotonic())):
            picture = pictures[index % len(pictures)]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self.wfile.write(head.encode() + picture + b"\r\n")
            index += 1

    def _list(self, status: int) -> None:
        body = "\n".join(self.server.cameras).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


def render_camera(label: str) -> Pictures:
    """The pictures of a clip in which one incident of the label happens, as JPEGs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        render_repeated_clip(label, SEED, path, FPS)
        with av.open(path) as container:
            images = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes() for image in images]


def register(client: Client, labels: Sequence[str], url: str) -> None:
    """Registers the cameras at the URL that are not yet; raises ApiUnavailable, RequestRefused."""
    known = {stream["id"] for stream in client.streams()}
    for label in labels:
        stream_id = f"demo-{label.replace('_', '-')}"
        if stream_id not in known:
            client.add_stream({"id": stream_id, "name": f"demo {label}", "source": f"{url}/{label}"})


def main() -> int:
    """Plays the cameras until SIGTERM."""
    stop = stop_on_signals()
    cameras = {label: render_camera(label) for label in SHIPPED}
    with CameraServer(("", PORT), cameras, stop) as server:
        thread = threading.Thread(target=server.serve_forever, name="cameras")
        thread.start()
        try:
            with Client(os.environ.get("AFTERIMAGE_API", "http://127.0.0.1:8000")) as client:
                register(client, SHIPPED, os.environ.get("AFTERIMAGE_DEMO_CAMERAS", f"http://127.0.0.1:{PORT}"))
            stop.wait()
        finally:
            stop.set()
            server.shutdown()
            thread.join()
    return 0


if __name__ == "__main__":
    run_service(main)
