"""A process that reads one source and tells the service what it sees: native decoders hang and crash, and then it is
this process that dies, with everything that it held, and no other stream."""

import ctypes
import os
import resource
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Final

import av.logging
import cv2

from services.ingest.readers.messages import (
    pack_counted,
    pack_ended,
    pack_failed,
    pack_marked,
    pack_opened,
    pack_picture,
    pack_waiting,
)
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.decoding.transport import JPEG_QUALITY, encode_jpeg
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import SampledFrame, Video, open_video
from shared.errors import SourceFailed
from shared.sources import Source

SIGN_OF_LIFE_SECONDS: Final = 1.0
LAST_SECONDS: Final = 1.0
"""How long a reader may take to close its source once nobody listens."""
PATIENCE_SHARE: Final = 0.25
"""Of the time that passes, live pictures may spend as much waiting until they are taken: a camera goes on sending."""
MAX_PATIENCE_SECONDS: Final = 1.0
"""What of it can be saved up, for a burst on a busy machine."""
NICENESS: Final = 10
"""Of one that gives way: a tenth of what an equal would get."""
MAX_DATA_BYTES: Final = 4 << 30
PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class ReadJob:
    """What to read, and which of its frames."""

    source: Source
    fps: float
    first_point: int = 0
    options: ReadOptions = field(default_factory=ReadOptions)
    jpeg_quality: int = JPEG_QUALITY
    after: str | None = None
    """the mark of what was read of it before, which is not read again"""
    is_retry: bool = False
    """whether the source did not open the last time"""
    gives_way: bool = False
    """whether others go first where the processor is short: a recording that is worked off is in no hurry"""


def read(job: ReadJob, connection: Connection) -> None:
    """The process: reads until the source ends or fails, or nobody listens any more."""
    _confine()
    if job.gives_way:
        os.nice(NICENESS)
    stop = threading.Event()
    threading.Thread(target=_await_end, args=(connection, stop), daemon=True).start()
    with suppress(BrokenPipeError, ConnectionResetError):
        Reader(job, connection, stop).run()


class Reader:
    """Reads one source and sends messages; a live source's frames are dropped, counted, while nobody takes them."""

    def __init__(self, job: ReadJob, connection: Connection, stop: threading.Event) -> None:
        self._job = job
        self._connection = connection
        self._stop = stop
        self._sent_at = time.monotonic()
        self._mark = job.after
        self._patience_seconds = MAX_PATIENCE_SECONDS
        self._waited_at = self._sent_at

    def run(self) -> None:
        """Opens the source, sends its frames and at last why there are no more."""
        failure: SourceFailed | None = None
        video: Video | None = None
        try:
            options = replace(self._job.options, poll_fps=self._job.fps)
            with open_video(self._job.source, options, self._job.after, self._give_sign) as video:
                self._send_all(video)
        except SourceFailed as err:
            failure = err
        except MemoryError:
            failure = SourceFailed("out of memory")
        tally = video.tally if video else Tally()
        if failure:
            self._send(pack_failed(tally, failure))
        else:
            self._send(pack_ended(tally, video.remark if video else None))

    def _give_sign(self, tally: Tally | None = None) -> bool:
        """Tells that the source lives, where nothing was told for a while; returns whether it did."""
        is_due = time.monotonic() - self._sent_at >= SIGN_OF_LIFE_SECONDS
        if is_due:
            self._send(pack_counted(tally or Tally()))
        return is_due

    def _send_all(self, video: Video) -> None:
        info = video.info
        self._send(pack_opened(info) if any(video.size) else pack_counted(video.tally))

        def heard() -> None:
            self._send_mark(video)
            if self._give_sign(video.tally) and (reason := video.waiting_for):
                self._send(pack_waiting(reason))

        for frame in video.frames(self._job.fps, self._stop, self._job.first_point, heard):
            told = info.codec, info.width, info.height, info.fps, info.decoder
            if (video.codec, *video.size, video.rate, video.decoder) != told:
                info = video.info
                self._send(pack_opened(info))
            self._send_mark(video)
            self._send_frame(video, frame)

    def _send_mark(self, video: Video) -> None:
        """Before the pictures after it are sent: a source that ends its reader must not give them again."""
        if video.mark and video.mark != self._mark:
            self._mark = video.mark
            self._send(pack_marked(self._mark))

    def _send_frame(self, video: Video, frame: SampledFrame) -> None:
        if not self._job.source.is_file and not self._is_listened_to():
            video.tally.dropped += 1
            return
        began = time.monotonic()
        jpeg = encode_jpeg(frame.image, self._job.jpeg_quality)
        video.tally.encode_seconds += time.monotonic() - began
        self._send(pack_picture(video.tally, frame, jpeg))

    def _is_listened_to(self) -> bool:
        """Waits for it, but so briefly that the camera does not: a burst after a pause is no overload."""
        began = time.monotonic()
        saved_seconds = self._patience_seconds + PATIENCE_SHARE * (began - self._waited_at)
        saved_seconds = min(MAX_PATIENCE_SECONDS, saved_seconds)
        is_taken = bool(select.select([], [self._connection], [], saved_seconds)[1])
        self._waited_at = time.monotonic()
        self._patience_seconds = max(0.0, saved_seconds - (self._waited_at - began))
        return is_taken

    def _send(self, message: bytes) -> None:
        self._connection.send_bytes(message)
        self._sent_at = time.monotonic()


def _confine() -> None:
    """Leaves orderly ends to the service, dies with it, and takes no more memory than any sound source needs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
            score.write("500")
    av.logging.set_level(None)
    cv2.setNumThreads(1)


def _await_end(connection: Connection, stop: threading.Event) -> None:
    """The service says nothing and closes its end when it has had enough, or has died."""
    with suppress(EOFError, OSError):
        connection.recv_bytes()
    stop.set()
    threading.Event().wait(LAST_SECONDS)
    os._exit(0)
