"""Asks HTTP and HTTPS servers for FFmpeg, whose own network code would follow a camera anywhere."""

import http.client
import socket
import ssl
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from services.ingest.sources.failures import AUTHENTICATION_REFUSED, http_failed, status_failed
from services.ingest.sources.network.addresses import DEFAULT_PORTS, AddressPolicy
from services.ingest.sources.network.http_auth import Authorizer, Login
from shared.errors import SourceFailed

MAX_REDIRECTS: Final = 5
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
LEAST_SECONDS: Final = 0.05
HEADERS: Final = {"User-Agent": "afterimage", "Accept": "*/*", "Connection": "close"}

Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer, open, the connection that it comes by, and the URL that gave it after all redirects."""

    response: http.client.HTTPResponse
    link: socket.socket
    url: str


def origin_of(url: str) -> Origin:
    """Scheme, host and port of an HTTP(S) URL; raises SourceFailed for any other."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname:
            return parts.scheme, parts.hostname.lower(), parts.port or DEFAULT_PORTS[parts.scheme]
    except ValueError:
        pass
    raise SourceFailed("led to an address that is neither http:// nor https://: refused")


class HttpClient:
    """Gets a source's URL and what belongs to it, at addresses that the policy allows.

    A login goes to the source's own host only. Certificates are not verified, as with FFmpeg and every recorder:
    cameras sign their own. So TLS keeps listeners out, but not a stranger who answers in the camera's place.
    """

    def __init__(self, url: str, policy: AddressPolicy, stall_seconds: float) -> None:
        parts = urlsplit(url)
        user_info, _, address = parts.netloc.rpartition("@")
        login = Login.of(user_info)
        self.url = urlunsplit(parts._replace(netloc=address, fragment=""))
        """the source's, without its login"""
        self.has_failed = False
        """whether something was raised within PyAV, which reports it once: from then on all is empty"""
        self._policy = policy
        self._stall_seconds = stall_seconds
        self._open_until: float | None = time.monotonic() + stall_seconds
        self._authorizer = Authorizer(login) if login else None

    @property
    def patience_seconds(self) -> float:
        """How long may pass now without a word: what is left for opening the source, later `stall_seconds` anew."""
        if self._open_until is None:
            return self._stall_seconds
        return max(LEAST_SECONDS, self._open_until - time.monotonic())

    def opened(self) -> None:
        """Says that the source is open: from now on each wait counts by itself."""
        self._open_until = None

    def failure(self, err: Exception, *, connected: bool) -> SourceFailed:
        """What a connection raised, in words."""
        return http_failed(err, self._stall_seconds, connected=connected)

    def get(self, url: str, only_at: Origin | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """What a URL gives, after at most 5 redirects, all `only_at` one place where that is given.

        Raises SourceFailed with the reason in plain words.
        """
        deadline = time.monotonic() + self.patience_seconds
        asked, num_redirects = False, 0
        while num_redirects <= MAX_REDIRECTS:
            origin = origin_of(url)
            if only_at and origin != only_at:
                raise SourceFailed(f"led to another place than its own, {origin[1]} port {origin[2]}: refused")
            answer = self._request(url, headers or {}, deadline)
            response = answer.response
            if response.status in REDIRECTS and (location := response.headers.get("Location")):
                response.close()
                url = _redirected(url, location)
                num_redirects += 1
            elif response.status == 401 and not asked and self._can_answer(url, response):
                response.close()
                asked = True
            elif response.status in (200, 206):
                return answer
            else:
                response.close()
                raise status_failed(response.status)
        raise SourceFailed(f"redirected more than {MAX_REDIRECTS} times")

    def _can_answer(self, url: str, response: http.client.HTTPResponse) -> bool:
        if not (self._authorizer and self._is_trusted(url)):
            return False
        if not self._authorizer.challenged(response.headers.get_all("WWW-Authenticate", [])):
            raise SourceFailed(f"{AUTHENTICATION_REFUSED}, or it wants another way than basic and digest")
        return True

    def _is_trusted(self, url: str) -> bool:
        """Whether the login may go there: the source's own place, or its host by https."""
        source, target = origin_of(self.url), origin_of(url)
        return target == source or (target[0] == "https" and target[1] == source[1])

    def _request(self, url: str, headers: Mapping[str, str], deadline: float) -> Answer:
        scheme, host, port = origin_of(url)
        addresses = self._policy.allowed_addresses(host, port, deadline - time.monotonic())
        target = urlunsplit(urlsplit(url)._replace(scheme="", netloc=""))
        target = quote(target if target.startswith("/") else f"/{target}", safe=string.punctuation)
        sent = {**HEADERS, **headers}
        if self._authorizer and self._is_trusted(url) and (answer := self._authorizer.header("GET", target)):
            sent["Authorization"] = answer
        connected = False
        try:
            with self._dial(addresses, port, host if scheme == "https" else None, deadline) as link:
                connected = True
                connection = http.client.HTTPConnection(host, port)
                connection.sock = link
                connection.request("GET", target, headers=sent)
                return Answer(connection.getresponse(), link, url)  # which keeps it open until it is closed itself
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise self.failure(err, connected=connected) from err

    def _dial(self, addresses: list[str], port: int, tls_host: str | None, deadline: float) -> socket.socket:
        refusal: OSError = ConnectionRefusedError()
        for address in addresses:
            try:
                seconds = max(LEAST_SECONDS, deadline - time.monotonic())
                connection = socket.create_connection((address, port), seconds)
            except OSError as err:
                refusal = err
                continue
            try:
                self._policy.check(*connection.getpeername()[:2])
                return _tls().wrap_socket(connection, server_hostname=tls_host) if tls_host else connection
            except (OSError, SourceFailed):
                connection.close()
                raise
        raise refusal


def _redirected(url: str, location: str) -> str:
    """Where a redirect leads; a login that it names is left out."""
    try:
        parts = urlsplit(urljoin(url, location))
    except ValueError:
        raise SourceFailed("redirected to what is no address") from None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=1")  # old cameras' short keys
    return context
