"""What the hooks tell of loaders, and what they leave as it was."""

import inspect
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data import dataloader as torchs

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.watch.observing.hooks import watched
from loaderbench.benches.watch.observing.recorder import EnoughError, WatchRecorder, cell_name

HOOKED = (
    (DataLoader, "__setattr__"),
    (DataLoader, "_get_iterator"),
    (torchs._BaseDataLoaderIter, "_reset"),
    (torchs._BaseDataLoaderIter, "__next__"),
)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[WatchRecorder]:
    recorder = WatchRecorder(folder=tmp_path)
    with watched(recorder):
        yield recorder


def numbers(count: int = 12, **arguments: Any) -> "DataLoader[Any]":
    return DataLoader(TensorDataset(torch.arange(count)), batch_size=4, **arguments)


class Wrapped(DataLoader[Any]):
    """A subclass that hands on what its parent reads, as accelerate's does."""

    def __iter__(self) -> Any:
        for batch in super().__iter__():
            yield [value + 1 for value in batch]


class OwnIterators(DataLoader[Any]):
    """A subclass that makes its iterators itself, as torchdata's does."""

    def _get_iterator(self) -> Any:
        return torchs._SingleProcessDataLoaderIter(self)


def test_a_cell_of_a_notebook_is_named_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/tmp/ipykernel_9/123.py"
    ipython = SimpleNamespace(get_ipython=lambda: SimpleNamespace(compile=SimpleNamespace(_filename_map={path: 4})))
    monkeypatch.setitem(sys.modules, "IPython", ipython)  # type: ignore[arg-type]
    assert [cell_name(name) for name in (path, "<ipython-input-3-ab>", "train.py")] == ["cell 4", "cell 3", ""]


def test_what_is_done_as_a_pass_begins_is_no_wait_for_it(recorder: WatchRecorder) -> None:
    loader, iterator = numbers(), {1}
    recorder.pass_begun(loader, iterator, 1.0, 2.0)
    recorder.pass_begun(loader, iterator, 3.0, 3.0)  # of persistent workers, which are made ready afterwards
    first, later = recorder.loaders[0].epochs
    assert (first.began, first.started) == (1.0, 2.0)
    assert later.began == later.started > 3.0


def test_a_loader_is_named_by_the_line_that_made_it(recorder: WatchRecorder) -> None:
    list(numbers())
    line = inspect.getsourcelines(numbers)[1] + 1
    assert recorder.loaders[0].name.endswith(f"test_hooks.py:{line}")


def test_loaders_that_other_lines_asked_for_are_apart_and_those_of_one_line_together(recorder: WatchRecorder) -> None:
    for _ in range(3):
        list(numbers())
    list(numbers())
    assert [trace.steps for trace in recorder.loaders] == [9, 3]
    assert " from " in recorder.loaders[1].name


def test_loaders_of_one_line_that_are_there_at_once_are_apart(recorder: WatchRecorder) -> None:
    by_split = {split: numbers(count) for split, count in (("train", 12), ("val", 4))}
    for split in ("train", "val", "train"):
        list(by_split[split])
    assert [trace.steps for trace in recorder.loaders] == [6, 1]


def test_a_loader_that_is_made_and_not_read_is_known(recorder: WatchRecorder) -> None:
    unread = numbers()
    assert len(unread) == 3
    (trace,) = recorder.unread()
    assert (trace.facts["num_workers"], trace.epochs) == (0, [])
    list(unread)
    assert recorder.unread() == []


@pytest.mark.parametrize("kind", [DataLoader, Wrapped, OwnIterators])
def test_subclasses_are_seen(recorder: WatchRecorder, kind: type) -> None:
    list(kind(TensorDataset(torch.arange(12)), batch_size=4))
    (trace,) = recorder.loaders
    assert (trace.facts["kind"], trace.steps, len(trace.epochs)) == (kind.__name__, 3, 1)
    assert trace.epochs[0].ended is not None


def test_loops_within_each_other_are_told_apart(recorder: WatchRecorder) -> None:
    outer, inner = numbers(8), numbers(12)
    for _ in outer:
        for _ in zip(inner, numbers(4), strict=False):
            pass
    assert [(trace.steps, len(trace.epochs)) for trace in recorder.loaders] == [(2, 1), (4, 2), (2, 2)]


def test_a_loop_that_is_left_has_no_end(recorder: WatchRecorder) -> None:
    for _ in numbers():
        break
    (epoch,) = recorder.loaders[0].epochs
    assert (len(epoch.received), epoch.ended) == (1, None)


def test_the_loader_is_what_it_was(recorder: WatchRecorder) -> None:
    watched_loader = numbers()
    list(watched_loader)
    assert type(watched_loader) is DataLoader
    assert len(watched_loader) == 3
    assert watched_loader.collate_fn is torch.utils.data.default_collate
    assert inspect.signature(DataLoader.__init__).parameters["batch_size"].default == 1
    with pytest.raises(ValueError, match="batch_size"):
        watched_loader.batch_size = 8


def test_orders_and_random_states_are_those_without_a_watch(tmp_path: Path) -> None:
    def read() -> tuple[Any, ...]:
        torch.manual_seed(3)
        random.seed(3)
        batches = [batch[0].tolist() for batch in numbers(40, shuffle=True, num_workers=1)]
        return batches, torch.rand(3).tolist(), random.random()

    plain = read()
    with watched(WatchRecorder(folder=tmp_path)):
        assert read() == plain


def test_a_warning_names_the_line_that_it_names_without_a_watch(recorder: WatchRecorder) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        numbers(num_workers=1, pin_memory=True)
        iter(numbers(pin_memory=True))
    assert {Path(warning.filename).name for warning in caught} <= {"dataloader.py", Path(__file__).name}


@pytest.mark.parametrize("num_workers", [0, 1])
def test_no_frame_of_ours_is_in_the_traceback_of_an_error(recorder: WatchRecorder, num_workers: int) -> None:
    def broken(_: Any) -> Any:
        raise ZeroDivisionError("in collate_fn")

    with pytest.raises(ZeroDivisionError) as caught:
        list(numbers(collate_fn=broken, num_workers=num_workers))
    text = "".join([str(caught.value), *(str(entry.path) for entry in caught.traceback)])
    assert "benches/watch" not in text.replace("tests/benches/watch", "")
    assert recorder.loaders[0].failure.startswith("ZeroDivisionError: in collate_fn (")


def test_afterwards_every_method_is_torchs_again(tmp_path: Path) -> None:
    before = [vars(owner)[name] for owner, name in HOOKED]
    with watched(WatchRecorder(folder=tmp_path)):
        assert all(vars(owner)[name] is not method for (owner, name), method in zip(HOOKED, before, strict=True))
        OwnIterators(TensorDataset(torch.arange(4)))
    assert [vars(owner)[name] for owner, name in HOOKED] == before
    assert OwnIterators._get_iterator.__qualname__ == "OwnIterators._get_iterator"


def test_a_second_watch_of_a_process_is_refused(recorder: WatchRecorder, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="watched already"), watched(WatchRecorder(folder=tmp_path)):
        pass


def test_after_the_steps_that_were_asked_for_the_next_one_ends_the_script(tmp_path: Path) -> None:
    recorder = WatchRecorder(folder=tmp_path, most_steps=2)
    with watched(recorder), pytest.raises(EnoughError):
        list(numbers())
    assert recorder.steps == 2
    assert EnoughError().code == 0


def test_what_is_looked_at_meanwhile_is_taken_out_of_the_step(tmp_path: Path) -> None:
    looks = []
    recorder = WatchRecorder(folder=tmp_path, look=lambda _, now: looks.append(now))
    with watched(recorder):
        list(numbers())
    assert len(looks) == len(recorder.loaders[0].epochs[0].own_work) >= 1
    assert recorder.loaders[0].epochs[0].own_work[0][0] == 0
