"""Asks HTTP and HTTPS servers for FFmpeg, whose own network code would follow a camera anywhere.

httpx speaks; where it may go, whom it follows and what it tells whom is decided here. Its transport alone is used: its
client reads refusals to the end, shares cookies between ports, and logs whole addresses.
"""

import string
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import httpx

from services.ingest.sources.failures import AUTHENTICATION_REFUSED, http_failed, status_failed
from services.ingest.sources.network.challenges import Authorizer, Login
from services.ingest.sources.network.links import CheckedTransport, HttpPatience, unheard
from shared.errors import SourceFailed
from shared.network.addresses import DEFAULT_PORTS, AddressPolicy

MAX_REDIRECTS: Final = 5
MAX_COOKIES: Final = 50
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
NOT_MODIFIED: Final = 304
HEADERS: Final = {"User-Agent": "afterimage", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}

Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer, open, and the URL that gave it after all redirects."""

    response: httpx.Response
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

    A login goes to the source's own host only, a cookie back to the origin that set it.
    """

    def __init__(
        self, url: str, policy: AddressPolicy, stall_seconds: float, heard: Callable[[], object] = unheard
    ) -> None:
        parts = urlsplit(url)
        user_info, _, address = parts.netloc.rpartition("@")
        login = Login.of(user_info)
        self.url = urlunsplit(parts._replace(netloc=address, fragment=""))
        """the source's, without its login"""
        self.has_failed = False
        """whether something was raised within PyAV, which reports it once: from then on all is empty"""
        self._patience = HttpPatience(stall_seconds, heard)
        self._transport = CheckedTransport(policy, self._patience)
        self._authorizer = Authorizer(login) if login else None
        self._cookies: dict[Origin, httpx.Cookies] = {}
        self._peers: dict[Origin, str] = {}
        """the numeric address that each led to"""

    @property
    def patience_seconds(self) -> float:
        """How long may pass now without a word: what is left for opening the source, later `stall_seconds` anew."""
        return self._patience.seconds

    def may_trickle(self) -> float:
        """Says that opening may take longer, as long as something comes; returns how long, in seconds."""
        return self._patience.may_trickle()

    def opened(self) -> None:
        """Says that the source is open: from now on each wait counts by itself."""
        self._patience.opened()

    def failure(self, err: Exception, *, connected: bool) -> SourceFailed:
        """What httpx raised, in words."""
        return http_failed(err, self._patience.stall_seconds, connected=connected)

    def at_home(self, url: str, home: Origin) -> str | None:
        """The URL, by the name of `home` where it names the address that this led to; None where it lies elsewhere."""
        try:
            origin = origin_of(url)
        except SourceFailed:
            return None
        if origin == home:
            return url
        if origin != (home[0], self._peers.get(home), home[2]):
            return None
        host, port = f"[{home[1]}]" if ":" in home[1] else home[1], urlsplit(url).port
        return urlunsplit(urlsplit(url)._replace(netloc=f"{host}:{port}" if port else host))

    def get(
        self,
        url: str,
        only_at: Origin | None = None,
        headers: Mapping[str, str] | None = None,
        also_accepted: Collection[int] = (),
    ) -> Answer:
        """What a URL gives, after at most 5 redirects, all `only_at` one place where that is given.

        Statuses other than 200, 206 and those `also_accepted` are failures. Raises SourceFailed with the reason in
        plain words.
        """
        self._patience.asking()
        try:
            return self._follow(url, only_at, headers or {}, {200, 206, *also_accepted})
        finally:
            self._patience.answered()

    def close(self) -> None:
        """Ends all connections."""
        self._transport.close()

    def _follow(self, url: str, only_at: Origin | None, headers: Mapping[str, str], accepted: set[int]) -> Answer:
        asked, num_redirects = False, 0
        while num_redirects <= MAX_REDIRECTS:
            origin = origin_of(url)
            if only_at and origin != only_at:
                if not (own_url := self.at_home(url, only_at)):
                    raise SourceFailed(f"led to another place than its own, {origin[1]} port {origin[2]}: refused")
                url, origin = own_url, only_at
            response = self._request(url, origin, headers)
            if response.status_code in accepted:
                return Answer(response, url)
            response.close()
            if response.status_code in REDIRECTS and (location := response.headers.get("Location")):
                url = _redirected(url, location)
                num_redirects += 1
            elif response.status_code == 401 and not asked and self._can_answer(origin, response):
                asked = True
            else:
                raise status_failed(response.status_code)
        raise SourceFailed(f"redirected more than {MAX_REDIRECTS} times")

    def _can_answer(self, origin: Origin, response: httpx.Response) -> bool:
        if not (self._authorizer and self._is_trusted(origin)):
            return False
        if not self._authorizer.challenged(response.headers.get_list("WWW-Authenticate")):
            raise SourceFailed(f"{AUTHENTICATION_REFUSED}, or it wants another way than basic and digest")
        return True

    def _is_trusted(self, target: Origin) -> bool:
        """Whether the login may go there: the source's own place, or its host by https."""
        source = origin_of(self.url)
        return target == source or (target[0] == "https" and target[1] == source[1])

    def _request(self, url: str, origin: Origin, headers: Mapping[str, str]) -> httpx.Response:
        target = urlunsplit(urlsplit(url)._replace(scheme="", netloc=""))
        target = quote(target if target.startswith("/") else f"/{target}", safe=string.punctuation)
        sent = {**HEADERS, **headers}
        if self._authorizer and self._is_trusted(origin) and (answer := self._authorizer.header("GET", target)):
            sent["Authorization"] = answer
        cookies = self._cookies.setdefault(origin, httpx.Cookies())
        try:
            fields = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
            request = httpx.Request("GET", url, headers=fields, extensions={"target": target.encode()})
            cookies.set_cookie_header(request)
            response = self._transport.handle_request(request)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as err:
            raise self.failure(err, connected=True) from err
        response.request = request
        if peer := response.extensions["network_stream"].get_extra_info("server_addr"):
            self._peers[origin] = peer[0]
        cookies.extract_cookies(response)
        if len(cookies) > MAX_COOKIES:
            cookies.clear()
        return response


def _redirected(url: str, location: str) -> str:
    """Where a redirect leads; a login that it names is left out."""
    try:
        parts = urlsplit(urljoin(url, location))
    except ValueError:
        raise SourceFailed("redirected to what is no address") from None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
