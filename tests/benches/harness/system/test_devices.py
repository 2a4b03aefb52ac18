"""Devices: where a batch goes, and how long a device stood idle between steps."""

import os
from collections import OrderedDict, namedtuple
from typing import Any

import pytest
import torch

from loaderbench.benches.harness.system import devices
from loaderbench.benches.harness.system.devices import Timeline, available, place, synchronise

META = torch.device("meta")  # a tensor that was placed there holds nothing: no accelerator is needed to see it move
Pair = namedtuple("Pair", ["inputs", "target"])  # noqa: PYI024  collate functions return untyped ones too


def one() -> torch.Tensor:
    return torch.zeros(1)


def moved(batch: Any) -> list[str]:
    """Device types of all tensors in `batch`, however deep."""
    if isinstance(batch, torch.Tensor):
        return [batch.device.type]
    parts = batch.values() if isinstance(batch, dict) else batch
    return [device for part in parts if isinstance(part, (torch.Tensor, dict, list, tuple)) for device in moved(part)]


NESTED = {
    "a tensor": one,
    "a mapping": lambda: {"Text": one(), "Class": one()},
    "an ordered mapping": lambda: OrderedDict(Text=one()),
    "a list": lambda: [one(), one()],
    "a tuple": lambda: (one(), one()),
    "a named tuple": lambda: Pair(one(), one()),
    "mappings in lists in tuples": lambda: ([{"Text": [one(), {"Class": one()}]}], one()),
}


@pytest.mark.parametrize("name", NESTED)
def test_every_tensor_of_a_batch_is_placed(name: str) -> None:
    assert set(moved(place(NESTED[name](), META))) == {"meta"}


def test_a_batch_keeps_its_shape() -> None:
    placed = place(Pair([one()], {"Class": one(), "Source": "topics"}), META)
    assert type(placed) is Pair
    assert type(placed.inputs) is list
    assert placed.target["Source"] == "topics"


def test_what_knows_how_to_move_moves_itself() -> None:
    packed = torch.nn.utils.rnn.pack_sequence([torch.ones(3), torch.ones(2)])
    assert place(packed, torch.device("cpu")).data.tolist() == [1.0] * 5


def test_what_is_no_tensor_stays() -> None:
    assert place(["topics", 3, None], META) == ["topics", 3, None]


def test_there_is_always_a_cpu() -> None:
    assert available()[0] == "cpu"


def test_a_cpu_has_nothing_to_wait_for() -> None:
    synchronise(torch.device("cpu"))


class Event:
    """Stands for a device's event: the times, in ms, at which the queue comes to it are given beforehand."""

    times_ms: list[float]

    def __init__(self, *, device: torch.device, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.time_ms = self.times_ms.pop(0)

    def elapsed_time(self, later: "Event") -> float:
        return later.time_ms - self.time_ms


def waits_s(*times_ms: float) -> list[float]:
    event = type("Timed", (Event,), {"times_ms": list(times_ms)})
    timeline = Timeline(META, event=event)
    for _ in times_ms:
        timeline.mark()
    return timeline.waits_s()


def test_a_wait_is_the_gap_between_two_steps_on_the_device() -> None:
    begin, first, second = 0, (10, 40), (45, 75)
    assert waits_s(begin, *first, *second) == pytest.approx([0.010, 0.005])


def test_steps_back_to_back_wait_for_nothing() -> None:
    assert waits_s(0, 0, 30, 30, 60) == [0, 0]


def test_a_timeline_without_steps_has_no_waits() -> None:
    assert waits_s(0) == []


def test_a_child_process_is_asked_for_the_accelerator_so_that_this_one_may_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_accelerator_facts", lambda: {"type": "abacus", "process": os.getpid()})
    facts = devices.accelerator_facts.__wrapped__()
    assert facts is not None
    assert facts["process"] != os.getpid()
