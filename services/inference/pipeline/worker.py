"""A worker: three threads in a row with bounded queues between them, so reading, model and commit overlap."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

import redis

from services.inference.metrics import InferenceMetrics
from services.inference.models.catalog import Catalog
from services.inference.pipeline.compute import Checkpoints, Compute
from services.inference.pipeline.intake import Intake
from services.inference.pipeline.messages import Answer, ToCompute, ToRecord
from services.inference.pipeline.record import Recorder
from services.inference.settings import InferenceSettings
from shared.service.tenancy import Tenancy
from shared.store.commit import Committer, Retention
from shared.tracing.spans import Tracer
from shared.waiting import Stopped, until_stored

QUEUED_BATCHES = 1
SHORTEST_IDLE_SECONDS = 0.002
LONGEST_IDLE_SECONDS = 0.02
Result = TypeVar("Result")


class Worker:
    """Serves the partitions it holds with the models that streams ask for, until `stop` is set or a thread fails."""

    def __init__(  # noqa: PLR0913
        self,
        client: redis.Redis,
        tenancy: Tenancy,
        catalog: Catalog,
        decoders: Executor,
        settings: InferenceSettings,
        batch_size: int,
        metrics: InferenceMetrics,
        stop: threading.Event,
        tracer: Tracer | None = None,
    ) -> None:
        self._client = client
        self._tenancy = tenancy
        self._settings = settings
        self._metrics = metrics
        self._stop = stop
        self._intake = Intake(client, tenancy, catalog, decoders, metrics, settings, batch_size)
        often = Checkpoints(settings.checkpoint_frames, settings.checkpoint_seconds)
        self._compute = Compute(metrics, often, tracer)
        self._to_compute: queue.Queue[list[ToCompute] | None] = queue.Queue(QUEUED_BATCHES)
        self._to_record: queue.Queue[list[ToRecord] | None] = queue.Queue(QUEUED_BATCHES)
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._recorded = threading.Event()

    def run(self) -> None:
        """Works until stopped, under leases that it takes and gives back; what a thread raised is raised here."""
        with self._tenancy:
            self._work_until_stopped()
        if self._failure:
            raise self._failure

    def _work_until_stopped(self) -> None:
        settings = self._settings
        kept = Retention(settings.keep_frames_seconds, settings.keep_scores_seconds, settings.keep_events_seconds)
        committer, answer = Committer(self._client, kept), self._answers.put
        recorder = Recorder(committer, self._metrics, self._until_stored, self._tenancy.lost, answer)
        stages = [self._read, self._work, lambda: self._record(recorder)]
        threads = [
            threading.Thread(target=self._guarded, args=(stage,), name=name)
            for name, stage in zip(("intake", "compute", "record"), stages, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guarded(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except Stopped:
            self._recorded.set()
        except Exception as err:  # noqa: BLE001  a thread's top: the worker ends with it, and Redis holds the state
            self._failure = self._failure or err
            self._stop.set()
            self._recorded.set()

    def _read(self) -> None:
        idle_seconds = SHORTEST_IDLE_SECONDS
        while not self._stop.is_set():
            self._listen()
            with self._metrics.stage_seconds.labels("read").time():
                num_read = self._until_stored("read", self._intake.poll)
            self._pass_on()
            if num_read:
                idle_seconds = SHORTEST_IDLE_SECONDS
            else:
                self._stop.wait(idle_seconds)
                idle_seconds = min(2 * idle_seconds, LONGEST_IDLE_SECONDS)
        self._intake.close()
        self._pass_on()
        self._put(self._to_compute, None)

    def _listen(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._intake.hear(self._answers.get_nowait())

    def _pass_on(self) -> None:
        for messages in self._intake.due():
            self._put(self._to_compute, messages)

    def _work(self) -> None:
        while (messages := self._get(self._to_compute)) is not None:
            self._put(self._to_record, [done for message in messages for done in self._compute.take(message)])
            del messages  # else an idle thread holds on to the last batch's model
        self._put(self._to_record, None)

    def _record(self, recorder: Recorder) -> None:
        while messages := self._get(self._to_record):
            for message in messages:
                recorder.take(message)
                del message
            del messages
        self._recorded.set()

    def _until_stored(self, stage: str, action: Callable[[], Result]) -> Result:
        """The action's result once Redis lets it through; raises Stopped where the worker is stopped while waiting."""
        return until_stored(action, self._stop, self._metrics.loop_errors.labels(stage).inc)

    def _put(self, line: queue.Queue[Result | None], item: Result | None) -> None:
        """Waits for room; gives up when nothing will be taken any more."""
        while not self._recorded.is_set():
            try:
                return line.put(item, timeout=0.2)
            except queue.Full:
                continue
        return None

    def _get(self, line: queue.Queue[Result | None]) -> Result | None:
        while not self._recorded.is_set():
            with suppress(queue.Empty):
                return line.get(timeout=0.2)
        return None
