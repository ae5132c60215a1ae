"""What Prometheus sees of the GPU that a worker computes on."""

from collections.abc import Iterable
from contextlib import suppress

import pynvml
import torch
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


def watch_gpu(registry: CollectorRegistry, device: torch.device) -> None:
    """Adds the GPU's metrics where the device is one; a CPU has none."""
    if device.type == "cuda":
        registry.register(GpuCollector(device))


class GpuCollector(Collector):
    """Asks the driver at each scrape. Utilisation is left out where it does not know: for a slice of a GPU (MIG)."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Memory and, where it can be had, utilisation."""
        free_bytes, total_bytes = torch.cuda.mem_get_info(self._device)
        yield self._gauge("afterimage_gpu_memory_used_bytes", "Taken, by whichever process", total_bytes - free_bytes)
        yield self._gauge("afterimage_gpu_memory_total_bytes", "Memory of the GPU", total_bytes)
        own_bytes = torch.cuda.memory_reserved(self._device)
        yield self._gauge("afterimage_gpu_memory_reserved_bytes", "Taken by this worker's tensors", own_bytes)
        with suppress(pynvml.NVMLError):
            busy = torch.cuda.utilization(self._device) / 100
            yield self._gauge("afterimage_gpu_utilization_ratio", "Share of the last moments that it computed", busy)

    def _gauge(self, name: str, meaning: str, value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, meaning, labels=["device"])
        family.add_metric([str(self._device)], value)
        return family
