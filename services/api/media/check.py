"""What Redis and the place of files disagree on: found, and mended."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import redis

from services.api.followers.cursors import Cursors
from services.api.media.cutting.under_way import whole_record
from services.api.media.ledger import LedgerPage
from services.api.media.places.folder import UNFINISHED
from services.api.media.places.opening import RECORDER_SECONDS, place_of
from services.api.media.places.place import CLIP, TIMES, MediaPlace, Sizes, picture_name
from services.api.media.records import MediaRecord, MediaRecords, started_at_ms
from services.api.media.surroundings import Surroundings, told_event
from shared.entries import EntryId
from shared.errors import AfterimageError
from shared.store.client import connect, replies_of
from shared.store.layout.known import layout_of
from shared.store.leases import MAX_LEASE_SECONDS, LeaseBook, worker_id

FILES_GONE: Final = "removed: its files are gone"
UNHEARD: Final = "no recorder was there"


class Finding(NamedTuple):
    """Something of an event that is on one side only."""

    event_id: str
    what: str


class RecorderRuns(AfterimageError):
    """A recorder owns partitions: it has checked them."""


class MediaCheck:
    """Looks through partitions, for whoever owns them as a recorder. Raises StoreUnavailable and MediaUnavailable."""

    def __init__(self, client: redis.Redis, place: MediaPlace, *, mends: bool = True) -> None:
        self._client = client
        self._place = place
        self._surroundings = Surroundings(client)
        self._mends = mends

    def check(self, page: LedgerPage) -> list[Finding]:
        """What is wrong in a partition. What is to be written of it is in the page then, unless nothing is mended."""
        partition = page.lease.partition
        lying = self._lying(partition)
        known = lying.keys() | self._listed(partition) | page.records.keys()
        existing = self._surroundings.existing(known)
        unheard = self._unheard(page)
        judged = {
            event_id: self._judge(page, event_id, lying.get(event_id, {}), is_there=event_id in existing)
            for event_id in sorted(known - unheard)
        }
        return [Finding(event_id, what) for event_id, what in judged.items() if what]

    def _lying(self, partition: int) -> dict[str, Sizes]:
        """The files of all events of a partition."""
        layout = layout_of(self._client)
        streams = [each for each in self._place.streams() if layout.of(each) == partition]
        return {event_id: sizes for each in streams for event_id, sizes in self._place.files(each).items()}

    def _judge(self, page: LedgerPage, event_id: str, sizes: Sizes, *, is_there: bool) -> str | None:
        record = page.records.get(event_id)
        halves = [name for name in sizes if name.endswith(UNFINISHED)]
        if not is_there:
            if record is None and not sizes:
                return None
            self._remove(event_id)
            self._write(page, event_id, None)
            return "media without its event"
        for name in halves if self._mends else ():
            self._place.delete(event_id, name)
        if record and record.state == "recording":  # who records it counts what lies there
            return "half a file" if halves else None
        what, mended = self._compared(event_id, record, {name: sizes[name] for name in sizes.keys() - halves})
        if what and mended:
            if not mended.num_bytes:
                self._remove(event_id)
            self._write(page, event_id, mended)
        return what or ("half a file" if halves else None)

    def _compared(
        self, event_id: str, record: MediaRecord | None, sizes: Mapping[str, int]
    ) -> tuple[str | None, MediaRecord | None]:
        """What is wrong between a record and the files that lie there, and the record that is right."""
        num_bytes = sum(sizes.values())
        if record is None:
            whole = whole_record(self._place, event_id)
            if whole and _names(whole) <= sizes.keys():
                return "media without a record", whole.model_copy(update={"state": "kept", "num_bytes": num_bytes})
            return "an event without media", MediaRecord(state="none", reason=UNHEARD)
        if record.num_bytes and not _names(record) <= sizes.keys():
            return "a record without its files", MediaRecord(state="removed", reason=FILES_GONE)
        if record.num_bytes != num_bytes:
            return "another size", record.model_copy(update={"num_bytes": num_bytes if record.num_bytes else 0})
        return None, None

    def _remove(self, event_id: str) -> None:
        if self._mends:
            self._place.remove(event_id)

    def _write(self, page: LedgerPage, event_id: str, record: MediaRecord | None) -> None:
        if self._mends:
            page.write(event_id, record)

    def _listed(self, partition: int) -> set[str]:
        """All events of a partition's streams."""
        keys = layout_of(self._client).keys(partition)
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hkeys(keys.streams)
        pipeline.hkeys(keys.kept)
        streams, kept = (_texts(reply) for reply in replies_of(pipeline))
        for stream_id in streams:
            pipeline.zrange(keys.events(stream_id), 0, -1)
        listed = [each for reply in replies_of(pipeline) for each in _texts(reply)] if streams else []
        return {each for each in (*listed, *kept) if _is_id(each)}

    def _unheard(self, page: LedgerPage) -> set[str]:
        """The events of which the feed tells after what was heard: they are yet to be recorded."""
        partition, most = page.lease.partition, 2 * layout_of(self._client).feed_entries
        entries = Cursors(self._client, "recorder").read({partition: (EntryId.parse(page.heard), most)})
        told = (told_event(entry.event) for entry in entries.get(partition, ()))
        return {event.id for event in told if event} - page.records.keys()


def check_all(redis_url: str, where: str, *, mends: bool) -> list[Finding]:
    """Checks all partitions, as their owner meanwhile; raises RecorderRuns where another is.

    `where` is the setting `AFTERIMAGE_EVENTS_DIR`.
    """
    place = place_of(where, RECORDER_SECONDS)
    client = connect(redis_url)
    book, records = LeaseBook(client, "recorder", worker_id(), MAX_LEASE_SECONDS), MediaRecords(client)
    checker, surroundings = MediaCheck(client, place, mends=mends), Surroundings(client)
    leases = book.take(range(book.num_partitions))
    found: list[Finding] = []
    try:
        if len(leases) < book.num_partitions:
            raise RecorderRuns("a recorder runs, which checks what it takes over; stop it first")
        for lease in leases:
            book.renew(leases)
            page = LedgerPage(lease, records.of_partition(lease.partition))
            page.heard = surroundings.heard(lease.partition)
            found += checker.check(page)
            if page.unwritten:
                records.settle(lease, page.unwritten)
    finally:
        book.release(leases)
        client.close()
    return found


def _names(record: MediaRecord) -> set[str]:
    """The files that a record tells of."""
    return {TIMES, *map(picture_name, record.pictures), *([CLIP] if record.clip else [])}


def _texts(reply: Any) -> Iterable[str]:  # noqa: ANN401  (what Redis has, or why not)
    return [] if isinstance(reply, Exception) else [each.decode(errors="replace") for each in reply]


def _is_id(text: str) -> bool:
    try:
        return started_at_ms(text) >= 0 and text.count(".") == 2
    except ValueError:
        return False
