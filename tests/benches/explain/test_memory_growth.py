"""What is read of a loader's memory, and when."""

from collections.abc import Callable

import pytest

from loaderbench.benches.explain import memory_growth
from loaderbench.benches.explain.baseline import Baseline
from loaderbench.benches.explain.memory_growth import PAIRS, loader_memory, memory_readings
from loaderbench.benches.harness.subject import DatasetChoice, Subject

Made = Callable[..., Baseline]


def test_memory_is_read_at_the_first_batch_and_at_the_end_of_each_epoch(
    subject: Subject, baseline: Made, no_leaks: None
) -> None:
    readings = memory_readings(subject.dataset, baseline().config, epochs=3)
    assert len(readings.pss_bytes) == len(readings.uss_bytes) == 4
    assert readings.before_pss_bytes > 0


def test_long_python_lists_are_compared_with_arrays_in_fresh_pairs(
    baseline: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[tuple[str, int]] = []

    def read(dataset: object, _: object, epochs: int) -> str:
        readings.append((type(vars(dataset)["names"]).__name__, epochs))
        return f"reading {len(readings)}"

    monkeypatch.setattr(memory_growth, "memory_readings", read)
    choice = DatasetChoice(dataset_args='{"samples": 2000}', samples="all")
    listed = choice.subject("loaderbench.datasets.synthetic.pitfalls:PythonList")
    memory = loader_memory(baseline(subject=listed))
    assert memory.lists == ("names",)
    assert readings == [("list", 12), *[("list", 2), ("CompactList", 2)] * PAIRS]
    assert [*memory.in_lists, *memory.in_arrays] == [f"reading {number}" for number in (2, 4, 6, 3, 5, 7)]


@pytest.mark.parametrize(("workers", "batches"), [(0, 0), (1, 3)])
def test_shared_memory_is_expected_for_the_batches_in_flight_and_the_one_in_use(
    baseline: Made, monkeypatch: pytest.MonkeyPatch, workers: int, batches: int
) -> None:
    monkeypatch.setattr(memory_growth, "memory_readings", lambda *_: None)
    memory = loader_memory(baseline(config={"num_workers": workers}))
    assert memory.expected_shm_bytes == batches * 2 * 64  # two tensors of 8 numbers
