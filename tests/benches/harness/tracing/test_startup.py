"""The trace of a start: which events it records under each start method, and what it leaves behind."""

import json
import multiprocessing
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from preloaded import Running, environment
from torch.utils.data import IterableDataset, get_worker_info

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.tracing.startup import (
    PARTS,
    StartupTimestamps,
    UnpickleTime,
    startup_parts,
    trace_startup,
    traced_startup_loader,
    unpickle_times_sent,
)
from loaderbench.datasets.synthetic.known_cost import Payload

TIMES = {"seconds", "start_s", "first_batch_s", "next_first_batch_s", "gap_s", "shutdown_s", *PARTS}
SENT = ("pickle_s", "main_s", "imports_s", "unpickle_s")
DATASET = Payload(samples=4, payload_bytes=1000)


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(4))


def workers(start_method: str | None, **arguments: Any) -> LoaderConfig:
    if start_method is None:
        return LoaderConfig(batch_size=2)
    return LoaderConfig(batch_size=2, num_workers=1, multiprocessing_context=start_method, timeout=180, **arguments)


def test_parts_of_a_start_last_from_event_to_event() -> None:
    timestamps = StartupTimestamps(
        pickling=11, pickled=13, running=16, main_imported=20, unpickling=25, unpickled=31, fetching=38, collated=46
    )
    assert list(startup_parts(10, timestamps, 55).values()) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_fork_is_sent_nothing() -> None:
    parts = startup_parts(10, StartupTimestamps(running=12, fetching=15, collated=19), 24)
    assert {name: seconds for name, seconds in parts.items() if seconds} == {
        "process_s": 2, "init_s": 3, "first_fetch_s": 4, "deliver_s": 5
    }  # fmt: skip


def test_without_workers_there_is_only_the_first_batch() -> None:
    parts = startup_parts(10, StartupTimestamps(fetching=11, collated=13), 13)
    assert {name: seconds for name, seconds in parts.items() if seconds} == {"init_s": 1, "first_fetch_s": 2}


@pytest.mark.parametrize("dataset", [DATASET, Stream()], ids=["map", "stream"])
@pytest.mark.parametrize("start_method", [None, "fork"])
def test_the_parts_of_a_start_add_up_to_it(start_method: str | None, dataset: Any) -> None:
    times = trace_startup(workers(start_method), dataset)
    assert set(times) == TIMES
    assert sum(times[part] for part in PARTS) == pytest.approx(times["first_batch_s"])
    assert all(seconds >= 0 for seconds in times.values())
    assert not any(times[part] for part in SENT)


def test_batches_come_with_the_timestamps_of_their_worker() -> None:
    batches = list(traced_startup_loader(workers("fork"), DATASET))
    assert [batch.tolist() for batch, _ in batches] == [[0, 1], [2, 3]]
    assert len({timestamps.collated for _, timestamps in batches}) == 1


def test_samples_that_are_not_batched_come_with_timestamps_too() -> None:
    loader = traced_startup_loader(LoaderConfig(batch_size=None), [{"pixels": 1}])
    assert [sample for sample, _ in loader] == [{"pixels": 1}]


@pytest.mark.parametrize("dataset", [DATASET, Stream()], ids=["map", "stream"])
def test_dataset_and_collate_fn_still_share_their_timestamps_once_they_are_sent_to_a_worker(dataset: Any) -> None:
    loader = traced_startup_loader(workers(None), dataset)
    received, collate_fn = pickle.loads(pickle.dumps((loader.dataset, loader.collate_fn)))
    _, timestamps = collate_fn([next(iter(received))] if isinstance(dataset, IterableDataset) else [received[0]])
    events = ("pickling", "pickled", "unpickling", "unpickled", "fetching", "collated")
    assert all(getattr(timestamps, event) for event in events)


def shift(_worker_id: int) -> None:
    """A ``worker_init_fn`` as torch's documentation has it: it changes the dataset of its worker."""
    worker: Any = get_worker_info()
    worker.dataset.start = 100


class Shifted(IterableDataset[int]):
    start = 0

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.start + 2))


def test_a_worker_init_fn_meets_the_user_s_dataset() -> None:
    config = workers("fork", worker_init_fn=shift)
    assert [batch.tolist() for batch, _ in traced_startup_loader(config, Shifted())] == [[100, 101]]


def test_an_unpickle_time_is_a_text_here_and_a_time_once_it_was_sent() -> None:
    assert UnpickleTime("MainProcess") == "MainProcess"
    assert isinstance(pickle.loads(pickle.dumps(UnpickleTime("MainProcess"))), float)


def test_a_start_leaves_this_process_as_it_was() -> None:
    before = list(sys.argv), multiprocessing.current_process().name
    with pytest.raises(RuntimeError), unpickle_times_sent():
        raise RuntimeError
    assert (sys.argv, multiprocessing.current_process().name) == before
    assert type(multiprocessing.current_process().name) is str


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("persistent", [False, True])
def test_no_worker_outlives_a_trace(persistent: bool) -> None:
    trace_startup(replace(workers("fork"), persistent_workers=persistent), DATASET)


SCRIPT = """
with open("imports", "a") as file:
    file.write("imported ")

if __name__ == "__main__":
    import json
    from loaderbench.benches.harness.loading.loader import LoaderConfig
    from loaderbench.benches.harness.tracing.startup import trace_startup
    from loaderbench.datasets.synthetic.known_cost import Payload

    config = LoaderConfig(num_workers=1, multiprocessing_context="spawn", persistent_workers=True, timeout=180)
    print(json.dumps(trace_startup(config, Payload(samples=2, payload_bytes=0))))
"""


def test_a_spawned_worker_is_sent_the_dataset_and_imports_the_main_module_again(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(SCRIPT)
    with Running([sys.executable, "main.py"], cwd=tmp_path, env=environment()) as program:
        assert program.wait() == 0, program.err
        times = json.loads(program.out)
    assert sum(times[part] for part in PARTS) == pytest.approx(times["first_batch_s"])
    assert all(times[part] > 0 for part in SENT)
    assert (tmp_path / "imports").read_text().split() == ["imported", "imported"]
