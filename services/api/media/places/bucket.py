"""A bucket of events' files, at whatever speaks S3: `PREFIX/<stream id>/<event id>/<name>`.

An object appears with its last byte, in one request: nothing of an upload that broke off is ever there. Endpoint,
region and login are the library's own AWS_* variables.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from services.api.media.places.place import MAX_READ_BYTES, REPLACED, MediaFacts, MediaUnavailable, Sizes, kind_of
from shared.errors import SettingsInvalid

if TYPE_CHECKING:
    from obstore import ObjectMeta

ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
ENDPOINT: Final = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
CONNECT_SECONDS: Final = 2.0
ANEW_WITHIN_SECONDS: Final = 2.0
"""A request that failed so soon is made once more: a connection had been closed, or the server is busy."""
PAGE: Final = 1000
STATUS: Final = re.compile(r"status code: (\d{3})")
CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
TROUBLE: Final = {
    "Timeout": "it does not answer in time",
    "dns error": "its host is not found",
    "certificate": "its certificate is not trusted",
    "Connect": "nobody listens there",
    "credential": "no login for it is found",
}
"""What is said in the library's errors, which repeat addresses and what the server says: that is shown to nobody."""


class EventBucket:
    """Objects in a bucket; each request takes `timeout_seconds` at most, and is made twice at most.

    Raises SettingsInvalid.
    """

    def __init__(self, bucket: str, prefix: str, timeout_seconds: float) -> None:
        try:
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                client_options={
                    "allow_http": _endpoint().startswith("http://"),
                    "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                    "timeout": timedelta(seconds=timeout_seconds),
                },
                retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=ANEW_WITHIN_SECONDS)},
            )
        except (BaseError, ValueError):
            raise SettingsInvalid("AWS_*: one of these variables is not as the library for buckets wants it") from None

    def put(self, event_id: str, name: str, content: bytes | Path) -> None:
        """Writes an object, of bytes or what lies at a path, in one request."""
        kind = {"Content-Type": kind_of(name)}
        with _translated():
            try:
                obstore.put(self._store, _key(event_id, name), content, attributes=kind, use_multipart=False)
            except FileNotFoundError:
                raise MediaUnavailable("the bucket of pictures and clips: there is none of this name") from None

    def read(self, event_id: str, name: str) -> bytes:
        """All of an object; raises FileNotFoundError."""
        with _translated():
            found = obstore.get(self._store, _key(event_id, name))
            if found.meta["size"] > MAX_READ_BYTES:
                raise FileNotFoundError(name)
            return bytes(found.bytes())

    def delete(self, event_id: str, name: str) -> None:
        """Removes an object, if it is there."""
        self._delete([_key(event_id, name)])

    def remove(self, event_id: str) -> None:
        """Removes all that is kept of an event."""
        self._delete([each["path"] for each in self._below(_key(event_id, ""))])

    def sizes(self, event_id: str) -> Sizes:
        """The files of an event."""
        return {name: size for _, name, size in self._listed(_key(event_id, ""))}

    def streams(self) -> Iterator[str]:
        """Ids of the streams of which anything lies there."""
        with _translated():
            found = obstore.list_with_delimiter(self._store)["common_prefixes"]
        yield from sorted(found)

    def files(self, stream_id: str) -> dict[str, Sizes]:
        """The events of a stream of which anything lies there."""
        found: dict[str, dict[str, int]] = {}
        for event_id, name, size in self._listed(f"{stream_id}/"):
            found.setdefault(event_id, {})[name] = size
        return dict(found)

    async def facts(self, event_id: str, name: str) -> MediaFacts:
        """What is known of an object; raises FileNotFoundError."""
        with _translated():
            return _facts_of(await obstore.head_async(self._store, _key(event_id, name)))

    async def part(self, event_id: str, name: str, etag: str, first: int, end: int) -> bytes:
        """Bytes from `first` up to, and without, `end`."""
        with _translated():
            try:
                found = await obstore.get_async(self._store, _key(event_id, name), options={"range": (first, end)})
            except FileNotFoundError:
                raise MediaUnavailable(REPLACED) from None
            if _facts_of(found.meta).etag != etag:
                raise MediaUnavailable(REPLACED)
            return bytes(await found.bytes_async())

    def _delete(self, keys: list[str]) -> None:
        with _translated():
            if keys:
                obstore.delete(self._store, keys)

    def _listed(self, prefix: str) -> Iterator[tuple[str, str, int]]:
        """(Event, name, bytes) of what lies there as a recorder puts it."""
        for each in self._below(prefix):
            stream_id, _, rest = each["path"].partition("/")
            event_id, _, name = rest.partition("/")
            if name and "/" not in name and event_id.partition(".")[0] == stream_id:
                yield event_id, name, each["size"]

    def _below(self, prefix: str) -> Iterator["ObjectMeta"]:
        with _translated():
            for page in obstore.list(self._store, prefix, chunk_size=PAGE):
                yield from page


def _endpoint() -> str:
    """What the library is to ask, if it is not Amazon; it would panic at what is refused here."""
    for name, value in os.environ.items():
        if name.startswith("AWS_") and not value.isprintable():
            raise SettingsInvalid(f"{name}: it holds the end of a line, or another character that is not seen")
    given = {name: os.environ[name] for name in ENDPOINTS if name in os.environ}
    for name, url in given.items():
        if not ENDPOINT.fullmatch(url):
            raise SettingsInvalid(f"{name}: allowed is http(s)://HOST[:PORT][/PATH], without a login")
    return next(iter(given.values()), "")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BaseError, ValueError) as err:
        raise MediaUnavailable(f"the bucket of pictures and clips: {_plainly(str(err))}") from None


def _plainly(said: str) -> str:
    if status := STATUS.search(said):
        code = CODE.search(said)
        return f"it answers {status[1]}{f' {code[1]}' if code else ''}"
    return next((plain for word, plain in TROUBLE.items() if word in said), "it does not answer as it should")


def _facts_of(told: "ObjectMeta") -> MediaFacts:
    modified_at = told["last_modified"].timestamp()
    return MediaFacts(told["size"], told["e_tag"] or f'"{int(modified_at):x}-{told["size"]:x}"', modified_at)


def _key(event_id: str, name: str) -> str:
    return f"{event_id.partition('.')[0]}/{event_id}/{name}"
