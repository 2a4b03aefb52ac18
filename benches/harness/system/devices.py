"""Devices: where a batch goes, when its work has ended, and how long the device stood idle."""

import importlib.util
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from loaderbench.benches.harness.system.child import in_child

SAMPLE_PERIOD_S = 0.2  # of the driver, which states for each of its samples when it ended


def available() -> tuple[str, ...]:
    """Return the device types of this machine, the CPU first: ``("cpu",)`` or ``("cpu", "cuda")``."""
    accelerator = accelerator_facts()
    return ("cpu",) if accelerator is None else ("cpu", accelerator["type"])


@cache
def accelerator_facts() -> dict[str, Any] | None:
    """Return what is known of this machine's accelerator; None where there is none.

    A child process is asked, once: CUDA, where it was initialised, cannot be used in a process forked afterwards, and
    whether there is a device cannot be known without initialising it. Where it is initialised, this process is asked.
    """
    if torch.cuda.is_initialized():
        return _accelerator_facts()
    return in_child(_accelerator_facts)


def _accelerator_facts() -> dict[str, Any] | None:
    device = torch.accelerator.current_accelerator(check_available=True)
    if device is None:
        return None
    module = torch.get_device_module(device)
    properties = module.get_device_properties(0)
    return {
        "type": device.type,
        "name": getattr(properties, "name", device.type),
        "memory_bytes": getattr(properties, "total_memory", None),
        "cuda": torch.version.cuda,
        "driver": _driver(),
    }


def _driver() -> str | None:
    version = Path("/proc/driver/nvidia/version")
    return version.read_text().splitlines()[0] if version.exists() else None


def synchronise(device: torch.device) -> None:
    """Return when all work queued on `device` has ended; the CPU queues none."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def place(batch: Any, device: torch.device, *, non_blocking: bool = False) -> Any:
    """Return `batch` with every tensor on `device`: mappings, sequences, named tuples and ``.to`` are followed."""
    if hasattr(batch, "to"):
        return batch.to(device, non_blocking=non_blocking)
    if isinstance(batch, Mapping):
        return {key: place(value, device, non_blocking=non_blocking) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(place(value, device, non_blocking=non_blocking) for value in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(place(value, device, non_blocking=non_blocking) for value in batch)
    return batch


class DeviceUse:
    """What a device did in a round: the peak of its memory, and the share of the time in which it was busy.

    Memory is what torch's allocator gave to tensors. Whether a kernel ran is sampled by the driver (NVML) on its own:
    a second opinion on the waits that events show. It takes ``pip install nvidia-ml-py``.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        torch.accelerator.reset_peak_memory_stats(device)
        self._begun_s = time.time()

    def metrics(self) -> dict[str, float]:
        """Return the peak in bytes, and the busy share where the round was long enough for a sample."""
        metrics = {"device_peak_bytes": float(torch.accelerator.max_memory_allocated(self._device))}
        busy = _busy_samples(self._device, self._begun_s)
        return {**metrics, "device_busy": sum(busy) / len(busy)} if busy else metrics


def _busy_samples(device: torch.device, begun_s: float) -> list[float]:
    """Return the busy shares of the driver's sample periods that lie after `begun_s`, a time since 1970."""
    if device.type != "cuda" or importlib.util.find_spec("pynvml") is None:
        return []
    nvml = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        _, samples = nvml.nvmlDeviceGetSamples(handle, nvml.NVML_GPU_UTILIZATION_SAMPLES, 0)
    except nvml.NVMLError:  # a driver, or a device, that takes no such samples
        return []
    return [sample.sampleValue.uiVal / 100 for sample in samples if sample.timeStamp / 1e6 >= begun_s + SAMPLE_PERIOD_S]


class Timeline:
    """When the device worked, by events in its own queue: no synchronisation, so no overlap is lost.

    The host clock cannot tell waiting from queueing: a host that is blocked because the device is busy looks as
    if it waited for data, and a host that runs ahead hides a real wait. The gap between the end of one step and
    the start of the next *on the device* is the wait, whatever the host saw.
    """

    def __init__(self, device: torch.device, event: Callable[..., Any] = torch.Event) -> None:
        self._event = event
        self._device = device
        self._edges: list[Any] = []

    def mark(self) -> None:
        """Put an event into the device's queue: call it at the start of a pass, and around every step."""
        event = self._event(device=self._device, enable_timing=True)
        event.record()
        self._edges.append(event)

    def waits_s(self) -> list[float]:
        """Return the idle seconds before each step, after `synchronise`. Edges: begin, (start, end) of each step."""
        edges = self._edges
        return [edges[i].elapsed_time(edges[i + 1]) / 1e3 for i in range(0, len(edges) - 1, 2)]
