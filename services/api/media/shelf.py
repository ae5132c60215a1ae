"""The place of events' files as a recorder uses it: while it is away it is left alone, longer each time."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from services.api.media.ledger import LedgerPage
from services.api.media.places.folder import UNFINISHED
from services.api.media.places.place import MediaPlace, MediaUnavailable
from shared.waiting import Backoff

LONGEST_SECONDS: Final = 30.0

log = logging.getLogger(__name__)


class Shelf:
    """Asks a place, and removes from it what must go as soon as that can be. Used by one thread."""

    def __init__(self, place: MediaPlace) -> None:
        self._place = place
        self._backoff = Backoff(LONGEST_SECONDS)
        self._again_at = 0.0
        self._why: str | None = None
        self._going: set[str] = set()

    @property
    def is_away(self) -> bool:
        """Whether the place did not answer, or refused, when it was last asked."""
        return self._why is not None

    @property
    def is_left_alone(self) -> bool:
        """Whether it is away, and not to be asked again yet."""
        return self.is_away and time.monotonic() < self._again_at

    @contextmanager
    def asked(self) -> Iterator[MediaPlace]:
        """The place, to ask it something; raises MediaUnavailable, at once while it is left alone."""
        if self.is_left_alone:
            raise MediaUnavailable(self._why or "")
        try:
            yield self._place
        except MediaUnavailable as err:
            if self._why != str(err):
                log.warning("waiting: %s", err)
            self._why, self._again_at = str(err), time.monotonic() + self._backoff.next_seconds()
            raise
        if self.is_away:
            log.info("pictures and clips can be kept again")
        self._why = None
        self._backoff.reset()

    def count(self, pages: Iterable[LedgerPage]) -> None:
        """Notes what recorders that died had put of events, before their records said so; what they left half goes.

        Raises MediaUnavailable.
        """
        for page in pages:
            for event_id, under_way in page.under_way.items():
                if not under_way.is_counted:
                    with self.asked() as place:
                        num_bytes = _finished_bytes(place, event_id)
                    page.write(event_id, under_way.record.model_copy(update={"num_bytes": num_bytes}))
                    under_way.is_counted = True

    def remove(self, event_ids: Iterable[str]) -> None:
        """Removes all that is kept of events: now, or once that can be."""
        self._going.update(event_ids)
        with suppress(MediaUnavailable):
            self.clear()

    def clear(self) -> None:
        """Removes what must go; raises MediaUnavailable, and goes on at the next call then."""
        for event_id in sorted(self._going):
            with self.asked() as place:
                place.remove(event_id)
            self._going.discard(event_id)


def _finished_bytes(place: MediaPlace, event_id: str) -> int:
    """What an event's files take, once those are gone that were not finished."""
    sizes = place.sizes(event_id)
    halves = {name for name in sizes if name.endswith(UNFINISHED)}
    for name in halves:
        place.delete(event_id, name)
    return sum(sizes[name] for name in sizes.keys() - halves)
