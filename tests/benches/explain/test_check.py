"""``loaderbench check`` as its user calls it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

DATA = """
from torch.utils.data import Dataset, IterableDataset, get_worker_info
import torch

class Train(Dataset):
    def __len__(self):
        return 100

    def __getitem__(self, index):
        return torch.zeros(10), range(100)[index]

class Opened(Train):
    def __init__(self):
        self.file = open(__file__)

class Ragged(Train):
    def __getitem__(self, index):
        return torch.zeros(range(100)[index] + 1)

class Repeating(IterableDataset):
    def __iter__(self):
        return iter(range(1000))

class Endless(IterableDataset):
    def __iter__(self):
        worker = get_worker_info()
        number, step = (worker.id, worker.num_workers) if worker else (0, 1)
        while True:
            yield number
            number += step
"""

Check = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    (tmp_path / "data.py").write_text(DATA)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "loaderbench.benches.harness.cli", "check", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    return run


def test_a_sound_dataset_passes_with_every_number_beside_its_limit(check: Check) -> None:
    done = check("--dataset", "data:Train")
    assert done.returncode == 0, done.stderr
    for what in ("shared memory", "file descriptors", "memory", "CPUs", "pickle"):
        assert what in done.stdout
    assert "nothing that would crash or be wrong" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("data:Repeating",), "would crash or be wrong: stream"),
        (("data:Opened", "--start-method", "spawn"), "would crash or be wrong: pickle"),
        (("data:Train", "--num-workers", "4000", "--prefetch-factor", "4000"), "file descriptors"),
    ],
    ids=["a stream that repeats itself", "no pickle", "out of descriptors"],
)
def test_what_would_crash_or_be_wrong_is_exit_code_1(check: Check, arguments: tuple[str, ...], words: str) -> None:
    done = check("--dataset", *arguments)
    assert done.returncode == 1, done.stderr
    assert words in done.stdout


def test_a_stream_without_end_that_is_split_passes(check: Check) -> None:
    assert check("--dataset", "data:Endless").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("data:Nothing",), "has no attribute 'Nothing'"),
        (("data:Ragged",), "Name a collate function that fits with --collate-fn"),
        (("data:Train", "--num-workers", "-1"), "num_workers must be >= 0, got -1"),
    ],
    ids=["no dataset", "no batch", "no such number"],
)
def test_what_cannot_be_looked_at_is_refused_in_one_line(check: Check, arguments: tuple[str, ...], words: str) -> None:
    done = check("--dataset", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
