"""A GPU's metrics, with a driver that is told what to say: no GPU is to be had here."""

import pynvml
import pytest
import torch
from prometheus_client import CollectorRegistry, generate_latest
from promtool import promtool

from services.inference.metrics import watch_gpu

GPU = torch.device("cuda:1")
GIB = 1 << 30


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: {GPU: (6 * GIB, 8 * GIB)}[device])
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: {GPU: GIB}[device])
    monkeypatch.setattr(torch.cuda, "utilization", lambda device: {GPU: 75}[device])


def page(device: torch.device) -> CollectorRegistry:
    registry = CollectorRegistry()
    watch_gpu(registry, device)
    return registry


@pytest.mark.usefixtures("driver")
def test_memory_and_utilisation_of_the_worker_s_own_gpu() -> None:
    registry, labels = page(GPU), {"device": "cuda:1"}
    assert registry.get_sample_value("afterimage_gpu_memory_used_bytes", labels) == 2 * GIB
    assert registry.get_sample_value("afterimage_gpu_memory_total_bytes", labels) == 8 * GIB
    assert registry.get_sample_value("afterimage_gpu_memory_reserved_bytes", labels) == GIB
    assert registry.get_sample_value("afterimage_gpu_utilization_ratio", labels) == 0.75
    promtool("check", "metrics", text=generate_latest(registry).decode())


@pytest.mark.usefixtures("driver")
def test_a_slice_of_a_gpu_has_no_utilisation(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_device: torch.device) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.setattr(torch.cuda, "utilization", refuse)
    text = generate_latest(page(GPU)).decode()
    assert "afterimage_gpu_memory_used_bytes" in text
    assert "utilization" not in text


def test_a_cpu_has_no_such_metrics() -> None:
    assert generate_latest(page(torch.device("cpu"))) == b""
