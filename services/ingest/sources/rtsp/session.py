"""A session with an RTSP camera, from OPTIONS to TEARDOWN.

FFmpeg's own client answers MD5 only, sends the login to whatever host a redirect names, is there before anybody can
look where it leads, and gives up on the first video track where that is of no known kind.
"""

import select
import time
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Final

from services.ingest.sources.rtsp.carriage import Carriage
from services.ingest.sources.rtsp.dialogue import Dialogue
from services.ingest.sources.rtsp.messages import Reply, parameter
from services.ingest.sources.rtsp.tracks import SdpTrack, base_of, tracks_of
from services.ingest.sources.rtsp.wires import Destination
from shared.clock import steady_ms
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy

MAX_REDIRECTS: Final = 5
MAX_SET_UP: Final = 4
"""How many video tracks are asked for where there are several: some never come."""
CHOICE_SECONDS: Final = 2.0
"""How long a better track has to come after a lesser one has."""
DEFAULT_TIMEOUT: Final = 60.0
MAX_TIMEOUT: Final = 3600.0
LAST_SECONDS: Final = 0.3
UNSUPPORTED: Final = frozenset({405, 501, 551})


def open_session(destination: Destination, policy: AddressPolicy, deadline: float) -> "RtspSession":
    """A session that plays, where the camera's redirects end; raises SourceFailed or OSError."""
    for _ in range(MAX_REDIRECTS + 1):
        session = RtspSession(destination, policy, deadline)
        try:
            session.open()
        except BaseException:
            session.close()
            raise
        if session.leads_to is None:
            return session
        session.close()
        destination = session.next_destination
    raise SourceFailed(f"redirected more than {MAX_REDIRECTS} times")


class RtspSession:
    """One session; `open_session` makes it. One thread at a time may use it."""

    track: SdpTrack
    """what is played"""

    def __init__(self, destination: Destination, policy: AddressPolicy, deadline: float) -> None:
        self.destination = destination
        self._deadline = deadline
        self._dialogue = Dialogue(destination, policy, deadline)
        wire = self._dialogue.wire
        self._peer = wire.peer
        self._carriage = Carriage(policy, wire.peer, wire.own_address, destination.transport == "udp")
        self._held: list[tuple[int, bytes, int]] = []
        self._whole = destination.url
        self._keeps_by = "OPTIONS"
        self._every_seconds = DEFAULT_TIMEOUT / 2
        self._keep_at = float("inf")
        self._may_ask_again = False
        self._chosen = 0

    @property
    def leads_to(self) -> str | None:
        """Where the camera wants us to go instead, in its own words."""
        return self._dialogue.leads_to

    @property
    def next_destination(self) -> Destination:
        """The same, for us; raises SourceFailed where it is no place to go."""
        return self.destination.redirected(self.leads_to or "", self._peer)

    @property
    def has_ended(self) -> bool:
        """Whether the camera has hung up, or taken its leave."""
        return self._dialogue.has_ended

    def open(self) -> None:
        """Goes through all that comes before pictures, or to where the camera redirects."""
        ask, url = self._dialogue.ask, self.destination.url
        offered = ask("OPTIONS", url, is_vital=False)
        if offered and "GET_PARAMETER" in offered.header("public").upper():
            self._keeps_by = "GET_PARAMETER"
        described = offered and ask("DESCRIBE", url, ("Accept", "application/sdp"))
        if not described:
            return
        base = base_of(url, described.header("content-base") or described.header("content-location"))
        self._whole, tracks = tracks_of(described.body.decode(errors="replace"), base)
        given = self._set_up(tracks)
        if given and ask("PLAY", self._whole, ("Range", "npt=0.000-")):
            self._keep_at = time.monotonic() + self._every_seconds
            self._choose(given)

    def filenos(self) -> list[int]:
        """What to wait on before `packets`."""
        return [self._dialogue.wire.fileno(), *self._carriage.filenos()]

    def has_more(self) -> bool:
        """Whether waiting would be wrong, since something is here already."""
        return bool(self._held or self._dialogue.early) or self._dialogue.wire.has_more()

    @property
    def due_at(self) -> float:
        """When `keep_alive` has something to do, by the monotonic clock."""
        return min(self._keep_at, self._carriage.report_at)

    def keep_alive(self, now: float) -> None:
        """Tells the camera, when it is time, that somebody still looks; raises OSError."""
        if now >= self._carriage.report_at:
            self._carriage.report(now)
        if now >= self._keep_at:
            self._keep_at = now + self._every_seconds
            self._may_ask_again = True
            self._dialogue.send(self._keeps_by, self._whole)

    def packets(self) -> Iterator[tuple[bytes, int]]:
        """The track's packets, RTP and RTCP, that have come, and when, in ms on the steady clock.

        Raises SourceFailed or OSError.
        """
        held, self._held = self._held, []
        for track, data, at_ms in chain(held, self._received()):
            if track == self._chosen:
                yield data, at_ms
        while self._dialogue.replies:
            self._kept_alive(self._dialogue.replies.popleft())

    def close(self) -> None:
        """Takes leave, without waiting long for an answer."""
        dialogue = self._dialogue
        try:
            if dialogue.session_id and not dialogue.has_ended:
                dialogue.replies.clear()
                dialogue.send("TEARDOWN", self._whole)
                dialogue.hear(lambda: bool(dialogue.replies), time.monotonic() + LAST_SECONDS)
        except (OSError, SourceFailed):
            pass  # it was the last word anyway
        finally:
            dialogue.wire.close()
            self._carriage.close()

    def _set_up(self, tracks: list[SdpTrack]) -> list[SdpTrack]:
        """Asks for the tracks, the best first; those that the camera gives, none only where it leads elsewhere."""
        given: list[SdpTrack] = []
        for number, track in enumerate(tracks[:MAX_SET_UP], 1):
            try:
                wanted = self._carriage.wanted(len(given), track.profile)
                reply = self._dialogue.ask("SETUP", track.control, ("Transport", wanted))
                if not reply:
                    return []
                self._take_session(reply.header("session"))
                self._carriage.granted(len(given), reply.header("transport"))
            except SourceFailed:
                if given or number < min(len(tracks), MAX_SET_UP):
                    continue
                raise
            given.append(track)
        return given

    def _take_session(self, said: str) -> None:
        self._dialogue.session_id = said.partition(";")[0].strip() or self._dialogue.session_id
        timeout = parameter(said, "timeout") or ""
        if timeout.isascii() and timeout.isdigit() and int(timeout[:9]):
            self._every_seconds = min(int(timeout[:9]), MAX_TIMEOUT) / 2

    def _choose(self, tracks: list[SdpTrack]) -> None:
        """Of several tracks the best that has packets; one alone need not be waited for."""
        coming: set[int] = set()
        until = self._deadline
        while len(tracks) > 1 and 0 not in coming and not self.has_ended and time.monotonic() < until:
            if not self._dialogue.early:
                self._wait(until)
            for track, data, at_ms in self._received():
                self._held.append((track, data, at_ms))
                if not coming:
                    until = min(until, time.monotonic() + CHOICE_SECONDS)
                coming.add(track)
        self._chosen = min(coming, default=0)
        self.track = tracks[self._chosen]

    def _wait(self, until: float) -> None:
        if not self._dialogue.wire.has_more():
            poll = select.poll()
            for number in self.filenos():
                poll.register(number, select.POLLIN)
            poll.poll(max(0.0, until - time.monotonic()) * 1000)

    def _received(self) -> Iterator[tuple[int, bytes, int]]:
        """Tracks and packets that are here, and when they came, which is not told before they are read."""
        for track, data in self._carriage.receive():
            yield track, data, steady_ms()
        early, self._dialogue.early = self._dialogue.early, deque()
        came_at_ms: int | None = None
        for packet in chain(early, self._dialogue.packets()):
            came_at_ms = came_at_ms or steady_ms()  # all were received at once
            if (chosen := self._carriage.track_of(packet.channel)) is not None:
                yield chosen, packet.data, came_at_ms

    def _kept_alive(self, reply: Reply) -> None:
        """What the camera says to a sign of life; a login that it does not take again is its own affair."""
        if reply.status == 454:
            raise SourceFailed("the camera has ended the session")
        if reply.status in UNSUPPORTED:
            self._keeps_by = "OPTIONS"
        if reply.status == 401 and self._may_ask_again:
            self._may_ask_again = False
            if self._dialogue.takes_up(reply):
                self._dialogue.send(self._keeps_by, self._whole)
