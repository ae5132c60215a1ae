"""The recorder: `python -m services.api.media`, set by `AFTERIMAGE_*` variables."""

import logging
import threading
import time
from typing import Final

from services.api.followers.cursors import Cursors
from services.api.followers.follower import POLL_SECONDS, Follower, FollowerMetrics
from services.api.media.cutting.bench import CuttingBench
from services.api.media.cutting.under_way import Around
from services.api.media.media_recorder import MediaRecorder
from services.api.media.metrics import MediaMetrics
from services.api.media.places.opening import RECORDER_SECONDS, place_of
from services.api.media.retention import Limits
from services.api.media.shelf import Shelf
from services.api.settings import RecorderSettings
from shared.service.lifecycle import run_service, stop_on_signals
from shared.service.logs import configure_logging
from shared.service.metrics_server import serve_metrics
from shared.service.settings import read_settings
from shared.service.tenancy import tenancy_of
from shared.store.client import connect
from shared.store.layout.known import partition_for_logs
from shared.store.leases import worker_id
from shared.waiting import Stopped, until_stored

SWEEP_SECONDS: Final = 1.0

log = logging.getLogger("recorder")


def main() -> int:
    """Records the events of all streams until it is told to stop."""
    settings = read_settings(RecorderSettings)
    worker_name = worker_id()
    client = connect(settings.redis_url.get_secret_value(), name="recorder", partitions=settings.partitions)
    configure_logging("recorder", settings.log_level, settings.log_format, worker_name, partition_for_logs(client))
    stop = stop_on_signals()
    metrics = MediaMetrics()
    tenancy = tenancy_of(settings, "recorder", worker_name, metrics.leases)
    serve_metrics(metrics.registry, settings, lambda: tenancy.is_heard)
    shelf, bench = Shelf(place_of(settings.events_dir, RECORDER_SECONDS)), CuttingBench()
    around = Around(settings.pre_seconds, settings.post_seconds)
    limits = Limits(settings.keep_media_seconds, settings.keep_media_mb * 1_000_000)
    recorder = MediaRecorder(client, shelf, bench, around, limits, metrics, tenancy.lost)
    follower = Follower(Cursors(client, "recorder"), tenancy, recorder, FollowerMetrics(metrics.registry), stop)
    log.info("events' pictures and clips lie in %s", settings.events_dir)
    with bench, tenancy:
        _record(follower, recorder, stop)
    return 0


def _record(follower: Follower, recorder: MediaRecorder, stop: threading.Event) -> None:
    """Hears, cuts and keeps until stopped; what was not written by then, the next recorder does again."""
    sweep_at = 0.0

    def turn() -> int:
        nonlocal sweep_at
        num_done = follower.poll() + recorder.work()
        if time.monotonic() >= sweep_at:
            recorder.sweep()
            sweep_at = time.monotonic() + SWEEP_SECONDS
        recorder.settle()
        return num_done

    while not stop.is_set():
        try:
            num_done = until_stored(turn, stop)
        except Stopped:
            return
        except Exception:  # a loop's top: one event that cannot be cut must not keep all others from it
            log.exception("recorder")
            num_done = 0
        stop.wait(0 if num_done else POLL_SECONDS)


if __name__ == "__main__":
    run_service(main)
