"""For how long a device is idle while a batch is waited for: on a device that never was, with a clock of its own."""

import math
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from loaderbench.benches.watch.observing.device_waits import DeviceWaits, device_in_use
from loaderbench.benches.watch.observing.hooks import watched
from loaderbench.benches.watch.observing.recorder import WatchRecorder
from loaderbench.benches.watch.results import watched_record
from loaderbench.reports.watch.loops import loop_times


@dataclass
class Device:
    """The host's time, and the time at which what has been queued is done."""

    now: float = 0.0
    done_at: float = 0.0
    number: int | None = 0
    events: int = 0
    faults: list[str] = field(default_factory=list)

    def event(self) -> "Event":
        self.events += 1
        return Event(self)

    def works(self, seconds: float) -> None:
        self.done_at = max(self.now, self.done_at) + seconds


class Event:
    """As torch.cuda.Event: recorded, and reached when the work before it is done."""

    def __init__(self, device: Device) -> None:
        self.device, self.reached = device, math.inf

    def record(self) -> None:
        if self.device.faults:
            raise RuntimeError(self.device.faults[0])
        self.reached = max(self.device.now, self.device.done_at)

    def query(self) -> bool:
        return self.reached <= self.device.now

    def elapsed_time(self, later: "Event") -> float:
        return 1e3 * (later.reached - self.reached)


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def waits(device: Device) -> DeviceWaits:
    return DeviceWaits(device=lambda: device.number, make_event=device.event)


def wait(waits: DeviceWaits, device: Device, idle: "array[float]", step: int, seconds: float) -> None:
    begun = waits.begin()
    device.now += seconds
    if begun is not None:
        waits.end(begun, idle, step)


@pytest.mark.parametrize(("queued_s", "idle_s"), [(0.0, 0.3), (0.1, 0.2), (5.0, 0.0)])
def test_a_device_is_idle_from_the_end_of_its_work_until_the_batch_is_there(
    device: Device, waits: DeviceWaits, queued_s: float, idle_s: float
) -> None:
    idle = array("d")
    device.works(queued_s)
    wait(waits, device, idle, 0, 0.3)
    device.now += 10
    waits.settle()
    assert idle[0] == pytest.approx(idle_s)


def test_what_the_device_has_not_reached_is_not_waited_for(device: Device, waits: DeviceWaits) -> None:
    idle = array("d")
    device.works(5.0)
    wait(waits, device, idle, 2, 0.1)
    waits.settle()
    assert [math.isnan(seconds) for seconds in idle] == [True] * 3


def test_events_are_used_again(device: Device, waits: DeviceWaits) -> None:
    idle = array("d")
    for step in range(20):
        wait(waits, device, idle, step, 0.1)
        waits.settle()
    assert device.events == 2
    assert list(idle) == pytest.approx([0.1] * 20)


def test_of_a_step_on_another_device_nothing_is_known(device: Device, waits: DeviceWaits) -> None:
    idle = array("d")
    begun = waits.begin()
    assert begun is not None
    device.number = 1
    waits.end(begun, idle, 0)
    waits.settle()
    assert math.isnan(idle[0])


def test_a_device_that_refuses_an_event_is_asked_no_more(device: Device, waits: DeviceWaits) -> None:
    device.faults.append("operation not permitted when stream is capturing")
    assert waits.begin() is None
    device.faults.clear()
    assert waits.begin() is None


def test_without_a_device_nothing_is_recorded() -> None:
    assert device_in_use() is None or torch.cuda.is_initialized()
    assert DeviceWaits(device=lambda: None).begin() is None


def test_the_share_of_a_loop_on_a_device_is_what_the_device_was_idle_for(
    tmp_path: Path, device: Device, waits: DeviceWaits
) -> None:
    device.works(1000.0)  # it is busy all the while
    recorder = WatchRecorder(folder=tmp_path, device_waits=waits)
    with watched(recorder):
        list(DataLoader(TensorDataset(torch.arange(12)), batch_size=4))
    device.now = 1e6
    (loader,) = watched_record(recorder, seconds=1.0, facts={"started": "", "script": "a test"}).loaders
    times = loop_times(loader)
    assert loader.epochs[0].idle_s == (0.0, 0.0, 0.0)
    assert times.device_idle_s is not None
    assert list(times.lost[1:]) == [0.0, 0.0]
