"""What a batch needs on the device beside its pictures, in one transfer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.inference.models.steps import Block


@dataclass(frozen=True, slots=True)
class StagedBlock:
    """A block of runs: frames [S, T] and rows [S], seconds [S, T], and which of the runs [R] find an empty memory."""

    frames: Tensor
    dt_seconds: Tensor
    rows: Tensor
    resets: Tensor


@dataclass(frozen=True, slots=True)
class Staged:
    """A batch's blocks, the rows [R] whose states are asked for, and what is told of its frames, [B, 17]."""

    blocks: list[StagedBlock]
    rows: Tensor
    told: Tensor | None


def staged(
    blocks: Sequence[Block], rows: Sequence[int], told: NDArray[np.float32] | None, device: torch.device
) -> Staged:
    """All of it on the device, on a GPU by one copy out of pinned memory, which nobody waits for."""
    indices = [np.array(rows, np.int32)]
    for block in blocks:
        emptied = set(block.resets)
        resets = [index for index, row in enumerate(block.rows) if row in emptied]
        indices += [np.array(each, np.int32) for each in (block.frames, block.rows, resets)]
    floats = [np.array(block.dt_seconds, np.float32) for block in blocks]
    if told is not None:
        floats.append(told)
    host = torch.empty(
        sum(each.size for each in (*indices, *floats)), dtype=torch.int32, pin_memory=device.type == "cuda"
    )
    np.concatenate([each.reshape(-1).view(np.int32) for each in (*indices, *floats)], out=host.numpy())
    num_indices = sum(each.size for each in indices)
    whole, parts = torch.split(host.to(device, non_blocking=True), [num_indices, len(host) - num_indices])
    asked, *places = _taken_apart(whole.long(), indices)  # what reads and writes by index takes no other kind
    spans = _taken_apart(parts.view(torch.float32), floats)
    triples = zip(places[::3], spans, places[1::3], places[2::3], strict=False)  # of what is told comes last, if at all
    return Staged([StagedBlock(*each) for each in triples], asked, None if told is None else spans[-1])


def _taken_apart(values: Tensor, shapes: Sequence[NDArray[np.int32] | NDArray[np.float32]]) -> list[Tensor]:
    """One tensor as several of these shapes."""
    pieces = torch.split(values, [each.size for each in shapes])
    return [piece.view(each.shape) for piece, each in zip(pieces, shapes, strict=True)]
