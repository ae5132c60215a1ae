"""A recorder of events' pictures and clips that reads the feed when the test says so."""

import redis
from leasing import seize

from services.api.followers.cursors import Cursors
from services.api.media.cutting.bench import CuttingBench
from services.api.media.cutting.under_way import Around
from services.api.media.media_recorder import MediaRecorder
from services.api.media.metrics import MediaMetrics
from services.api.media.places.opening import place_of
from services.api.media.records import MediaRecord, MediaRecords
from services.api.media.retention import Limits
from services.api.media.shelf import Shelf
from shared.entries import EntryId
from shared.events import Event
from shared.store.leases import Lease

PRE, POST = 3, 5
"""Seconds of a clip before and after the opening."""
OPENS, CLOSES = 100, 180
"""Frames at which events open and close."""
LARGE = Limits(86_400, 1 << 30)


class Studio:
    """A recorder of all partitions that reads the feed when the test says so."""

    def __init__(self, client: redis.Redis, where: str, bench: CuttingBench, limits: Limits) -> None:
        self.client, self.place, self.lost = client, place_of(where, 10), list[Lease]()
        shelf, around = Shelf(self.place), Around(PRE, POST)
        self.recorder = MediaRecorder(client, shelf, bench, around, limits, MediaMetrics(), self.lost.append)
        for lease in seize(client, "recorder").values():
            self.recorder.take_over(lease)
        self.recorder.settle()

    def hear(self) -> None:
        """Takes in what is new in the feed."""
        for partition, page in list(self.recorder.ledger.pages.items()):
            place = EntryId.parse(page.heard), 1000
            for entries in Cursors(self.client, "recorder").read({partition: place}).values():
                self.recorder.handle(page.lease, entries)

    def look(self) -> None:
        """All that a recorder does in one go, twice: what is cut is followed on at the next look."""
        for _ in range(2):
            self.hear()
            while self.recorder.work():
                continue
            self.recorder.settle()

    def record(self, event: Event) -> MediaRecord:
        """What is told of an event."""
        return MediaRecords(self.client).get([event.id])[event.id]

    def files(self, event: Event) -> list[str]:
        """Names of its files."""
        return sorted(self.place.sizes(event.id))
