"""The models that this worker has loaded, by name."""

import logging
import time
from pathlib import Path

import torch

from services.inference.runner import Runner
from services.inference.weights import load_model
from shared.errors import ModelUnusable

RETRY_SECONDS = 10.0

log = logging.getLogger(__name__)


class Catalog:
    """Loads a model when a stream first asks for it; what cannot be loaded is tried again after a while."""

    def __init__(self, models_dir: Path, device: torch.device, warm_up_size: int) -> None:
        self._models_dir = models_dir
        self._device = device
        self._warm_up_size = warm_up_size
        self._runners: dict[str, Runner] = {}
        self._refusals: dict[str, tuple[float, ModelUnusable]] = {}

    def runner(self, name: str) -> Runner:
        """The model's runner; raises ModelUnusable with the reason."""
        if runner := self._runners.get(name):
            return runner
        retry_at, refusal = self._refusals.get(name, (0.0, None))
        if refusal and time.monotonic() < retry_at:
            raise refusal
        try:
            runner = Runner(load_model(self._models_dir / name, self._device), self._device)
        except ModelUnusable as err:
            self._refusals[name] = (time.monotonic() + RETRY_SECONDS, err)
            log.error("model %s is not usable: %s", name, err)
            raise
        runner.warm_up(self._warm_up_size)
        self._runners[name] = runner
        self._refusals.pop(name, None)
        log.info("model %s loaded on %s", runner.manifest.reference, self._device)
        return runner
