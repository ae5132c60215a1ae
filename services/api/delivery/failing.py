"""Which targets do not take what is sent to them: one line in the log when that begins, one when it is over."""

import logging
from collections.abc import Mapping
from typing import Final

MAX_REASON: Final = 300
"""Characters of a reason that are kept."""

log = logging.getLogger(__name__)
Lane = tuple[int, str, str]
"""Partition, target, stream: within it there is an order."""


class Failing:
    """A target fails from the first lane to it that fails until the last of those has got something through.

    So a receiver that refuses one stream's events alone is told of once, not each time that it takes another's.
    """

    def __init__(self) -> None:
        self._why: dict[Lane, str] = {}

    def begin(self, lane: Lane, why: str) -> None:
        """What was sent last did not arrive."""
        if lane[1] not in self.reasons():
            log.warning("target %s: deliveries fail, and are tried again: %s", lane[1], why)
        self._why.pop(lane, None)  # the newest comes last
        self._why[lane] = why[:MAX_REASON]

    def end(self, lane: Lane) -> None:
        """It arrived."""
        if self._why.pop(lane, None) is not None and lane[1] not in self.reasons():
            log.warning("target %s: takes deliveries again", lane[1])

    def drop(self, lane: Lane) -> None:
        """Nothing waits in the lane, or it is another worker's now: no more is known of it."""
        self._why.pop(lane, None)

    def reasons(self) -> Mapping[str, str]:
        """The newest reason of each target that fails."""
        return {target_id: why for (_, target_id, _), why in self._why.items()}
