"""Truncated back-propagation through time over streams, exactly as they will run."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from services.inference.network.network import Network
from training.sequences import Labelled
from training.unroll import elapsed, encoded, unroll


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """How a network learns."""

    chunk_frames: int = 30
    """Frames that gradients reach back over; the state reaches further."""
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-3
    max_gradient_norm: float = 1.0
    positive_weight: float | tuple[float, ...] = 3.0
    """How much more a frame counts on which a label holds: most hold on few. One for all labels, or one each."""
    competing: float = 0.0
    """Weight of a second loss: cross-entropy among the labels where just one holds. For labels that never overlap."""
    smoothing: float = 0.0
    """How far targets are moved towards the middle: a label that holds counts as 1 - smoothing / 2."""
    averaging: float = 0.998
    """Share of the averaged weights that each update keeps; it is they that are measured and shipped."""
    warmup_updates: int = 100


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Sequences of one length, side by side."""

    seen: NDArray[Any]
    """Pictures [B, T, H, W, 3] uint8, or features [B, T, F] that no weight made."""
    dt_seconds: NDArray[np.float32]
    """[B, T]."""
    targets: NDArray[np.float32]
    """[B, T, L]."""
    weights: NDArray[np.float32]
    """[B, T, L]."""


def padded(rows: Sequence[Labelled], length: int) -> TrainingBatch:
    """Sequences side by side; those shorter than `length` repeat their last frame with no weight."""
    frames = [np.minimum(np.arange(length), len(each.seen) - 1) for each in rows]
    pairs = list(zip(rows, frames, strict=True))
    return TrainingBatch(
        np.stack([each.seen[index] for each, index in pairs]),
        np.stack([elapsed(each.times_seconds[index]) for each, index in pairs]),
        np.stack([each.targets[index] for each, index in pairs]),
        np.stack([each.weights[index] * (np.arange(length) < len(each.seen))[:, None] for each, index in pairs]),
    )


class Learner:
    """A network with its optimiser and schedule (AdamW; warm-up, then cosine).

    `averaged` is the same network with an exponential average of the weights (Polyak and Juditsky, 1992), which
    scores better and steadier than the weights of any one update.
    """

    def __init__(self, network: Network, config: LoopConfig, num_updates: int) -> None:
        self.network, self.config = network, config
        self.averaged = copy.deepcopy(network).requires_grad_(requires_grad=False)
        self.num_updates = 0
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        warmup = min(config.warmup_updates, max(1, num_updates // 10))

        def rate(update: int) -> float:
            done = min(1.0, max(0.0, (update - warmup) / max(1, num_updates - warmup)))
            return (update + 1) / warmup if update < warmup else 0.5 * (1 + float(np.cos(np.pi * done))) + 1e-3

        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, rate)

    def learn(self, batch: TrainingBatch) -> Iterator[float]:
        """Learns from a batch chunk by chunk, the state carried on, its gradient cut; yields each chunk's loss."""
        self.network.train()
        device = next(self.network.parameters()).device
        state = torch.zeros(len(batch.seen), self.network.state_size, device=device)
        for start in range(0, batch.seen.shape[1], self.config.chunk_frames):
            part = slice(start, start + self.config.chunk_frames)
            dt, targets, weights = (
                torch.from_numpy(np.ascontiguousarray(values[:, part])).to(device)
                for values in (batch.dt_seconds, batch.targets, batch.weights)
            )
            with mixed_precision(device):
                features = encoded(self.network, batch.seen[:, part], device)
                logits, state = unroll(self.network, features, dt, state)
            state = state.detach()
            yield self._update(self._loss(logits, targets, weights))

    def _loss(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        positive = torch.tensor(self.config.positive_weight, device=logits.device).expand(logits.shape[-1])
        smooth = targets + self.config.smoothing * (0.5 - targets)
        losses = functional.binary_cross_entropy_with_logits(logits, smooth, pos_weight=positive, reduction="none")
        loss = (losses * weights).sum() / weights.sum().clamp(min=1)
        if self.config.competing:
            loss = loss + self.config.competing * _confusion(logits, targets, weights, self.config.smoothing)
        return loss

    def _update(self, loss: Tensor) -> float:
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.max_gradient_norm)
        self.optimiser.step()
        self.schedule.step()
        self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        """Moves the averaged weights on; early on they follow quickly, so that the first ones are soon forgotten."""
        self.num_updates += 1
        keep = min(self.config.averaging, self.num_updates / (10 + self.num_updates))
        for average, weight in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            average.lerp_(weight, 1 - keep)
        for kept, value in zip(self.averaged.buffers(), self.network.buffers(), strict=True):
            kept.copy_(value)


def _confusion(logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy among the labels, over the frames on which all are known and one holds, or shares of one."""
    alone = ((targets.sum(-1) - 1).abs() < 1e-4) & (weights.min(-1).values > 0)
    losses = functional.cross_entropy(logits[alone], targets[alone], reduction="sum", label_smoothing=smoothing)
    return losses / alone.sum().clamp(min=1)


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """On a GPU what can be is computed in bfloat16, which needs no scaling of the loss."""
    return torch.autocast("cuda", dtype=torch.bfloat16) if device.type == "cuda" else nullcontext()
