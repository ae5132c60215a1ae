"""What a stream's frames have come to."""

from dataclasses import dataclass

from services.ingest.sources.decoding.tally import Tally


@dataclass(slots=True)
class Account:
    """One stream's epoch and counts, written by its capture's thread alone: frames received = settled + open."""

    stream_id: str
    epoch: int = 0
    """number of the current opening of the source, from 1"""
    last_ms: int = 0
    """time of the newest frame ever published, 0 if none was"""
    num_received: int = 0
    """frames that a reader handed over"""
    num_settled: int = 0
    """frames that are in the queue, or dropped on the way there"""

    num_lost: int = 0
    """frames that were wanted and never reached the queue, those of earlier processes included"""

    mark: str | None = None
    """whose, and what was read of a source that tells it: kept with the status, so that no process reads it again"""

    @property
    def num_open(self) -> int:
        """Frames received that are neither in the queue nor dropped yet."""
        return self.num_received - self.num_settled

    def opened(self) -> None:
        """The source is open: a new epoch begins."""
        self.epoch += 1

    def received(self, tally: Tally) -> None:
        """A reader tells what it has done since it last said so."""
        self.num_received += tally.decoded - tally.skipped - tally.dropped
        self.num_lost += tally.dropped

    def dropped(self, num_frames: int) -> None:
        """Frames that a reader handed over are given up."""
        self.num_settled += num_frames
        self.num_lost += num_frames
