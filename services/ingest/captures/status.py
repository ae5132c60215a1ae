"""What ingest tells the world about one stream."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from services.ingest.captures.account import Account
from services.ingest.metrics import IngestMetrics
from services.ingest.sources.video import VideoInfo
from shared.clock import now_ms
from shared.errors import StoreUnavailable, StreamUnknown
from shared.streams import StreamState, StreamStatus
from shared.waiting import until_stored
from shared.words.redaction import redact

REFRESH_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


class StatusReporter:
    """Keeps a stream's status in the registry: at once when something changes, each second while frames flow.

    A change waits for Redis; a refresh that fails is left to the next. Both raise StreamUnknown for a removed stream,
    Fenced for another worker's.
    """

    def __init__(
        self,
        account: Account,
        status: StreamStatus,
        set_status: Callable[[str, StreamStatus], bool],
        metrics: IngestMetrics,
        stop: threading.Event,
    ) -> None:
        self.current = status
        self._account = account
        self._stream_id = account.stream_id
        self._set_status = set_status
        self._metrics = metrics
        self._stop = stop
        self._stored_at = 0.0
        self._logged: tuple[StreamState, str | None] | None = None

    def resume(self, earlier: StreamStatus) -> None:
        """Goes on from what an earlier process or thread told of the same generation of the stream."""
        self.current = self.current.model_copy(
            update={"epoch": earlier.epoch, "last_frame_at_ms": earlier.last_frame_at_ms}
        )

    def change(self, state: StreamState, reason: str | None = None) -> None:
        """Stores a new state and its reason."""
        self._update(state=state, reason=redact(reason) if reason else None)
        self._log()
        until_stored(self._store, self._stop)

    def retries(self, state: StreamState, reason: str, seconds: float, defect: Exception | None = None) -> None:
        """Stores that an attempt failed and when the next one is; a defect of ours is logged with its traceback."""
        self._update(state=state, reason=redact(reason), next_attempt_at_ms=now_ms() + round(seconds * 1000))
        self._log(defect)
        until_stored(self._store, self._stop)

    def waiting(self, reason: str) -> None:
        """Notes that the source is connected and why it gives no picture now."""
        reason = redact(reason)
        if (self.current.state, self.current.reason) != (StreamState.WAITING, reason):
            self._update(state=StreamState.WAITING, reason=reason)
            self._log()
            self.try_store()

    def resized(self, info: VideoInfo) -> None:
        """Notes that the picture has another size, or is coded otherwise."""
        self._update(codec=info.codec, width=info.width, height=info.height)

    def connected(self, info: VideoInfo, epoch: int) -> None:
        """Notes that the source is open, as a new epoch."""
        self._update(
            epoch=epoch,
            codec=info.codec,
            width=info.width,
            height=info.height,
            source_fps=info.fps,
            duration_seconds=info.duration_seconds,
        )

    def stopped(self) -> None:
        """Says, if Redis is there, that nobody captures the stream now; an end or failure stays as it is."""
        if self.current.state not in (StreamState.ENDED, StreamState.FAILED):
            self._update(state=StreamState.PENDING, reason="ingest stopped")
            self.try_store()

    def flowing(self, last_frame_at_ms: int, reason: str | None = None) -> None:
        """Notes a frame: the stream is live; a reason says what becomes of its frames, and is in the log already."""
        if self.current.state is StreamState.LIVE and time.monotonic() - self._stored_at < REFRESH_SECONDS:
            self.current = self.current.model_copy(update={"last_frame_at_ms": last_frame_at_ms})
            return
        is_news = self.current.state is not StreamState.LIVE
        self._update(state=StreamState.LIVE, reason=reason, last_frame_at_ms=last_frame_at_ms)
        if is_news:
            self._log()
        self.try_store()

    def held_up(self, reason: str | None) -> None:
        """Notes why the stream's frames wait, if for anything worth a word; that is in the log already."""
        if reason and reason != self.current.reason:
            self._update(reason=reason)
            self.try_store()

    def try_store(self) -> None:
        """Stores what is known now if Redis is there."""
        try:
            self._store()
        except StoreUnavailable as err:
            logger.debug("stream %s: status not stored: %s", self._stream_id, err)

    def _update(self, **changes: Any) -> None:  # noqa: ANN401
        self.current = self.current.model_copy(
            update={"next_attempt_at_ms": None, **changes, "updated_at_ms": now_ms()}
        )
        self._metrics.set_up(self._stream_id, up=self.current.state is StreamState.LIVE)

    def _store(self) -> None:
        self._stored_at = time.monotonic()
        account = self._account
        self.current = self.current.model_copy(update={"frames_dropped": account.num_lost, "mark": account.mark})
        if not self._set_status(self._stream_id, self.current):
            raise StreamUnknown(f"stream {self._stream_id!r} is gone")

    def _log(self, defect: Exception | None = None) -> None:
        """One line per change, not one per attempt."""
        seen = (self.current.state, self.current.reason)
        if seen != self._logged:
            level = logging.ERROR if defect else logging.WARNING if self.current.reason else logging.INFO
            said, about = ": ".join(word for word in seen if word), {"stream_id": self._stream_id}
            logger.log(level, "stream %s: %s", self._stream_id, said, exc_info=defect, extra=about)
        self._logged = seen
