"""A first batch that cannot be made is refused once, before anything is timed."""

import re
from collections.abc import Callable

import pytest

Suite = Callable[..., pytest.RunResult]
EPOCH = ("--pyargs", "loaderbench.benches.bench_epoch", "--rounds", "1", "--round-time", "0", "--run-dir", "run")
MANY = ("--num-workers", "0,2", "--batch-size", "4,8")
THEIRS = """
import torch

class Ragged:
    def __len__(self):
        return 20

    def __getitem__(self, index):
        return {"boxes": torch.zeros(range(20)[index] + 1, 4)}

def longest(samples):
    return torch.nn.utils.rnn.pad_sequence([sample["boxes"] for sample in samples])

def nothing(samples):
    return None

class Pair:
    def __init__(self, samples):
        self.samples = samples
"""


@pytest.fixture
def ragged(suite: Suite, pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run the epoch bench on a dataset that default_collate cannot take."""
    pytester.makepyfile(ragged=THEIRS)
    return lambda *arguments: suite(*EPOCH, *MANY, "--dataset", "ragged:Ragged", *arguments)


def refused(result: pytest.RunResult) -> str:
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line.startswith("ERROR: ")]
    return line


def test_it_is_refused_in_one_line_with_the_field_and_what_to_do(ragged: Callable[..., pytest.RunResult]) -> None:
    result = ragged()
    line = refused(result)
    assert line.startswith("ERROR: --dataset ragged:Ragged: its first batch cannot be made: RuntimeError: ")
    assert re.search(r": field boxes is \[\d+, 4\], and \[\d+, 4\] in the batch's first sample \(sample \d+\); ", line)
    assert "--collate-fn" in line
    assert not [shown for shown in result.outlines if "FAILED" in shown]


@pytest.mark.parametrize(
    ("collate_fn", "words"),
    [
        ("nothing", "the collate_fn returned None in place of the first batch"),
        ("Pair", "Pair is a class, and the object"),
    ],
)
def test_what_is_no_batch_of_tensors_is_refused(
    ragged: Callable[..., pytest.RunResult], collate_fn: str, words: str
) -> None:
    assert words in refused(ragged("--collate-fn", f"ragged:{collate_fn}"))


def test_where_one_collate_function_works_the_cases_of_the_other_fail(ragged: Callable[..., pytest.RunResult]) -> None:
    ragged("--collate-fn", "default,ragged:longest", "--num-workers", "0", "--batch-size", "8").assert_outcomes(
        passed=1, failed=1
    )


def test_cases_can_be_listed_though_none_could_be_run(ragged: Callable[..., pytest.RunResult]) -> None:
    assert ragged("--collect-only", "-q").ret == 0
