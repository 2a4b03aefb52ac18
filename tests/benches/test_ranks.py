"""bench_ranks: two ranks on this machine, what they record, and how each fault ends."""

import json
import tempfile
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from user_model import USER_MODEL

THEIRS = """
import os
import signal
import time
import torch
from torch import distributed

def rank():
    return distributed.get_rank() if distributed.is_initialized() else 0

class Rows:
    def __len__(self):
        return 21

    def __getitem__(self, index):
        if rank() == 1:
            self.fail()
        return torch.full((3,), float(index)), index % 2

    def fail(self):
        pass

class Raises(Rows):
    def fail(self):
        raise ValueError("no such row")

class Killed(Rows):
    def fail(self):
        os.kill(os.getpid(), signal.SIGKILL)

class Hangs(Rows):
    def fail(self):
        time.sleep(600)

class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return ((torch.full((3,), float(index)), index % 2) for index in range(21))

class Uneven(Stream):
    def __iter__(self):
        both = distributed.is_initialized()
        return iter(list(super().__iter__())[8 * rank(): 8 + 20 * rank() if both else 21])
"""
BRIEF = (
    *("--num-workers", "0", "--batch-size", "4", "--rounds", "2", "--round-time", "0", "--device", "cpu"),
    *("--nproc-per-node", "2", "--rank-timeout", "8s", "--model", "ranked:Net"),
)


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@pytest.fixture(scope="module")
def before() -> set[psutil.Process]:
    """What earlier tests have left running."""
    return children()


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory, before: set[psutil.Process]) -> dict[str, Any]:
    """One run over datasets that are sound and datasets that are not; its record."""
    folder = tmp_path_factory.mktemp("ranked")
    (folder / "ranked.py").write_text(THEIRS + USER_MODEL)
    (folder / "temporary").mkdir()
    datasets = ",".join(f"ranked:{name}" for name in ("Rows", "Raises", "Killed", "Hangs", "Stream", "Uneven"))
    plugin = ("-p", "loaderbench.benches.harness.plugin", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        patch.setattr(tempfile, "tempdir", str(folder / "temporary"))
        chosen = "not training or Rows or Uneven"
        bench = ("--pyargs", "loaderbench.benches.bench_ranks", "-k", chosen, "--dataset", datasets)
        pytest.main([*plugin, "--run-dir", "run", *bench, *BRIEF])
    left = [path.name for path in (folder / "temporary").glob("loaderbench-*")]
    return {**json.loads((folder / "run" / "run.json").read_text()), "left": left}


@pytest.fixture
def measured(record: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    cases = {case["name"]: case["extra_info"] for case in record["benchmarks"]}
    return lambda name: cases[name]


@pytest.fixture
def reasons(record: dict[str, Any]) -> dict[str, str]:
    return {case["name"]: case["reason"] for case in record["loaderbench"]["failed"]}


def test_ranks_share_the_samples_and_padding_is_not_counted(measured: Callable[[str], dict[str, Any]]) -> None:
    case = measured("bench_ranks[ranked.Rows]")
    assert case["rounds"]["samples"] == [21, 21]
    assert case["rounds"]["repeated_samples"] == [1, 1]
    assert case["facts"]["coverage"] == "each sample once, 1 twice (padding)"
    assert case["settings"]["nproc_per_node"] == 2


def test_the_record_has_the_rounds_of_each_rank(measured: Callable[[str], dict[str, Any]]) -> None:
    ranks = measured("bench_ranks[ranked.Rows]")["ranks"]
    assert [(rank["rank"], rank["rounds"]["samples"]) for rank in ranks] == [(0, [11, 11]), (1, [11, 11])]
    assert all(len(rank["rounds"]["seconds"]) == 2 and rank["host"] for rank in ranks)


def test_a_round_is_as_long_as_its_slowest_rank(measured: Callable[[str], dict[str, Any]]) -> None:
    case = measured("bench_ranks[ranked.Rows]")
    columns = [rank["rounds"]["seconds"] for rank in case["ranks"]]
    assert case["rounds"]["seconds"] == [max(pair) for pair in zip(*columns, strict=True)]


def test_a_stream_that_every_rank_repeats_is_called_unsharded(measured: Callable[[str], dict[str, Any]]) -> None:
    case = measured("bench_ranks[ranked.Stream]")
    assert case["facts"]["coverage"] == "unsharded: every rank delivers all samples"
    assert case["rounds"]["samples"] == [21, 21]


def test_training_tells_waiting_for_data_from_waiting_for_ranks(measured: Callable[[str], dict[str, Any]]) -> None:
    rounds = measured("bench_ranks_training[ranked.Rows]")["rounds"]
    assert {"wait_s", "sync_wait_s", "compute_s", "accelerator_utilization"} <= set(rounds)


def test_a_rank_that_raises_is_named_with_the_line_to_blame(reasons: dict[str, str]) -> None:
    reason = reasons["bench_ranks[ranked.Raises]"]
    assert reason.startswith("rank 1 on ")
    assert "(first pass): ValueError: no such row (sample " in reason
    assert "ranked.py:" in reason


def test_a_rank_that_is_killed_is_named(reasons: dict[str, str]) -> None:
    reason = reasons["bench_ranks[ranked.Killed]"]
    assert reason.startswith("rank 1")
    assert reason.endswith("(first pass): its process was killed by SIGKILL")


def test_a_rank_that_hangs_is_named_with_the_line_where_it_is(reasons: dict[str, str]) -> None:
    reason = reasons["bench_ranks[ranked.Hangs]"]
    assert reason.startswith("rank 1 on ")
    assert "not done after 8 s" in reason
    assert "ranked.py:" in reason


def test_a_rank_with_fewer_batches_ends_a_training_that_would_hang(reasons: dict[str, str]) -> None:
    assert "rank 0 has fewer batches than rank 1" in reasons["bench_ranks_training[ranked.Uneven]"]


def test_without_a_step_ranks_may_have_different_numbers_of_batches(measured: Callable[[str], dict[str, Any]]) -> None:
    assert measured("bench_ranks[ranked.Uneven]")["rounds"]["samples"] == [21, 21]


def test_no_rank_outlives_its_case(record: dict[str, Any], before: set[psutil.Process]) -> None:
    assert record["loaderbench"]["complete"]
    assert children() <= before


def test_no_folder_is_left_of_ranks_not_even_of_killed_ones(record: dict[str, Any]) -> None:
    assert record["left"] == []
