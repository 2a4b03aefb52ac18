"""Subjects: what is measured, by the names that the command line gives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading import subject
from loaderbench.benches.harness.loading.collate_choice import collate_fn
from loaderbench.benches.harness.loading.named_object import NamedObject
from loaderbench.benches.harness.loading.subject import DatasetChoice
from loaderbench.datasets.catalog import CATALOG

Suite = Callable[..., pytest.RunResult]
Measured = Callable[..., dict[str, Any]]
EPOCH = ("--pyargs", "loaderbench.benches.bench_epoch")
BUSY = "loaderbench.datasets.synthetic.known_cost:Busy"

THEIRS = """
import random

class Whole:
    def __init__(self, samples=4):
        self.samples = samples

    def __len__(self):
        return self.samples

    def __getitem__(self, index):
        return float(range(self.samples)[index])

class Short(Whole):
    def __len__(self):
        return self.samples + 1

class Empty(Whole):
    def __len__(self):
        return 0

class Rare(Whole):
    def __getitem__(self, index):
        if index == 128:
            raise OSError("no such\\nfile")
        return float(index)

class Unsized:
    def __getitem__(self, index):
        return index

class Spent:
    def __init__(self):
        self.left = iter(range(20))

    def __iter__(self):
        return self.left

def nothing():
    return None

def broken():
    raise RuntimeError("the data is\\nelsewhere")
"""

REFUSED = {
    "words": "--dataset words: not one of text, images, tokens, table, rows, shards, nor module:attribute",
    "nowhere:Train": "--dataset nowhere:Train: no module 'nowhere'. Run from its folder, or install it",
    "theirs:Train": "--dataset theirs:Train: module 'theirs' has no attribute 'Train'. Name it as module:attribute",
    "unreadable:Train": "--dataset unreadable:Train: importing it raised SyntaxError: *",
    "theirs:broken": "--dataset theirs:broken: calling it raised RuntimeError: the data is elsewhere",
    "theirs:nothing": "--dataset theirs:nothing: NoneType must have __getitem__ and __len__, or __iter__; *",
    "theirs:Short": "--dataset theirs:Short: Short[[]4] raised IndexError: *; len() is 5, so every index *",
    "theirs:Empty": "--dataset theirs:Empty: Empty is empty: len() is 0; check where its data is read from",
    "theirs:Unsized": "--dataset theirs:Unsized: Unsized has __getitem__ but no __len__: *",
    "theirs:Spent": "--dataset theirs:Spent: Spent does not begin anew: iter() gave 20 samples the first time, 0 *",
    "theirs:Rare --dataset-args [2048]": "--dataset theirs:Rare: sample 128 raised OSError: no such file",
    "theirs:Whole --dataset-args [": "--dataset-args must be JSON, got '[[]': *",
    "theirs:Whole --dataset-args 4": "--dataset-args must be a JSON object of keywords or an array, got '4'",
    'theirs:Whole --dataset-args {"root":4}': "--dataset theirs:Whole: calling it raised TypeError: *'root'",
    "theirs:Whole --samples few": "--dataset theirs:Whole: --samples must be auto, all or a number >= 1, got few",
    "theirs:Whole --samples 0": "--dataset theirs:Whole: --samples must be auto, all or a number >= 1, got 0",
}


@pytest.fixture
def theirs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(theirs=THEIRS, unreadable="class Train(:\n    pass")


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("dataset", REFUSED)
def test_a_dataset_that_cannot_be_had_is_one_line_not_an_error_in_every_case(suite: Suite, dataset: str) -> None:
    result = suite("--pyargs", "loaderbench.benches", "--dataset", *dataset.split())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [line for line in result.errlines + result.outlines if line.strip().startswith(("ERROR", "E "))]
    assert len(errors) == 1
    result.stderr.fnmatch_lines([f"ERROR: {REFUSED[dataset]}"])


def test_ours_go_by_their_names_in_the_catalogue(names: Callable[..., list[str]]) -> None:
    brief = ("--num-workers", "0", "--batch-size", "8", "--collate-fn", "default", "--device", "cpu")
    cases = names(*EPOCH, "--dataset", ",".join(CATALOG), *brief)
    assert set(cases) == {f"bench_epoch[{name}]" for name in CATALOG}


def test_ours_come_with_the_collate_functions_that_fit_them(names: Callable[..., list[str]]) -> None:
    brief = ("--num-workers", "0", "--batch-size", "8", "--device", "cpu")
    assert set(names(*EPOCH, "--dataset", "text", *brief)) == {"bench_epoch[text-pad]", "bench_epoch[text-pack]"}


def test_the_user_s_own_is_a_class_in_a_module_of_the_folder(measured: Measured) -> None:
    (case,) = measured("mine:Numbers")["benchmarks"]
    assert case["name"] == "bench_epoch[mine.Numbers]"
    assert case["extra_info"]["settings"]["dataset"] == "mine:Numbers"


def test_the_user_s_own_may_be_an_object(measured: Measured, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(made="train = [1.0, 2.0, 3.0]")
    (case,) = measured("made:train")["benchmarks"]
    assert case["extra_info"]["facts"]["name"] == "list"


def test_the_user_s_own_may_be_a_function(measured: Measured, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(factory="def train(root):\n    return [root] * 3")
    (case,) = measured("factory:train", "--dataset-args", '["/data"]')["benchmarks"]
    assert case["extra_info"]["facts"]["sample"] == "str"


@pytest.mark.parametrize("arguments", ['{"samples": 12, "busy_s": 0}', "[12, 0]"])
def test_dataset_args_reach_the_dataset_by_name_or_in_order(arguments: str) -> None:
    assert DatasetChoice(dataset_args=arguments).subject(BUSY).facts["dataset_samples"] == 12


def test_dataset_args_tell_a_case_from_another(measured: Measured) -> None:
    (case,) = measured("mine:Numbers", "--dataset-args", "[12]")["benchmarks"]
    assert case["extra_info"]["settings"]["dataset_args"] == "[12]"
    assert case["extra_info"]["facts"]["dataset_samples"] == 12


@pytest.mark.parametrize(("samples", "read"), [("8", 8), ("all", 20), ("auto", 20), ("100", 20)])
def test_samples_says_how_much_of_the_dataset_a_pass_reads(samples: str, read: int) -> None:
    choice = DatasetChoice(dataset_args='{"samples": 20, "busy_s": 0}', samples=samples)
    assert choice.subject(BUSY).facts["dataset_samples"] == read


def test_the_part_that_a_pass_reads_is_settled_with_whoever_reads_it_too() -> None:
    asked: list[str] = []

    def agree(what: str, _own: int) -> int:
        asked.append(what)
        return 64

    choice = DatasetChoice(dataset_args='{"samples": 100000, "busy_s": 0}', pass_s=0.01, agree=agree)
    assert choice.subject(BUSY).facts["dataset_samples"] == 64
    assert asked == [f"samples of {BUSY}"]


def test_a_large_dataset_is_cut_to_a_power_of_two_of_its_samples() -> None:
    subject = DatasetChoice(dataset_args='{"samples": 1000000, "busy_s": 0}', pass_s=0.1).subject(BUSY)
    assert subject.facts["dataset_samples"].bit_count() == 1


def test_the_quick_set_reads_a_part_of_a_dataset_of_ours() -> None:
    quick, whole = (DatasetChoice(is_quick=is_quick).subject("table") for is_quick in (True, False))
    assert quick.facts["dataset_samples"] == CATALOG["table"].quick_samples < whole.facts["dataset_samples"]
    assert quick.is_batched


def test_a_record_says_which_part_was_read() -> None:
    choice = DatasetChoice(dataset_args='{"samples": 1000, "busy_s": 0}', samples="128")
    assert choice.subject(BUSY).facts["part"] == "128 of 1000 samples: 2 blocks of 64"
    assert "part" not in DatasetChoice(dataset_args="[20, 0]").subject(BUSY).facts


def test_a_part_of_a_dataset_is_asked_for_batches_only_where_the_whole_is() -> None:
    choice = DatasetChoice(dataset_args='{"samples": 20, "busy_s": 0}', samples="8")
    assert not choice.subject(BUSY).is_batched


def test_a_stream_needs_no_base_class(measured: Measured) -> None:
    (case,) = measured("mine:Stream", "--round-time", "0")["benchmarks"]
    assert case["extra_info"]["rounds"]["samples"] == [20, 20]


@pytest.mark.parametrize(("samples", "read"), [("4", 4), ("100", 20)])
def test_samples_says_how_much_of_a_stream_a_pass_reads(measured: Measured, samples: str, read: int) -> None:
    (case,) = measured("mine:Stream", "--samples", samples, "--round-time", "0")["benchmarks"]
    assert case["extra_info"]["rounds"]["samples"] == [read, read]
    assert case["extra_info"]["facts"]["part"] == f"the first {samples} samples of the stream"


def test_a_stream_is_known_by_its_own_class(measured: Measured) -> None:
    (case,) = measured("mine:Stream")["benchmarks"]
    assert case["extra_info"]["facts"]["name"] == "Stream"


COLLATORS = """
class Padding:
    def __init__(self, pad=0):
        self.pad = pad

    def __call__(self, samples):
        return list(samples), self.pad

class Demanding(Padding):
    def __init__(self, pad):
        super().__init__(pad)

class Batch:
    def __init__(self, samples):
        self.samples = samples
"""


@pytest.fixture
def collators(pytester: pytest.Pytester) -> str:
    """The name of a module of the test's own that holds `COLLATORS`."""
    name = f"collators{pytester.path.name.replace('-', '_')}"
    pytester.makepyfile(**{name: COLLATORS})
    return name


def test_a_class_whose_objects_are_called_is_made_a_collator(collators: str) -> None:
    assert collate_fn(f"{collators}:Padding")([1, 2]) == ([1, 2], 0)


def test_a_collator_that_needs_arguments_is_refused_in_a_line(collators: str) -> None:
    with pytest.raises(RefusedError) as refused:
        collate_fn(f"{collators}:Demanding")
    assert "it is a class, and cannot be made without arguments (TypeError: " in str(refused.value)
    assert "name an object of it" in str(refused.value)


def test_a_class_whose_objects_are_not_called_makes_the_batches_itself(collators: str) -> None:
    assert collate_fn(f"{collators}:Batch")([1, 2]).samples == [1, 2]


def test_a_module_that_parses_the_command_line_does_not_see_ours(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(parses="import argparse; argparse.ArgumentParser().parse_args(); train = [1, 2]")
    monkeypatch.setattr("sys.argv", ["loaderbench", "check", "--dataset", "parses:train"])
    assert NamedObject(option="--dataset", target="parses:train").load() == [1, 2]


def test_a_module_that_ends_the_program_is_refused_without_its_own_usage(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    required = "parser.add_argument('--fold', required=True)"
    pytester.makepyfile(
        requires=f"import argparse; parser = argparse.ArgumentParser(); {required}; parser.parse_args()"
    )
    with pytest.raises(RefusedError, match="--dataset requires:train: importing it ended the program .SystemExit: 2."):
        NamedObject(option="--dataset", target="requires:train").load()
    assert capsys.readouterr().err == ""


def test_the_user_s_collate_function_makes_the_batches(measured: Measured, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(collating="def words(samples):\n    return [str(sample) for sample in samples]")
    (case,) = measured("mine:Numbers", "--collate-fn", "collating:words")["benchmarks"]
    assert case["extra_info"]["facts"]["batch_objects"] == 8


POOLED = """
from concurrent.futures import ThreadPoolExecutor

class Pooled:
    def __init__(self):
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self.pool.submit(int).result()

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.pool.submit(int, index).result()
"""


def test_a_dataset_that_waits_for_threads_which_a_fork_lacks_is_refused_with_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pooled.py").write_text(POOLED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(subject, "LONGEST_LOOK_WITHOUT_THREADS_S", 0.2)
    with pytest.raises(RefusedError, match=r"--dataset pooled:Pooled: .* lacks the threads started here \(.*reader_0"):
        DatasetChoice().subject("pooled:Pooled")
