"""The API as the command line calls it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict

from afterimage.own_key import LOOPBACK_HOSTS, VARIABLE, key_for
from shared.errors import ApiUnavailable, RequestRefused
from shared.streams import StreamState
from shared.words.redaction import redact

TIMEOUT_SECONDS = 15.0
LIVE_TIMEOUT = httpx.Timeout(TIMEOUT_SECONDS, read=60.0)
PAGE = 500
SCORES_PAGE = 10_000

Value = TypeVar("Value")


class RegisteredStream(BaseModel):
    """The part of a stream's view that the command line works with."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    state: StreamState
    reason: str | None
    fps: float
    frames_published: int
    frames_processed: int
    frames_dropped: int
    lag_frames: int
    duration_seconds: float | None
    finished: bool


@dataclass(frozen=True, slots=True)
class PlacedStream:
    """A stream's view after a PUT, the names of the fields that it changed, and its ETag."""

    view: dict[str, Any]
    changed: tuple[str, ...]
    etag: str


class Client:
    """Calls one API, with this key or the one that is found for it. Every method raises ApiUnavailable, or
    RequestRefused with the API's own words.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        try:
            on_this_machine = httpx.URL(self.url).host in LOOPBACK_HOSTS
            self.key = key or key_for(self.url)
            headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
            self._http = httpx.Client(
                base_url=self.url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=not on_this_machine
            )
        except (httpx.InvalidURL, ValueError) as err:
            raise ApiUnavailable("--url: not a URL; allowed is http://host:port or https://host:port") from err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._http.close()

    def not_ready(self) -> str | None:
        """What is missing before the system can work, or None."""
        try:
            self._json("GET", "/readyz")
        except (ApiUnavailable, RequestRefused) as err:
            return str(err)
        return None

    def add_stream(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Registers a stream; returns its view."""
        view: dict[str, Any] = self._json("POST", "/v1/streams", json=fields)
        return view

    def place_stream(
        self,
        stream_id: str,
        fields: Mapping[str, Any],
        *,
        dry_run: bool = False,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> PlacedStream:
        """Registers a stream or replaces all that is asked of it; `dry_run` only says what would change."""
        conditions = _given({"If-Match": if_match, "If-None-Match": if_none_match})
        reply = self._send(
            "PUT",
            f"/v1/streams/{quote(stream_id, safe='')}",
            json=fields,
            params={"dry_run": True} if dry_run else {},
            headers=conditions,
        )
        changed = tuple(name for name in reply.headers.get("X-Changed", "").split(", ") if name)
        return PlacedStream(self._parsed(reply), changed, reply.headers.get("ETag", ""))

    def pause_stream(self, stream_id: str, *, paused: bool) -> None:
        """Has the source let go of, or taken up again."""
        self._send("POST", f"/v1/streams/{stream_id}/{'pause' if paused else 'resume'}")

    def stream(self, stream_id: str) -> dict[str, Any]:
        """One stream's view."""
        view: dict[str, Any] = self._json("GET", f"/v1/streams/{stream_id}")
        return view

    def stream_view(self, stream_id: str) -> RegisteredStream:
        """The same, parsed."""
        return RegisteredStream.model_validate(self.stream(stream_id))

    def streams(self) -> Iterator[dict[str, Any]]:
        """Every stream's view."""
        return self._pages("/v1/streams", {})

    def change_stream(self, stream_id: str, fields: dict[str, Any]) -> None:
        """Changes what is given of a stream."""
        self._send("PATCH", f"/v1/streams/{stream_id}", json=fields)

    def running_model(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """The model that looks at a stream, as the API shows models."""
        models = self._json("GET", "/v1/models")["items"]
        found: dict[str, Any] | None = next(
            (each for each in models if each["reference"] == view["running_model"]), None
        )
        if found is None:
            raise RequestRefused(f"stream {view['id']!r}: the API's machine does not hold the model that looks at it")
        return found

    def start_rollout(self, group: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Tries a model on all streams of a group; returns how that stands."""
        view: dict[str, Any] = self._json("PUT", _rollout_of(group), json=fields)
        return view

    def rollout(self, group: str) -> dict[str, Any]:
        """How the newest trial of a model on a group stands."""
        view: dict[str, Any] = self._json("GET", _rollout_of(group))
        return view

    def end_rollout(self, group: str, *, keep: bool) -> dict[str, Any]:
        """Ends it: the streams go back to the models that they had, or stay on the new one."""
        view: dict[str, Any] = self._json("DELETE", _rollout_of(group), params={"keep": True} if keep else {})
        return view

    def scores(self, stream_id: str) -> Iterator[dict[str, Any]]:
        """The scores of every frame that are stored, oldest first."""
        since_ms: int | None = 0
        while since_ms is not None:
            query = {"since_ms": since_ms, "limit": SCORES_PAGE}
            page = self._json("GET", f"/v1/streams/{stream_id}/scores", params=query)
            yield from page["items"]
            since_ms = page["next_since_ms"]

    def remove_stream(self, stream_id: str, *, missing_ok: bool = False) -> None:
        """Removes a stream and all that is kept of it."""
        self._send("DELETE", f"/v1/streams/{stream_id}", accepted=(httpx.codes.NOT_FOUND,) if missing_ok else ())

    def rotate_secrets(self) -> dict[str, Any]:
        """Has every source and target encrypted anew; returns how many were, and those whose key is gone."""
        rotated: dict[str, Any] = self._json("POST", "/v1/secrets/rotate")
        return rotated

    def events(self, **filters: str | int | Sequence[str] | None) -> Iterator[dict[str, Any]]:
        """Events, newest first; `filters` as the API names them."""
        return self._pages("/v1/events", _given(filters))

    def event(self, event_id: str) -> dict[str, Any] | None:
        """One event; None where it is not kept."""
        reply = self._send("GET", f"/v1/events/{quote(event_id, safe='')}", accepted=(httpx.codes.NOT_FOUND,))
        found: dict[str, Any] = self._parsed(reply)
        return None if reply.is_error else found

    def save_clip(self, event_id: str, file: BinaryIO, max_bytes: int) -> None:
        """Writes an event's clip into a file; raises RequestRefused where there is none, or it is larger."""
        path = f"/v1/events/{quote(event_id, safe='')}/clip.mp4"
        try:
            with self._http.stream("GET", path) as reply:
                if reply.is_error:
                    reply.read()
                    raise RequestRefused(_message(reply))
                if (kind := reply.headers.get("Content-Type", "")) != "video/mp4":
                    raise RequestRefused(f"{path}: is {kind[:100]!r}, not video/mp4")
                for part in reply.iter_bytes():
                    if file.tell() + len(part) > max_bytes:
                        raise RequestRefused(f"its clip is larger than {max_bytes} bytes")
                    file.write(part)
        except httpx.HTTPError as err:
            raise ApiUnavailable(self._unavailable(err)) from err

    def export_events(self, **filters: str | int | Sequence[str] | None) -> Iterator[str]:
        """A file of events, in parts; `format` and filters as the API names them."""
        try:
            with self._http.stream("GET", "/v1/events/export", params=_given(filters), timeout=LIVE_TIMEOUT) as reply:
                if reply.is_error:
                    reply.read()
                    raise RequestRefused(_message(reply))
                yield from reply.iter_text()
        except httpx.HTTPError as err:
            raise ApiUnavailable(self._unavailable(err)) from err

    def create_key(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Makes a key; returns its view, this once with the key itself."""
        made: dict[str, Any] = self._json("POST", "/v1/keys", json=fields)
        return made

    def keys(self) -> list[dict[str, Any]]:
        """Every key's view, oldest first."""
        items: list[dict[str, Any]] = self._json("GET", "/v1/keys")["items"]
        return items

    def revoke_key(self, key_id: str) -> None:
        """Revokes a key at once."""
        self._send("DELETE", f"/v1/keys/{key_id}")

    def live_lines(self, last_event_id: str | None, **filters: str | None) -> Iterator[str]:
        """The lines of the live feed, from now or from after `last_event_id`; the first message says it is open."""
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        try:
            with self._http.stream(
                "GET", "/v1/events/live", params=_given(filters), headers=headers, timeout=LIVE_TIMEOUT
            ) as reply:
                if reply.is_error:
                    reply.read()
                    raise RequestRefused(_message(reply))
                yield from reply.iter_lines()
        except httpx.HTTPError as err:
            raise ApiUnavailable(self._unavailable(err)) from err

    def _pages(self, path: str, filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            position = {"cursor": cursor} if cursor is not None else {}
            page = self._json("GET", path, params={"limit": PAGE, **filters, **position})
            yield from page["items"]
            cursor = page.get("next")
            if cursor is None:
                return

    def _json(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 (whatever the API answers)
        return self._parsed(self._send(method, path, **options))

    def _parsed(self, reply: httpx.Response) -> Any:  # noqa: ANN401 (whatever the API answers)
        try:
            return reply.json()
        except ValueError as err:
            raise RequestRefused(
                f"{redact(self.url)} does not answer like an Afterimage API: {redact(reply.text)[:100]!r}"
            ) from err

    def _send(self, method: str, path: str, accepted: tuple[int, ...] = (), **options: Any) -> httpx.Response:  # noqa: ANN401 (httpx's own options)
        try:
            reply = self._http.request(method, path, **options)
        except httpx.HTTPError as err:
            raise ApiUnavailable(self._unavailable(err)) from err
        if reply.is_error and reply.status_code not in accepted:
            raise RequestRefused(_message(reply))
        return reply

    def _unavailable(self, err: httpx.HTTPError) -> str:
        detail = str(err) or type(err).__name__
        return f"no API at {redact(self.url)} ({detail}); start one with `afterimage up`, or give --url"


def _rollout_of(group: str) -> str:
    return f"/v1/groups/{quote(group, safe='')}/rollout"


def _given(filters: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in filters.items() if value is not None}


def _message(reply: httpx.Response) -> str:
    """The API's own sentence, or what can be said of a reply that holds none."""
    hint = f" (the command line sends that of {VARIABLE})" if reply.status_code == httpx.codes.UNAUTHORIZED else ""
    try:
        return str(reply.json()["detail"]) + hint
    except (ValueError, KeyError, TypeError):
        return f"{reply.request.method} {reply.request.url.path}: HTTP {reply.status_code}"
