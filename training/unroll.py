"""Runs a network over whole stretches of streams, as the worker does frame by frame."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.inference.models.images import planes_of
from services.inference.network.network import Network
from training.sequences import SensedClip, Sequence8Bit

FRAMES_AT_ONCE = 64
ENCODED_AT_ONCE = 32
"""Frames whose activations fit a CPU's cache."""


def unroll(
    network: Network, features: Tensor, dt_seconds: Tensor, state: Tensor, *, with_memory: bool = True
) -> tuple[Tensor, Tensor]:
    """Goes on by T frames in each of B streams.

    Args: features [B, T, feature_size]; dt_seconds [B, T]; state [B, state_size]. Without memory the state is reset
    before every frame.
    Returns: logits [B, T, L] and the last state.
    """
    if not with_memory:
        fresh = torch.zeros(dt_seconds.numel(), network.state_size, device=features.device)
        logits, _ = network.step(features.flatten(0, 1), dt_seconds.flatten(), fresh)
        return logits.view(*dt_seconds.shape, -1), state
    return network.steps(features, dt_seconds, state)


def encoded(network: Network, seen: NDArray[Any], device: torch.device, told: NDArray[Any] | None = None) -> Tensor:
    """Features [B, T, F] of pictures [B, T, H, W, 3] uint8 and what is told of them [B, T, 17], or of encoded ones."""
    if seen.dtype != np.uint8:
        return torch.from_numpy(np.ascontiguousarray(seen)).to(device)
    pictures = seen.reshape(-1, *seen.shape[2:])
    starts = range(0, len(pictures), ENCODED_AT_ONCE)
    images = [pictures[start : start + ENCODED_AT_ONCE] for start in starts]
    facts: Sequence[Tensor | None] = [None] * len(images)
    if told is not None:
        facts = torch.split(torch.from_numpy(told).to(device).flatten(0, 1), ENCODED_AT_ONCE)
    inputs = (torch.from_numpy(planes_of(each)).to(device) for each in images)
    features = torch.cat([network.encode(*each) for each in zip(inputs, facts, strict=True)])
    return features.view(*seen.shape[:2], -1)


def elapsed(times_seconds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Seconds since the frame before, along the last axis; 0 for the first."""
    return np.diff(times_seconds, axis=-1, prepend=times_seconds[..., :1])


@torch.no_grad()
def scores_of(
    network: Network, sequences: Sequence[Sequence8Bit | SensedClip], *, with_memory: bool = True
) -> list[NDArray[np.float32]]:
    """The scores [T, L] of each sequence, streamed from a fresh state."""
    network.eval()
    device = next(network.parameters()).device
    scores: list[NDArray[np.float32]] = []
    for sequence in sequences:
        state = torch.zeros(1, network.state_size, device=device)
        parts = []
        dt = torch.from_numpy(elapsed(sequence.times_seconds)).to(device)
        seen: NDArray[Any] = sequence.seen
        told = sequence.told if isinstance(sequence, Sequence8Bit) else None
        for start in range(0, len(seen), FRAMES_AT_ONCE):
            part = slice(start, start + FRAMES_AT_ONCE)
            facts = None if told is None else told[None, part]
            features = encoded(network, seen[None, part], device, facts)
            logits, state = unroll(network, features, dt[None, part], state, with_memory=with_memory)
            parts.append(logits[0].sigmoid().cpu().numpy())
        scores.append(np.concatenate(parts))
    return scores
