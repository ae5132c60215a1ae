"""Runs a model over batches: encode all frames at once, step the memory in time order. It only computes."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.inference.models.graphs import StepGraphs
from services.inference.models.staging import StagedBlock, staged
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
    quarter of its speed to waiting. On a GPU, what is float32 is reckoned as such: TF32 keeps 10 bits of a number, and
    labels like *frozen* compare pictures to the last of their 8.
    """
    keep_freed_memory()
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    torch.set_num_threads(num_torch_threads)
    cv2.setNumThreads(0)
    sys.setswitchinterval(SWITCH_SECONDS)


@dataclass(frozen=True, slots=True)
class Laps:
    """When a batch's parts began and ended, in nanoseconds since 1970."""

    began_ns: int
    encoded_ns: int
    stepped_ns: int


class Stopwatch:
    """Times a batch's parts: a CPU's by the clock, a GPU's by marks in its own queue, so that nobody waits for it."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.current_stream(device) if device.type == "cuda" else None
        self._began_ns = self._encoded_ns = time.time_ns()
        self._marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if self._stream else []  # type: ignore[no-untyped-call]
        self._mark(0)

    def _mark(self, number: int) -> None:
        if self._stream:
            self._marks[number].record(self._stream)

    def encoded(self) -> None:
        """The first part is done, or will be when the device comes here."""
        self._encoded_ns = time.time_ns()
        self._mark(1)

    def laps(self) -> Laps:
        """The second part is done, and the device has been waited for."""
        if self._marks:
            self._encoded_ns = self._began_ns + round(1e6 * self._marks[0].elapsed_time(self._marks[1]))
        return Laps(self._began_ns, self._encoded_ns, time.time_ns())


@dataclass(frozen=True, slots=True)
class Computed:
    """A batch's results on the host: scores [B, labels] and the states of `rows` after it, [rows, state_size].

    With `laps` where it was to be timed.
    """

    scores: NDArray[np.float32]
    states: NDArray[np.float32]
    laps: Laps | None = None


class Runner:
    """One model on one device, and the state slab [capacity, state_size], a row for each stream it serves."""

    def __init__(self, model: LoadedModel, device: torch.device) -> None:
        self.manifest = model.manifest
        self._network = model.network
        self._device = device
        self._on_gpu = device.type == "cuda"
        if self._on_gpu:
            self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._network.reckon_looks_in(look_precision(device))
        self.most_frames = sys.maxsize
        """So large a batch may be, as far as is known: a larger one had no room in the device's memory."""
        self._stepper = StepGraphs(self._network, device) if self._on_gpu else self._network
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
        *,
        is_timed: bool = False,
    ) -> Computed:
        """Scores the frames and moves the states on; images are B times [3, H, W] uint8 RGB.

        `told` [B, 17] is what `shared.entries.told` gives for each. Frames that no block covers get a score of 0.5.
        Where it raises, no state has moved.
        """
        watch = Stopwatch(self._device) if is_timed else None
        batch = staged(blocks, rows, told, self._device)
        features = torch.empty(len(images), self._network.feature_size, device=self._device)
        for part in self._parts(len(images)):
            features[part] = self._encode(images[part], None if batch.told is None else batch.told[part])
        if watch:
            watch.encoded()
        logits, moved = self._step(features, batch.blocks)
        num_scores, num_states = logits.numel(), len(rows) * self.manifest.state_size
        results = torch.empty(num_scores + num_states, device=self._device)
        host = torch.empty(len(results), pin_memory=True) if self._on_gpu else results
        scores, states = torch.split(results, [num_scores, num_states])
        scores, states = scores.view(logits.shape), states.view(len(rows), self.manifest.state_size)
        torch.sigmoid(logits, out=scores)
        for block, after in zip(batch.blocks, moved, strict=True):  # all is there by now: nothing need be allocated
            self._slab.index_copy_(0, block.rows, after)
        torch.index_select(self._slab, 0, batch.rows, out=states)
        if self._on_gpu:
            host.copy_(results, non_blocking=True)
            torch.cuda.current_stream(self._device).synchronize()
        whole = host.numpy()
        found = whole[:num_scores].reshape(scores.shape), whole[num_scores:].reshape(states.shape)
        return Computed(*found, watch.laps() if watch else None)

    def buckets_for(self, num_streams: int) -> list[int]:
        """The numbers of streams to try out, where as many may have a frame in one batch."""
        return [1 << power for power in range(num_streams.bit_length())] if self._on_gpu else [num_streams]

    @property
    def peak_bytes(self) -> int:
        """The most that tensors of this process ever took of the device's own memory; 0 for a CPU's."""
        return torch.cuda.max_memory_allocated(self._device) if self._on_gpu else 0

    def state(self, row: int) -> NDArray[np.float32]:
        """What a row holds, [state_size]."""
        held: NDArray[np.float32] = self._slab[row].cpu().numpy().copy()
        return held

    def _parts(self, num_images: int) -> Iterator[slice]:
        """On a CPU the batch is encoded in parts whose activations fit its cache (2.6x faster at 64)."""
        shape = self.manifest.input
        size = num_images if self._on_gpu else max(1, CPU_PART_PIXELS // (shape.height * shape.width))
        yield from (slice(start, start + size) for start in range(0, num_images, max(1, size)))

    def _encode(self, images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], told: Tensor | None) -> Tensor:
        host = torch.empty((len(images), *images[0].shape), dtype=torch.uint8, pin_memory=self._on_gpu)
        np.stack(list(images), out=host.numpy())
        features: Tensor = self._network.encode(host.to(self._device, non_blocking=True), told)
        return features

    def _step(self, features: Tensor, blocks: Sequence[StagedBlock]) -> tuple[Tensor, list[Tensor]]:
        """Logits [B, labels], and of each block the states after it.

        Whoever has a run in a second block begins it with an empty memory: so none waits for what another leaves.
        """
        logits = torch.zeros(len(features), self._network.num_labels, device=self._device)
        moved = []
        for block in blocks:
            states = self._slab.index_select(0, block.rows)
            if len(block.resets):
                states.index_fill_(0, block.resets, 0)
            logits[block.frames], after = self._stepper.steps(features[block.frames], block.dt_seconds, states)
            moved.append(after)
        return logits, moved


def look_precision(device: torch.device) -> torch.dtype:
    """What a look reckons in there; asked of that very device, as a machine may have older ones beside it."""
    if device.type != "cuda":
        return torch.float32
    with torch.cuda.device(device):
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bfloat16 else torch.float16
