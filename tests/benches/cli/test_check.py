"""``loaderbench check`` as its user calls it."""

import argparse
import gc
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.cli import check as check_command
from loaderbench.benches.cli import explain as explain_command
from loaderbench.benches.cli.main import main
from loaderbench.benches.cli.shared.loader_options import loader_of
from loaderbench.reports.vocabulary import SETTINGS, loader_settings

DATA = """
import threading
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

class Sharded(IterableDataset):
    def __iter__(self):
        worker = get_worker_info()
        return iter([range(100)][worker.id if worker else 0])

def without_odd(samples):
    return torch.utils.data.default_collate([sample for sample in samples if sample[1] % 2 == 0])

def with_lock(samples):
    return [threading.Lock()]

class Chatty(Train):
    def __init__(self):
        print("100 samples indexed")

class Quits(Train):
    def __getitem__(self, index):
        raise SystemExit

loader = torch.utils.data.DataLoader(Train(), num_workers=2)

class Endless(IterableDataset):
    def __iter__(self):
        worker = get_worker_info()
        number, step = (worker.id, worker.num_workers) if worker else (0, 1)
        while True:
            yield number
            number += step
"""

Check = Callable[..., tuple[int, str]]


IMPORTED = "loaderbench.benches.check.loader_demand.import_fault"


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that were to be imported in a Python of its own, which takes seconds: none is."""
    modules: list[str] = []
    monkeypatch.setattr(IMPORTED, modules.append)
    return modules


@pytest.fixture
def check(
    imported: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Check:
    """The command, where `DATA` is ``checked``: its exit code, and all that it says."""
    (tmp_path / "checked.py").write_text(DATA)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["check", *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_a_sound_dataset_passes_with_every_number_beside_its_limit(check: Check, imported: list[str]) -> None:
    code, printed = check("--dataset", "checked:Train")
    assert code == 0
    for what in ("shared memory", "file descriptors", "memory", "CPUs", "pickle"):
        assert what in printed
    assert "nothing that would crash or be wrong" in printed
    assert imported == ["checked"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("checked:Repeating",), "would crash or be wrong: stream"),
        (("checked:Opened", "--start-method", "spawn"), "would crash or be wrong: pickle"),
        (("checked:Train", "--num-workers", "4000", "--prefetch-factor", "4000"), "or be wrong: .*file descriptors"),
        (("checked:Sharded",), "would crash or be wrong: workers"),
        (("checked:Train", "--collate-fn", "checked:with_lock"), "would crash or be wrong: batch"),
    ],
    ids=["a stream that repeats itself", "no pickle", "out of descriptors", "no shard", "a batch that cannot be sent"],
)
def test_what_would_crash_or_be_wrong_is_exit_code_1(check: Check, arguments: tuple[str, ...], words: str) -> None:
    code, printed = check("--dataset", *arguments)
    assert code == 1
    assert re.search(words, printed)


def test_what_a_dataset_prints_is_not_in_the_answer(check: Check) -> None:
    code, printed = check("--dataset", "checked:Chatty")
    answer, _, rest = printed.partition("nothing that would crash or be wrong\n")
    assert (code, rest) == (0, "100 samples indexed\n")
    assert "indexed" not in answer


def test_a_collate_function_that_leaves_samples_out_is_a_note(check: Check) -> None:
    arguments = ("--sampling", "sequential", "--num-workers", "0")
    code, printed = check("--dataset", "checked:Train", "--collate-fn", "checked:without_odd", *arguments)
    assert code == 0
    assert re.search(r"note +batch size +32 +16 ", printed)


@pytest.mark.parametrize("command", [check_command, explain_command])
def test_one_loader_has_an_option_for_every_setting_of_a_loader(command: Any) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = ["--dataset", "table", "--sampling", "sequential", "--in-order", "off", "--persistent-workers", "on"]
    _, config = loader_of(parser.parse_args(given))
    assert (config.shuffle, config.in_order, config.persistent_workers) == (False, False, True)
    assert all(SETTINGS[name].option in parser.format_help() for name in loader_settings())


def test_a_loader_of_the_users_own_is_checked_as_it_is_set(check: Check, imported: list[str]) -> None:
    code, printed = check("--from-loader", "checked:loader")
    assert (code, imported) == (0, ["checked"])
    assert "nothing that would crash or be wrong" in printed


def test_a_stream_without_end_that_is_split_passes(check: Check) -> None:
    assert check("--dataset", "checked:Endless")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("checked:Nothing",), "has no attribute 'Nothing'"),
        (("checked:Ragged",), "give a --collate-fn that pads them"),
        (("checked:Quits",), "checked:Quits: Quits[0] ended the program (SystemExit: None); "),
        (("checked:loader",), "checked:loader: it is a DataLoader, not a dataset: give it as --from-loader"),
    ],
    ids=["no dataset", "no batch", "a sample that exits", "a loader"],
)
def test_what_cannot_be_looked_at_is_refused_in_one_line(check: Check, arguments: tuple[str, ...], words: str) -> None:
    code, printed = check("--dataset", *arguments)
    assert code == 2
    assert words in printed
    assert printed.count("\n") == 1


def test_a_dataset_is_built_when_what_the_command_holds_is_out_of_garbage_collection(
    check: Check, tmp_path: Path
) -> None:
    (tmp_path / "counting.py").write_text(
        "import gc\nFROZEN = []\ndef build():\n    FROZEN.append(gc.get_freeze_count())\n    return list(range(100))\n"
    )
    gc.unfreeze()
    assert check("--dataset", "counting:build")[0] == 0
    assert sys.modules["counting"].FROZEN[0] > len(gc.get_objects())
