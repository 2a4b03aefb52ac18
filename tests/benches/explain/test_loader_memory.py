"""What is read of a loader's memory, and when."""

from collections.abc import Callable
from typing import Any

import pytest
from made_up_explanations import readings_of

from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.explain.loader_memory import EPOCHS, PAIR_EPOCHS, PAIRS, loader_memory, memory_readings
from loaderbench.benches.harness.loading.subject import DatasetChoice, Subject
from loaderbench.benches.harness.system.child import ChildError
from loaderbench.reports.explain.explain_record import MemoryReadings

Made = Callable[..., Baseline]
PITFALLS = "loaderbench.datasets.synthetic.pitfalls"


def test_memory_is_read_at_the_first_batch_and_at_the_end_of_each_epoch(
    subject: Subject, baseline: Made, no_leaks: None
) -> None:
    readings = memory_readings(subject.dataset, baseline().config, epochs=3, most_s=60)
    assert len(readings.pss_bytes) == len(readings.uss_bytes) == 4
    assert readings.before_pss_bytes > 0


def made_up(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Readings that nobody took; what they were to be taken of: the type of the dataset's names, and the epochs."""
    wanted: list[tuple[str, int]] = []

    def read(baseline: Baseline, prepare: Callable[[Any], Any], epochs: int, _: float) -> MemoryReadings:
        wanted.append((prepare.__name__, epochs))
        return readings_of(float(len(wanted)))

    monkeypatch.setattr("loaderbench.benches.explain.loader_memory._readings", read)
    return wanted


def test_many_python_objects_are_compared_with_arrays_in_fresh_pairs(
    baseline: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = made_up(monkeypatch)
    listed = DatasetChoice(dataset_args='{"samples": 2000}', samples="all").subject(f"{PITFALLS}:PythonList")
    memory = loader_memory(baseline(subject=listed), most_s=60)
    assert memory.collections == ("names",)
    pairs = [("_in_objects", PAIR_EPOCHS), ("compact", PAIR_EPOCHS)] * PAIRS
    assert wanted == [*pairs, ("_as_given", EPOCHS)]
    taken = [readings.pss_bytes[0] for readings in (*memory.in_objects, *memory.in_arrays)]
    assert taken == [1, 3, 5, 2, 4, 6]


def test_with_little_time_one_pair_is_compared(baseline: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch)
    monkeypatch.setattr("loaderbench.benches.explain.loader_memory.PAIRS_SHARE", 0.0)
    listed = DatasetChoice(dataset_args='{"samples": 2000}', samples="all").subject(f"{PITFALLS}:PythonList")
    memory = loader_memory(baseline(subject=listed), most_s=60)
    assert len(memory.in_objects) == len(memory.in_arrays) == 1


def test_without_time_nothing_is_read_and_many_python_objects_are_named_all_the_same(
    baseline: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = made_up(monkeypatch)
    listed = DatasetChoice(dataset_args='{"samples": 2000}', samples="all").subject(f"{PITFALLS}:PythonList")
    memory = loader_memory(baseline(subject=listed), most_s=0)
    assert (wanted, memory.readings, memory.collections) == ([], None, ("names",))


@pytest.mark.parametrize(("workers", "batches"), [(0, 0), (1, 3)])
def test_shared_memory_is_expected_for_the_batches_in_flight_and_the_one_in_use(
    baseline: Made, monkeypatch: pytest.MonkeyPatch, workers: int, batches: int
) -> None:
    made_up(monkeypatch)
    memory = loader_memory(baseline(config={"num_workers": workers}), most_s=60)
    assert memory.expected_shm_bytes == batches * 2 * 64  # two tensors of 8 numbers


def test_what_cannot_be_read_is_left_out(baseline: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ChildError("not done after 5 s")

    monkeypatch.setattr("loaderbench.benches.explain.loader_memory._readings", fail)
    listed = DatasetChoice(dataset_args='{"samples": 2000}', samples="all").subject(f"{PITFALLS}:PythonList")
    memory = loader_memory(baseline(subject=listed), most_s=60)
    assert (memory.readings, memory.in_objects, memory.collections) == (None, (), ("names",))
