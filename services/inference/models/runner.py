"""Runs a model over batches: encode all frames at once, step the memory in time order. It only computes."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.inference.models.steps import Block
from services.inference.network.weights import LoadedModel
from shared.errors import SettingsInvalid
from shared.service.allocator import keep_freed_memory

FIRST_CAPACITY = 64
SWITCH_SECONDS = 50e-6
CPU_PART_PIXELS = 16 * 96 * 128


def choose_device(wanted: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `cuda:n`; raises SettingsInvalid with what there is."""
    available = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if wanted == "cpu" or (wanted == "auto" and not available):
        return torch.device("cpu")
    if wanted in ("auto", "cuda") and available:
        return torch.device("cuda:0")
    if wanted in available:
        return torch.device(wanted)
    raise SettingsInvalid(f"device {wanted!r}: this machine has {['cpu', *available]} (or auto)")


def share_process(num_torch_threads: int) -> None:
    """Makes torch a good neighbour of the threads that read, decode and commit in this process.

    Torch gets so many threads an operator, OpenCV none beside those that call it. Each of torch's operators gives up
    the interpreter and takes it back; with the usual 5 ms before another thread must yield it, the model loses a
    quarter of its speed to waiting.
    """
    keep_freed_memory()
    torch.set_num_threads(num_torch_threads)
    cv2.setNumThreads(0)
    sys.setswitchinterval(SWITCH_SECONDS)


@dataclass(frozen=True, slots=True)
class Computed:
    """A batch's results on the host: scores [B, labels] and the states of `rows` after it, [rows, state_size]."""

    scores: NDArray[np.float32]
    states: NDArray[np.float32]


class Runner:
    """One model on one device, and the state slab [capacity, state_size], a row for each stream it serves."""

    def __init__(self, model: LoadedModel, device: torch.device) -> None:
        self.manifest = model.manifest
        self._network = model.network
        self._device = device
        self._on_gpu = device.type == "cuda"
        if self._on_gpu:
            self._network = self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._slab = torch.zeros(FIRST_CAPACITY, self.manifest.state_size, device=device)
        self._free = list(reversed(range(FIRST_CAPACITY)))

    def acquire(self, vector: NDArray[np.float32] | None) -> int:
        """A slab row that holds the state, or zeros where there is none."""
        if not self._free:
            capacity = len(self._slab)
            self._slab = torch.cat((self._slab, torch.zeros_like(self._slab)))
            self._free = list(reversed(range(capacity, 2 * capacity)))
        row = self._free.pop()
        self._slab[row] = 0 if vector is None else torch.from_numpy(vector)
        return row

    def release(self, row: int) -> None:
        """Gives a row back."""
        self._free.append(row)

    @torch.inference_mode()
    def run(
        self,
        images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
        blocks: Sequence[Block],
        rows: Sequence[int],
        told: NDArray[np.float32] | None = None,
    ) -> Computed:
        """Scores the frames and moves the states on; images are B times [3, H, W] uint8 RGB.

        `told` [B, 17] is what `shared.entries.told` gives for each. Frames that no block covers get a score of 0.5.
        """
        features = torch.empty(len(images), self._network.feature_size, device=self._device)
        for part in self._parts(len(images)):
            features[part] = self._encode(np.stack(list(images[part])), None if told is None else told[part])
        logits = self._step(features, blocks)
        scores = torch.sigmoid(logits)
        states = self._slab[self._index(rows)]
        return Computed(scores.cpu().numpy(), states.cpu().numpy())

    def state(self, row: int) -> NDArray[np.float32]:
        """What a row holds, [state_size]."""
        held: NDArray[np.float32] = self._slab[row].cpu().numpy().copy()
        return held

    def warm_up(self, batch_size: int) -> None:
        """Runs one empty batch, so that the first real one finds its kernels chosen and its memory taken."""
        shape = (batch_size, 3, self.manifest.input.height, self.manifest.input.width)
        row = self.acquire(None)
        frames = list(range(batch_size))
        self.run(np.zeros(shape, np.uint8), [Block([frames], [[0.1] * batch_size], [row], [])], [row])
        self.release(row)

    def _parts(self, num_images: int) -> Iterator[slice]:
        """On a CPU the batch is encoded in parts whose activations fit its cache (2.6x faster at 64)."""
        shape = self.manifest.input
        size = num_images if self._on_gpu else max(1, CPU_PART_PIXELS // (shape.height * shape.width))
        yield from (slice(start, start + size) for start in range(0, num_images, max(1, size)))

    def _encode(self, images: NDArray[np.uint8], told: NDArray[np.float32] | None) -> Tensor:
        host = torch.from_numpy(images)
        pixels = (host.pin_memory() if self._on_gpu else host).to(self._device, non_blocking=True)
        facts = None if told is None else torch.from_numpy(told).to(self._device)
        with self._autocast():
            features: Tensor = self._network.encode(pixels, facts)
        return features.float()

    def _step(self, features: Tensor, blocks: Sequence[Block]) -> Tensor:
        logits = torch.zeros(len(features), self._network.num_labels, device=self._device)
        for block in blocks:
            if block.resets:
                self._slab[self._index(block.resets)] = 0
            frames, rows = self._index(block.frames), self._index(block.rows)
            dt_seconds = torch.tensor(block.dt_seconds, dtype=torch.float32, device=self._device)
            with self._autocast():
                block_logits, states = self._network.steps(features[frames], dt_seconds, self._slab[rows])
            logits[frames] = block_logits.float()
            self._slab[rows] = states.float()
        return logits

    def _index(self, values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=self._device)

    def _autocast(self) -> AbstractContextManager[object]:
        if not self._on_gpu:
            return nullcontext()
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.autocast("cuda", dtype=dtype)
