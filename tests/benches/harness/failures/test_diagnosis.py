"""Loaders that fail: the sample, the field, the worker and the line to blame."""

import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.utils.data import IterableDataset, get_worker_info

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.diagnosis import as_case_failure
from loaderbench.benches.harness.failures.failure_line import CaseFailedError
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.measuring.clock import keep, read
from loaderbench.benches.harness.measuring.delivery import audit
from loaderbench.benches.harness.samples.parts import part_of
from loaderbench.benches.harness.system.processes import NoStrays

SAMPLES, ODD = 64, 41


class Numbers:
    """Sample `ODD` is what `odd` makes of it."""

    def __init__(self, odd: Callable[[], Any]) -> None:
        self.odd = odd

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> Any:
        if index == ODD:
            return self.odd()
        return {"image": torch.zeros(3, 4), "label": range(SAMPLES)[index]}


class Stream(IterableDataset[Any]):
    """Sample `ODD` of a stream raises."""

    def __iter__(self) -> Iterator[int]:
        for index in range(SAMPLES):
            if index == ODD:
                raise OSError("no shard")
            yield index


def raises() -> Any:
    raise ValueError("broken on purpose")


def ends() -> Any:
    sys.exit(0)


def kills() -> Any:
    if get_worker_info() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"image": torch.zeros(3, 4), "label": ODD}


def hangs() -> Any:
    while get_worker_info() is not None:
        time.sleep(0.1)


def ragged() -> Any:
    return {"image": torch.zeros(3, 3), "label": ODD}


def unlabelled() -> Any:
    return {"image": torch.zeros(3, 4), "label": None}


def line_of(function: Callable[[], Any]) -> int:
    return function.__code__.co_firstlineno + 1


def why(dataset: Any, *, step: Callable[[Any], Any] | None = None, **arguments: Any) -> str:
    """Why a pass over `dataset` failed."""
    config = LoaderConfig(**{"batch_size": 8, **arguments})
    loader = config.build(dataset) if isinstance(dataset, Stream) else audit(config, dataset).loader
    with pytest.raises(CaseFailedError) as failed, NoStrays(), as_case_failure():
        read(loader, step or keep)
    return str(failed.value)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_sample_that_raises_is_named_with_its_line(num_workers: int) -> None:
    message = why(Numbers(raises), num_workers=num_workers)
    worker = ", in worker 1" if num_workers else ""
    assert message.startswith(f"ValueError: broken on purpose (sample {ODD}{worker}, ")
    assert message.endswith(f"test_diagnosis.py:{line_of(raises)})")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_samples_of_unequal_shape_are_named_alike_with_and_without_workers(num_workers: int) -> None:
    message = why(Numbers(ragged), num_workers=num_workers)
    assert "stack expects each tensor to be equal size, but got [3, 4] at entry 0 and [3, 3] at entry 1" in message
    assert "field image is [3, 3], and [3, 4] in the batch's first sample" in message
    assert f"sample {ODD}" in message
    assert "--collate-fn" in message


@pytest.mark.parametrize("num_workers", [0, 1])
def test_the_field_that_is_none_is_named(num_workers: int) -> None:
    message = why(Numbers(unlabelled), num_workers=num_workers)
    assert "field label is None" in message
    assert f"sample {ODD}" in message


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_sample_that_ends_the_program_is_named(num_workers: int) -> None:
    message = why(Numbers(ends), num_workers=num_workers)
    assert message.startswith("SystemExit: 0: it ended the program (")
    assert f"sample {ODD}" in message
    assert f"test_diagnosis.py:{line_of(ends)}" in message


# torch raises wherever this process is when a worker dies: in a finalizer, Python can only warn of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_sample_that_kills_its_worker_is_named_with_its_line() -> None:
    message = why(Numbers(kills), num_workers=2)
    assert message.startswith("RuntimeError: DataLoader worker (pid")
    assert f"(sample {ODD}, in worker 1, " in message
    assert f"test_diagnosis.py:{line_of(kills) + 1}" in message


def test_what_a_step_raises_is_no_fault_of_a_sample() -> None:
    def step(_batch: Any) -> None:
        raise ValueError("too deep")

    message = why(Numbers(raises), num_workers=2, step=step)
    assert message.startswith("ValueError: too deep (")
    assert "sample" not in message
    assert "worker" not in message


def test_a_worker_that_dies_during_a_step_is_diagnosed_too() -> None:
    def step(batch: Any) -> None:
        if 8 in batch["label"]:  # of batch 1, upon which torch asks for that of the sample
            time.sleep(10)  # ended by torch's error

    message = why(Numbers(kills), num_workers=2, step=step)
    assert message.startswith("RuntimeError: DataLoader worker (pid")
    assert f"(sample {ODD}, in worker 1, " in message


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="a worker is asked by a signal")
def test_the_line_where_a_worker_hangs_is_named_with_its_sample() -> None:
    message = why(Numbers(hangs), num_workers=2, timeout=1)
    assert message.startswith("RuntimeError: DataLoader timed out after 1")
    assert f"(sample {ODD}, in worker 1, " in message
    assert re.search(rf"test_diagnosis\.py:({line_of(hangs)}|{line_of(hangs) + 1})\)$", message)


def raises_what_cannot_be_sent() -> Any:
    class LocalError(Exception):
        """An error that no pickle takes."""

    raise LocalError("unsent")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="a worker is asked by a signal")
def test_an_error_that_a_worker_cannot_send_is_read_again() -> None:
    message = why(Numbers(raises_what_cannot_be_sent), num_workers=2, timeout=1)
    assert message.startswith(f"LocalError: unsent: a worker could not send this error (sample {ODD}, in worker 1, ")


def opens() -> Any:
    kept = []
    while get_worker_info() is not None:
        try:
            kept.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            LEFT_OPEN.extend(kept)
            break
    return {"image": torch.zeros(3, 4), "label": ODD}


LEFT_OPEN: list[int] = []


def test_a_worker_that_can_send_nothing_for_want_of_descriptors_says_so() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        message = why(Numbers(opens), num_workers=1, timeout=2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" in message
    assert "in worker 0" in message
    assert "ulimit -n" in message


def test_in_a_part_of_a_dataset_the_sample_has_the_index_of_the_whole() -> None:
    part = part_of(Numbers(raises), ODD + 1)
    assert f"sample {ODD}" in why(part, num_workers=0, batch_size=2)
    assert f"sample {ODD}" in why(part_of(Numbers(ragged), ODD + 1), num_workers=0, batch_size=2)


def test_samples_of_a_stream_are_counted() -> None:
    assert f"(sample {ODD}, " in why(Stream(), num_workers=0)


def test_a_collate_fn_that_returns_no_batch_is_to_blame_for_what_the_step_says() -> None:
    message = why(Numbers(lambda: 1), collate_fn=lambda _: None, step=lambda batch: batch["image"])
    assert "the collate_fn returned None in place of a batch" in message


def test_what_is_refused_is_no_failure_of_a_case() -> None:
    with pytest.raises(RefusedError), as_case_failure():
        raise RefusedError("no")


def test_what_has_been_explained_is_not_explained_again() -> None:
    with pytest.raises(CaseFailedError, match=r"^once$"), as_case_failure():
        raise CaseFailedError("once")


def test_an_error_without_a_loader_is_explained_by_its_words() -> None:
    with pytest.raises(CaseFailedError, match="^KeyError: 'id'"), as_case_failure():
        raise KeyError("id")
