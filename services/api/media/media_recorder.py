"""Cuts pictures and clips of events while they happen, and keeps what was cut within its limits."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

import redis

from services.api.followers.entries import FeedEntry
from services.api.media.check import MediaCheck
from services.api.media.cutting.bench import CuttingBench
from services.api.media.cutting.under_way import NO_FRAMES, Around, UnderWay, cut, higher_peak, put_peak, whole_record
from services.api.media.ledger import Ledger, LedgerPage
from services.api.media.metrics import MediaMetrics
from services.api.media.places.place import MediaUnavailable
from services.api.media.records import HELD_SECONDS, MediaRecord, MediaRecords, TotalBytes, stream_of
from services.api.media.retention import BY_AGE, BY_SIZE, Limits, oldest_first, too_old
from services.api.media.shelf import Shelf
from services.api.media.surroundings import Surroundings, told_event
from shared.errors import Fenced
from shared.events import Event
from shared.store.layout.known import layout_of
from shared.store.leases import Lease

MAX_CUT_AT_ONCE: Final = 8
"""Clips between two looks at the feed and the leases."""
RENEWALS_PER_HOLD: Final = 6
PEAK_EVERY_MS: Final = 5000
"""Of an event that goes on, how often it is looked for a higher peak."""
WAIT_SECONDS: Final = 3600.0
"""So long what is cut waits for its place."""
TOO_SMALL: Final = "no room: what is kept by hand, or one clip alone, takes all that media may"

log = logging.getLogger(__name__)


class MediaRecorder:
    """The events of some partitions: hears of them, cuts, keeps. Used by one thread.

    Methods raise StoreUnavailable: nothing is lost then, the next call goes on.
    """

    def __init__(
        self,
        client: redis.Redis,
        shelf: Shelf,
        bench: CuttingBench,
        around: Around,
        limits: Limits,
        metrics: MediaMetrics,
        lost: Callable[[Lease], None],
    ) -> None:
        self._client = client
        self._shelf = shelf
        self._bench = bench
        self._around = around
        self._limits = limits
        self._metrics = metrics
        self._lost = lost
        self._records = MediaRecords(client)
        self._surroundings = Surroundings(client)
        self._total = TotalBytes(client)
        self._turn = 0
        self.ledger = Ledger()

    def take_over(self, lease: Lease) -> None:
        """Takes a partition over as the last recorder left it: its records, and the events under way."""
        page = LedgerPage(lease, self._records.of_partition(lease.partition))
        page.heard = self._surroundings.heard(lease.partition)
        page.held = dict.fromkeys(self._records.held(lease.partition))
        waiting = [each for each, record in page.records.items() if record.state == "recording"]
        for event in self._surroundings.events(waiting).values():
            under_way = self._follow(page, event)
            under_way.is_inherited, under_way.is_counted = True, False
        self.ledger.pages[lease.partition] = page

    def handle(self, lease: Lease, entries: Sequence[FeedEntry]) -> int:
        """Takes entries of the feed in: what opens is recorded from now on, what has closed once all of it is cut."""
        page = self.ledger.pages.get(lease.partition)
        if page is None or page.lease != lease:
            return 0
        for entry in entries:
            self._hear(page, entry)
        return len(entries) if self._write(page) else 0

    def leave(self, lease: Lease) -> None:
        """Forgets a partition that is another recorder's; what is not written yet, that one does again."""
        self.ledger.drop([lease.partition])

    def work(self) -> int:
        """Cuts what is due, a few at a time, and writes what has become of it; returns how many were cut."""
        now, num_cut = time.monotonic(), 0
        with suppress(MediaUnavailable):
            self._shelf.count(self.ledger.pages.values())
        waiting = [(page, each) for page in self.ledger.pages.values() for each in page.under_way.values()]
        cursors = self._surroundings.cursors({each.event.stream_id for _, each in waiting})
        for page, under_way in waiting:
            cursor = cursors.get(under_way.event.stream_id)
            is_here = page.under_way.get(under_way.event.id) is under_way and page is self._page_of(under_way.event.id)
            if cursor is None or not is_here or not under_way.is_due(cursor, now):
                continue
            if under_way.is_cut:
                self._look_on(page, under_way)
            elif num_cut < MAX_CUT_AT_ONCE and self._can_go_on(under_way):
                num_cut += 1
                self._cut(page, under_way)
                self._write(page)  # at once: who takes over must know what room is taken
        return num_cut

    def _can_go_on(self, under_way: UnderWay) -> bool:
        """Whether there is something to do for an event that is due: the place may be away, and the bench full."""
        return not self._shelf.is_left_alone or (self._bench.has_room and under_way.event.id not in self._bench.drafts)

    def settle(self) -> None:
        """Writes what Redis does not have yet, partition by partition; what is another recorder's now is let go."""
        for page in list(self.ledger.pages.values()):
            if page.has_news(time.monotonic()):
                self._write(page)
        self._bench.tidy({event_id for page in self.ledger.pages.values() for event_id in page.under_way})
        self._total.tell(self.ledger.used_by_partition(), self._limits.num_bytes)
        self._metrics.away.set(self._shelf.is_away)
        self._metrics.under_way.set(self.ledger.num_under_way)
        self._metrics.kept_bytes.set(self.ledger.used_bytes)

    def sweep(self) -> None:
        """Removes what belongs to events that are gone, in one partition after the other, and what is too old."""
        self._shelf.remove([])
        pages = list(self.ledger.pages.values())
        self._turn += 1
        for page in pages[self._turn % len(pages) :][:1] if pages else ():
            if not page.is_checked:
                self._check(page)
            for event_id in page.records.keys() - self._surroundings.existing(page.records):
                self._forget(page, event_id)
        old = too_old(self.ledger.records(), self._limits, round(time.time() * 1000))
        kept = self._surroundings.kept(old)
        self._remove([event_id for event_id in old if event_id not in kept], BY_AGE)

    def _hear(self, page: LedgerPage, entry: FeedEntry) -> None:
        page.heard = str(entry.entry_id)
        event = told_event(entry.event)
        if event is None:
            return
        if entry.kind == "deleted":
            self._forget(page, event.id)
        elif under_way := page.under_way.get(event.id):
            under_way.event = event
        elif event.id not in page.records:
            page.write(event.id, MediaRecord(state="recording"))
            page.held.setdefault(event.stream_id, None)
            self._follow(page, event)

    def _check(self, page: LedgerPage) -> None:
        """Mends what whoever had the partition before has left undone."""
        try:
            with self._shelf.asked() as place:
                found = MediaCheck(self._client, place).check(page)
        except MediaUnavailable:
            return  # the shelf has said so
        page.is_checked = True
        for event_id, what in found:
            log.warning("event %s: mended: %s", event_id, what)

    def _page_of(self, event_id: str) -> LedgerPage | None:
        return self.ledger.pages.get(layout_of(self._client).of(stream_of(event_id)))

    def _follow(self, page: LedgerPage, event: Event) -> UnderWay:
        fps = self._surroundings.fps(event.stream_id)
        under_way = UnderWay(event, self._around.span(event), fps, page.records[event.id])
        if under_way.is_cut:
            under_way.looked_ms = max([event.started_at_ms, *under_way.record.pictures.values()])
        page.under_way[event.id] = under_way
        return under_way

    def _cut(self, page: LedgerPage, under_way: UnderWay) -> None:
        event = under_way.event
        try:
            record = self._recorded(under_way)
        except MediaUnavailable as err:
            if under_way.waited_seconds(time.monotonic()) <= WAIT_SECONDS:
                page.write(event.id, under_way.record.model_copy(update={"reason": f"waiting: {err}"}))
                return
            record = self._failed(event, str(err))
        except OSError as err:
            record = self._failed(event, err.strerror or str(err))
        page.write(event.id, record)
        until_ms = event.ended_at_ms or under_way.span.to_ms
        under_way.looked_ms = min(under_way.span.to_ms, until_ms, max(under_way.cursor.ms, under_way.span.opened_ms))
        self._bench.clear(event.id)
        if not record.num_bytes and under_way.may_lie_there:
            self._shelf.remove([event.id])
        self._finish(page, under_way)

    def _recorded(self, under_way: UnderWay) -> MediaRecord:
        """Cuts an event, where that is not done, and puts it where it belongs. Raises MediaUnavailable and OSError."""
        event_id, drafts = under_way.event.id, self._bench.drafts
        if event_id not in drafts:  # before anything is asked of the place: frames leave the queue
            with self._metrics.cutting.time():
                drafts[event_id] = cut(self._client, under_way, self._bench.folder(event_id))
        draft = drafts[event_id]
        self._shelf.count(self.ledger.pages.values())
        with self._shelf.asked() as place:
            if under_way.is_inherited and (record := whole_record(place, event_id)):
                return record
        more_bytes = draft.record.num_bytes - under_way.record.num_bytes
        if draft.pictures and not self._make_room(max(0, more_bytes), event_id):
            return MediaRecord(state="recording", reason=TOO_SMALL, recorded_at_ms=draft.record.recorded_at_ms)
        if draft.pictures:
            with self._shelf.asked() as place:
                draft.put(place, event_id)
        return draft.record

    def _failed(self, event: Event, why: str) -> MediaRecord:
        log.warning("event %s: not recorded: %s", event.id, why, extra={"stream_id": event.stream_id})
        reason, at_ms = f"it could not be written: {why}", round(time.time() * 1000)
        return MediaRecord(state="recording", reason=reason, recorded_at_ms=at_ms)

    def _look_on(self, page: LedgerPage, under_way: UnderWay) -> None:
        """An event that goes on may have its peak after its clip."""
        ended_at_ms = under_way.event.ended_at_ms
        upto_ms = under_way.cursor.ms if ended_at_ms is None else min(ended_at_ms, under_way.cursor.ms)
        if ended_at_ms is None and upto_ms - under_way.looked_ms < PEAK_EVERY_MS:
            return
        try:
            if under_way.record.pictures and (found := higher_peak(self._client, under_way, upto_ms)):
                self._take_peak(page, under_way, *found)
        except MediaUnavailable:
            return
        under_way.looked_ms = max(under_way.looked_ms, upto_ms)
        self._finish(page, under_way)

    def _take_peak(self, page: LedgerPage, under_way: UnderWay, score: float, at_ms: int, jpeg: bytes) -> None:
        event_id, record = under_way.event.id, under_way.record
        if not self._make_room(len(jpeg), event_id):
            return
        try:
            with self._shelf.asked() as place:
                num_bytes = put_peak(place, event_id, at_ms, score, jpeg)
        except FileNotFoundError:
            return  # somebody took them; the next check says so
        changes = {"pictures": record.pictures | {"peak": at_ms}, "peak_score": score, "num_bytes": num_bytes}
        page.write(event_id, record.model_copy(update=changes))

    def _finish(self, page: LedgerPage, under_way: UnderWay) -> None:
        if not under_way.is_over():
            return
        record, event_id = under_way.record, under_way.event.id
        state, reason = ("kept", record.reason) if record.pictures else ("none", record.reason or NO_FRAMES)
        page.write(event_id, record.model_copy(update={"state": state, "reason": reason}))
        del page.under_way[event_id]
        self._metrics.recorded.labels("none" if state == "none" else "partly" if reason else "whole").inc()

    def _write(self, page: LedgerPage) -> bool:
        """Whether the partition is still this recorder's, and all is written."""
        held, unwritten = page.holds(), dict(page.unwritten)
        try:
            self._records.settle(page.lease, unwritten, held, page.heard)
        except Fenced:
            self.ledger.drop([page.lease.partition])
            self._lost(page.lease)
            return False
        page.unwritten, page.renew_at = {}, time.monotonic() + HELD_SECONDS / RENEWALS_PER_HOLD
        page.held |= {stream_id: entry for stream_id, entry in held.items() if entry}
        if None in held.values():
            still = self._records.held(page.lease.partition)
            page.held = {each: entry for each, entry in page.held.items() if each in still}
        return True

    def _make_room(self, num_bytes: int, for_event: str) -> bool:
        """Whether so many bytes more fit, once the oldest have gone. Raises MediaUnavailable while they cannot go."""
        self._shelf.count(self.ledger.pages.values())
        excess = self._total.of(self.ledger.used_by_partition()) + num_bytes - self._limits.comfortable_bytes
        if excess > 0:
            records = self.ledger.records().items()
            others = {each: record for each, record in records if each != for_event and record.recorded_at_ms}
            self._remove(oldest_first(others, excess, self._surroundings.kept), BY_SIZE)
        self._shelf.clear()
        return self._total.of(self.ledger.used_by_partition()) + num_bytes <= self._limits.num_bytes

    def _remove(self, event_ids: Iterable[str], reason: str) -> None:
        """Removes media; says so first, so that nothing is promised that is not there."""
        going: dict[int, list[str]] = {}
        layout = layout_of(self._client)
        for event_id in event_ids:
            going.setdefault(layout.of(stream_of(event_id)), []).append(event_id)
        for partition, removed in going.items():
            page = self.ledger.pages[partition]
            for event_id in removed:
                page.under_way.pop(event_id, None)
                page.write(event_id, MediaRecord(state="removed", reason=reason))
            if self._write(page):
                self._shelf.remove(removed)
                self._metrics.removed.inc(len(removed))

    def _forget(self, page: LedgerPage, event_id: str) -> None:
        """An event that is gone has no media."""
        self._shelf.remove([event_id])
        page.write(event_id, None)
