"""Steps of live streams as CUDA graphs: what are hundreds of launches becomes one."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from services.inference.network.network import Network

NUM_REHEARSALS = 3
"""Runs before one is recorded, in which kernels and plans are chosen, as PyTorch's notes on graphs ask for."""

log = logging.getLogger(__name__)


class StepGraphs:
    """`Network.steps`, that of one frame in each of S streams recorded once for each bucket of streams.

    A bucket has a power of two; in what is left of it the network goes on by whatever lies there, and nobody looks.
    Several frames of a stream, and a bucket that there is no room to record, go through the network as it is. On a CPU
    nothing is recorded, and all else is the same.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network = network
        self._device = device
        self._buckets: dict[int, _Bucket | None] = {}
        self._pool: Any = torch.cuda.graph_pool_handle() if device.type == "cuda" else None

    def steps(self, features: Tensor, dt_seconds: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As the network's."""
        num_streams, num_frames = dt_seconds.shape
        bucket = self._bucket(size_for(num_streams)) if num_frames == 1 else None
        return (bucket or self._network).steps(features, dt_seconds, state)

    def _bucket(self, size: int) -> "_Bucket | None":
        if size not in self._buckets:
            self._buckets[size] = None
            try:
                self._buckets[size] = _Bucket(self._network, size, self._device, self._pool)
            except RuntimeError as err:  # out of memory, or what comes of that while a graph is recorded
                log.warning("no graph for %d streams: %s", size, err)
        return self._buckets[size]


class _Bucket:
    """One graph with what it reads and writes, always at the same places."""

    def __init__(self, network: Network, size: int, device: torch.device, pool: Any) -> None:  # noqa: ANN401
        self._network = network
        given = ((1, network.feature_size), (1,), (network.state_size,))
        self._given = [torch.zeros(size, *shape, device=device) for shape in given]
        made = ((1, network.num_labels), (network.state_size,))
        self._made = [torch.zeros(size, *shape, device=device) for shape in made]
        self._go_on = _recorded(self._work, device, pool)

    def steps(self, features: Tensor, dt_seconds: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As the network's, for no more streams than it has places."""
        num_streams = len(state)
        for place, values in zip(self._given, (features, dt_seconds, state), strict=True):
            place[:num_streams].copy_(values)
        self._go_on()
        logits, after = (place[:num_streams].clone() for place in self._made)
        return logits, after

    def _work(self) -> None:
        for place, values in zip(self._made, self._network.steps(*self._given), strict=True):
            place.copy_(values)


def size_for(num_streams: int) -> int:
    """Of the smallest bucket that holds them."""
    return 1 << (num_streams - 1).bit_length()


def _recorded(work: Callable[[], None], device: torch.device, pool: Any) -> Callable[[], None]:  # noqa: ANN401
    """The work as a graph; other threads may go on allocating meanwhile."""
    if device.type != "cuda":
        return work
    with torch.cuda.device(device):
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        graph = torch.cuda.CUDAGraph()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(NUM_REHEARSALS):
                work()
        torch.cuda.current_stream().wait_stream(beside)
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            work()
    return graph.replay
