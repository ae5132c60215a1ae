"""Asking a camera over RTSP (RFC 2326): requests that are authenticated, and answers that come between its packets."""

import re
import select
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from services.ingest.sources.failures import AUTHENTICATION_REFUSED, NOT_RTSP, rtsp_refused
from services.ingest.sources.network.challenges import Authorizer
from services.ingest.sources.rtsp.messages import Call, Media, Reply, answer, encoded, request
from services.ingest.sources.rtsp.wires import NO_ANSWER, Destination, open_wire
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
HARMLESS: Final = frozenset({"OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE", "PLAY_NOTIFY"})
SEND_SECONDS: Final = 5.0
MAX_EARLY_BYTES: Final = 16 << 20
FINAL: Final = 200
MAX_REFUSALS: Final = 3

_STALE: Final = re.compile(r"\bstale\s*=\s*\"?true", re.IGNORECASE)


class Dialogue:
    """One connection's requests and answers; all must be done by the deadline until `packets` are read.

    What it raises is SourceFailed with the reason, or OSError.
    """

    def __init__(self, destination: Destination, policy: AddressPolicy, deadline: float) -> None:
        self.destination = destination
        self.session_id = ""
        self.leads_to: str | None = None
        """where the camera wants us to go instead, in its own words"""
        self.has_ended = False
        """whether the camera has hung up, or taken its leave"""
        self.replies: deque[Reply] = deque()
        """answers that nobody waited for"""
        self.early: deque[Media] = deque()
        """packets that came before anybody read them, at most 16 MiB; more are dropped"""
        self._policy = policy
        self._deadline = deadline
        self._authorizer = Authorizer(destination.login) if destination.login else None
        self.wire, self._inbox = open_wire(destination, policy, deadline)
        self._number = 0
        self._num_refused = 0
        self._num_early_bytes = 0

    def ask(self, method: str, url: str, *headers: tuple[str, str], is_vital: bool = True) -> Reply | None:
        """The answer to a request, authenticated where the camera asks for it; None where it leads elsewhere."""
        self._num_refused = 0
        while self.leads_to is None:
            reply = self._reply_to(self.send(method, url, *headers))
            if reply.status == 401:
                self._authenticate(reply)
            elif reply.status in REDIRECTS:
                self.leads_to = self.leads_to or reply.header("location")
            elif reply.status == 200 or not is_vital:
                return reply
            else:
                raise rtsp_refused(reply.status)
        return None

    def send(self, method: str, url: str, *headers: tuple[str, str]) -> int:
        """Sends a request and returns its number."""
        url = encoded(url)
        self._number += 1
        more = [*headers, *([("Session", self.session_id)] if self.session_id else [])]
        if self._authorizer and (said := self._authorizer.header(method, url)):
            more.append(("Authorization", said))
        self.wire.send(request(method, url, self._number, more), SEND_SECONDS)
        return self._number

    def takes_up(self, refusal: Reply) -> bool:
        """Whether a request that was refused in mid-session may be sent again, with an answer to a new challenge."""
        return bool(self._authorizer and self._authorizer.challenged(refusal.all("www-authenticate")))

    def hear(self, is_there: Callable[[], bool], deadline: float) -> None:
        """Keeps what comes until something is there, the camera hangs up, or time is over."""
        while not is_there() and not self.has_ended and (left := deadline - time.monotonic()) > 0:
            if not self.wire.has_more():
                poll = select.poll()
                poll.register(self.wire.fileno(), select.POLLIN)
                poll.poll(left * 1000)
            for packet in self.packets():
                self._num_early_bytes += len(packet.data)
                if self._num_early_bytes <= MAX_EARLY_BYTES:
                    self.early.append(packet)

    def packets(self) -> Iterator[Media]:
        """Packets that are here; answers among them are kept, and the camera's own requests answered."""
        received = self.wire.receive()
        if received is None:
            return
        if not received:
            self.has_ended = True
        self._inbox.add(received)
        while message := self._inbox.take():
            match message:
                case Media():
                    yield message
                case Reply():
                    self.replies.append(message)
                case Call():
                    self._called(message)

    def _reply_to(self, number: int) -> Reply:
        while True:
            try:
                self.hear(lambda: bool(self.replies) or self.leads_to is not None, self._deadline)
            except ConnectionError:
                self.has_ended = True
            if self.replies:
                reply = self.replies.popleft()
                if reply.status >= FINAL:  # whatever CSeq it carries: cameras count as they like, and one is under way
                    return reply
            elif self.leads_to is not None:
                return Reply(302, ())
            elif not self.has_ended:
                raise SourceFailed(NO_ANSWER)
            elif self._num_refused == 1 and not self.session_id:
                return self._on_new_connection()
            elif number == 1:
                raise SourceFailed(NOT_RTSP)
            else:
                raise ConnectionResetError

    def _on_new_connection(self) -> Reply:
        """Some cameras hang up after a refusal, and want the request again on another connection."""
        self.wire.close()
        self.wire, self._inbox = open_wire(self.destination, self._policy, self._deadline)
        self.has_ended = False
        return Reply(401, ())

    def _authenticate(self, reply: Reply) -> None:
        """Takes up a challenge for the next request; raises SourceFailed where that would be no use."""
        challenges = reply.all("www-authenticate")
        is_stale = any(_STALE.search(challenge) for challenge in challenges)
        is_refusal = bool(challenges) and self._num_refused > 0 and not is_stale
        self._num_refused += 1
        if not self._authorizer and self.destination.is_elsewhere:
            _, host, port = self.destination.endpoint
            raise SourceFailed(f"{AUTHENTICATION_REFUSED}; it redirects to {host} port {port}, where no login is sent")
        if not self._authorizer or is_refusal or self._num_refused > MAX_REFUSALS:
            raise SourceFailed(AUTHENTICATION_REFUSED)
        if challenges and not self._authorizer.challenged(challenges):
            raise SourceFailed(f"{AUTHENTICATION_REFUSED}, or it wants another way than basic and digest")

    def _called(self, call: Call) -> None:
        status, headers = "200 OK", ""
        if call.method == "REDIRECT":
            self.leads_to = call.header("location")
        elif call.method == "TEARDOWN":
            self.has_ended = True
        elif call.method == "OPTIONS":
            headers = "Public: OPTIONS, GET_PARAMETER, SET_PARAMETER, REDIRECT, TEARDOWN\r\n"
        elif call.method not in HARMLESS:
            status = "501 Not Implemented"
        self.wire.send(answer(call, status, headers), SEND_SECONDS)
