"""Sources that mean harm, or are broken as if they did."""

import os
import signal
import struct
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from process_tree import readers
from web_server import Handler

HUGE_SIDE = 16_384
BOUNDARY = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


def without_keyframes(film: Path, path: Path) -> None:
    """An H.264 film's packets but for those that a decoder can begin with."""
    with av.open(str(film)) as whole, av.open(str(path), "w") as cut:
        stream = cut.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None and not packet.is_keyframe:
                packet.stream = stream
                cut.mux(packet)


def huge_jpeg() -> bytes:
    """A small JPEG whose header says 16,384 x 16,384: what decodes it must think of its memory first."""
    is_written, encoded = cv2.imencode(".jpg", np.full((64, 64, 3), 128, np.uint8))
    assert is_written
    jpeg = encoded.tobytes()
    size_at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:size_at] + struct.pack(">HH", HUGE_SIDE, HUGE_SIDE) + jpeg[size_at + 4 :]


def huge_film(path: Path, num_frames: int = 50) -> None:
    """Such JPEGs in a container that says nothing of it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        for number in range(num_frames):
            packet = av.Packet(huge_jpeg())
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, number, number, True
            packet.time_base = Fraction(1, 25)
            container.mux(packet)


def endless(jpeg: bytes, handler: Handler) -> None:
    """Sends the picture as motion JPEG until nobody listens."""
    handler.send_response(200)
    handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(BOUNDARY % len(jpeg) + jpeg + b"\r\n")


def become_fifo(path: Path) -> None:
    """Whoever opens the file from now on, and does not look, waits for somebody to write."""
    aside = path.with_suffix(".fifo")
    os.mkfifo(aside)
    aside.replace(path)


def signal_readers_of(path: Path, service: int, number: signal.Signals) -> int:
    """Sends a signal to every reader of the service that has the file open: SIGABRT is how `abort` in a native library
    ends it, SIGSTOP has it hang."""
    found = 0
    for pid in readers(service):
        with suppress(OSError):
            if any(link.resolve() == path for link in Path(f"/proc/{pid}/fd").iterdir()):
                os.kill(pid, number)
                found += 1
    return found
