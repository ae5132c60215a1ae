"""The models that this worker has loaded."""

import logging
import time
import weakref
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from services.inference.models.runner import Runner
from services.inference.models.trial import warm_up
from services.inference.network.weights import load_model
from shared.errors import ModelUnusable
from shared.manifest import FolderStamp, folder_stamp, read_manifest, verified_weights

RETRY_SECONDS = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One look at a model folder: the runner that came of it, or the reason why none did."""

    stamp: FolderStamp
    begun_at: float
    outcome: Future[Runner | str]

    def is_outdated(self, stamp: FolderStamp) -> bool:
        """Whether the folder should be looked at again: it has changed, or the last look failed a while ago."""
        if not self.outcome.done():
            return False
        failed = isinstance(self.outcome.result(), str)
        return stamp != self.stamp or (failed and time.monotonic() - self.begun_at >= RETRY_SECONDS)


class Catalog:
    """Gives out the model that a folder holds now, loading it beside the work that goes on. Used by one thread.

    A runner of an earlier version lives as long as somebody uses it; the newest of each name is held here.
    """

    def __init__(
        self,
        models_dir: Path,
        device: torch.device,
        warm_up_size: int,
        on_loaded: Callable[[str, float], None] = lambda _name, _seconds: None,
    ) -> None:
        self._models_dir = models_dir
        self._device = device
        self._warm_up_size = warm_up_size
        self._on_loaded = on_loaded
        self._attempts: dict[str, Attempt] = {}
        self._loaded: list[weakref.ref[Runner]] = []
        self._loader = ThreadPoolExecutor(1, "load")

    def find(self, name: str) -> Runner | None:
        """The runner of what the model's folder holds now, None while it is being loaded; never waits.

        Raises ModelUnusable with the reason; the folder is tried again when it has changed, or after a while.
        """
        stamp = folder_stamp(self._models_dir / name)
        attempt = self._attempts.get(name)
        if attempt is None or attempt.is_outdated(stamp):
            attempt = Attempt(stamp, time.monotonic(), self._loader.submit(self._load, name, attempt))
            self._attempts[name] = attempt
        return self._result(attempt) if attempt.outcome.done() else None

    def runner(self, name: str) -> Runner:
        """The same, waiting for it."""
        return self.find(name) or self._result(self._attempts[name])

    def keep_only(self, names: Collection[str]) -> None:
        """Lets go of models by other names."""
        self._attempts = {name: attempt for name, attempt in self._attempts.items() if name in names}

    def _result(self, attempt: Attempt) -> Runner:
        outcome = attempt.outcome.result()
        if isinstance(outcome, str):
            raise ModelUnusable(outcome)
        return outcome

    def _load(self, name: str, former: Attempt | None) -> Runner | str:
        """Runs in the loader's thread; `former` is the last attempt at that name, so that a reason is logged once."""
        try:
            return self._loaded_runner(name)
        except ModelUnusable as err:
            reason = str(err)
        except Exception as err:  # noqa: BLE001  a thread's top: one folder must not stop the streams of all others
            reason = f"{self._models_dir / name}: does not run here: {type(err).__name__}: {err}"
        if former is None or former.outcome.result() != reason:
            log.error("model %s is not usable: %s", name, reason, extra={"model": name})
        return reason

    def _loaded_runner(self, name: str) -> Runner:
        folder = self._models_dir / name
        manifest = read_manifest(folder)
        verified_weights(folder, manifest)  # a folder that is being written holds its former manifest for a moment
        alive = [runner for reference in self._loaded if (runner := reference())]
        for runner in alive:
            if runner.manifest == manifest:
                return runner
        began = time.monotonic()
        runner = Runner(load_model(folder, self._device), self._device)
        warm_up(runner, self._warm_up_size)
        self._loaded = [weakref.ref(each) for each in (*alive, runner)]
        took_seconds = time.monotonic() - began
        self._on_loaded(name, took_seconds)
        reference = runner.manifest.reference
        where, most = self._device, min(runner.most_frames, self._warm_up_size)
        log.info("model %s loaded on %s in %.1f s", reference, where, took_seconds, extra={"model": name})
        if runner.peak_bytes:
            log.info("%d MiB for batches of up to %d", runner.peak_bytes >> 20, most, extra={"model": name})
        return runner
