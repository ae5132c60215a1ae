"""Hands a camera's packets to FFmpeg, whose `sdp` demuxer unpacks them.

They go by a pair of sockets within this process, one packet a message: no port that others could reach, and FFmpeg
knows neither the camera's address nor its login. A thread of its own feeds it, since FFmpeg waits inside a read.
"""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.ingest.sources.failures import source_failed
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.rtsp.arrivals import RtpArrivals
from services.ingest.sources.rtsp.session import RtspSession, open_session
from services.ingest.sources.rtsp.splice import Splice, is_rtp
from services.ingest.sources.rtsp.wires import Destination
from shared.errors import SourceFailed, SourceSilent
from shared.network.addresses import AddressPolicy
from shared.sources import Source

HEADER_BYTES: Final = 1024
"""What FFmpeg reads of a description at a time: an empty message after full ones is its end, and no other."""
BLOCKED_SECONDS: Final = 1.0
END_SECONDS: Final = 1.0
OWN_BYTES: Final = 65_536
NUDGE: Final = b"\0"
"""Too short for a packet: FFmpeg leaves it out, and looks whether its time is over, which it does between reads."""
NUDGE_SECONDS: Final = 0.25

OPTIONS: Final = {
    "protocol_whitelist": "fd",
    "format_whitelist": "sdp,rtp,mpegts",
    "sdp_flags": "custom_io",
    "avioflags": "direct+2",
    "allowed_media_types": "video",
    "fpsprobesize": "0",
    "max_ts_probe": "0",
}
"""Packets are read from where the description came from (`custom_io`), unbuffered, by what may also write: without that
(2), the description's end would be the end of all. Without measuring the rate at first (`fpsprobesize`,
`max_ts_probe`): what is read for that comes as one late burst, of a slow camera after half a minute."""


@contextmanager
def feeding(source: Source, options: ReadOptions) -> Iterator["Feed"]:
    """A camera that plays, and is fed to FFmpeg as long as the block runs.

    Raises SourceFailed or OSError where it cannot be opened; what went wrong later, in place of what came of it.
    """
    deadline = time.monotonic() + options.stall_seconds
    policy = AddressPolicy(options.forbidden)
    session = open_session(Destination.of(source.location, options.rtsp_transport), policy, deadline)
    feed = Feed(source, session, policy, options.stall_seconds, deadline)
    feed.start()
    try:
        yield feed
    finally:
        feed.close()
        if feed.failure:
            raise feed.failure


class Feed:
    """The thread between a session and FFmpeg; `feeding` makes it."""

    def __init__(
        self, source: Source, session: RtspSession, policy: AddressPolicy, stall_seconds: float, deadline: float
    ) -> None:
        self.failure: SourceFailed | None = None
        """why there are no more packets; without one, the camera has ended the stream, or nobody reads it"""
        self._source = source
        self._session = session
        self._policy = policy
        self._stall_seconds = stall_seconds
        self._silent_at = deadline
        self._nudge_at = 0.0
        self._splice: Splice | None = None
        self._last = b""
        self._last_at = 0.0
        self._track = session.track
        self.arrivals = RtpArrivals(session.track)
        self._is_read = True
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)  # noqa: FBT003
        self._poll = self._polled()
        self._thread = threading.Thread(target=self._run, name="rtsp", daemon=True)

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg's, for the URL `fd:`; only UDP may change the order of packets."""
        by_udp = self._session.destination.transport == "udp"
        order = {} if by_udp else {"reorder_queue_size": "0"}
        return {**OPTIONS, "fd": str(self._theirs.fileno()), **order}

    def start(self) -> None:
        """Begins to feed."""
        self._thread.start()

    def close(self) -> None:
        """Ends the session; call it when FFmpeg has closed its side. A camera that failed is not waited for."""
        self._theirs.close()
        if not self.failure:
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        try:
            self._describe()
            while self._is_read and not self._session.has_ended:
                self._forward()
        except SourceFailed as err:
            self.failure = err
        except (OSError, ValueError) as err:
            self.failure = source_failed(err, self._source, silent_seconds=self._stall_seconds)
        finally:
            self._ours.close()
            self._session.close()

    def _describe(self) -> None:
        sdp = self._track.sdp.encode()
        whole = sdp.ljust(-(-len(sdp) // HEADER_BYTES) * HEADER_BYTES, b"\n")
        for begin in range(0, len(whole), HEADER_BYTES):
            self._hand_over(whole[begin : begin + HEADER_BYTES])
        self._hand_over(b"")

    def _forward(self) -> None:
        """Waits for packets and passes them on; raises SourceFailed where none come for too long."""
        now = time.monotonic()
        if now >= self._nudge_at:
            self._nudge_at = now + NUDGE_SECONDS
            self._hand_over(self.arrivals.delimiter() or NUDGE)
        self._session.keep_alive(now)
        due_at = min(self._silent_at, self._nudge_at, self._session.due_at)
        seconds = 0.0 if self._session.has_more() else due_at - now
        if any(number == self._ours.fileno() for number, _ in self._poll.poll(max(0.0, seconds) * 1000)):
            self._drain()
        self._pass_on(time.monotonic())
        if self._session.leads_to is not None:
            self._move(self._session.next_destination)

    def _pass_on(self, now: float) -> None:
        last = b""
        for packet, at_ms in self._session.packets():
            joined = self._splice.joined(packet, now) if self._splice else packet
            if not joined:  # an empty message would be the end
                continue
            if is_rtp(joined):
                last = joined
                if not self.arrivals.is_new(joined, at_ms):
                    continue
            self._hand_over(joined)
        now = time.monotonic()
        if last:
            self._last, self._last_at = last, now
            self._silent_at, self._nudge_at = now + self._stall_seconds, now + NUDGE_SECONDS
        elif now >= self._silent_at:
            raise SourceSilent(f"no data for {self._stall_seconds:g} s")

    def _hand_over(self, message: bytes) -> None:
        """Gives FFmpeg a message, and waits while it has not read the earlier ones."""
        while self._is_read:
            try:
                self._ours.send(message)
            except BlockingIOError:
                self._await_reader()
            except OSError:
                self._is_read = False
            else:
                return

    def _await_reader(self) -> None:
        poll = select.poll()
        poll.register(self._ours.fileno(), select.POLLIN | select.POLLOUT)
        if any(what & ~select.POLLOUT for _, what in poll.poll(BLOCKED_SECONDS * 1000)):
            self._drain()
        self._session.keep_alive(time.monotonic())

    def _drain(self) -> None:
        """Leaves out the receiver reports that FFmpeg writes, byte by byte; notes when it has gone."""
        try:
            while self._ours.recv(OWN_BYTES):
                pass
            self._is_read = False
        except BlockingIOError:
            pass
        except OSError:
            self._is_read = False

    def _move(self, destination: Destination) -> None:
        """Goes where the camera sends us in mid-session, and goes on as if that were the same session."""
        self._session.close()
        self._session = open_session(destination, self._policy, time.monotonic() + self._stall_seconds)
        if self._session.track.codec != self._track.codec:
            raise SourceFailed("redirects in mid-stream to video of another kind")
        self._splice = Splice(self._last, self._last_at, self._track.payload_type, self._track.clock_rate)
        self._poll = self._polled()

    def _polled(self) -> select.poll:
        poll = select.poll()
        for number in (self._ours.fileno(), *self._session.filenos()):
            poll.register(number, select.POLLIN)
        return poll
