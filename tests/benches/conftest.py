"""The suite within this process: what is said before anything runs, and small runs whose worlds are their own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from user_model import USER_MODEL

from loaderbench.benches.harness.loading.subject import DatasetChoice, Subject

PLUGIN = ("-p", "loaderbench.benches.harness.plugin", "-p", "no:hypothesispytest")  # it is imported anew in every run
BRIEF = ("--rounds", "2", "--round-time", "0.001", "--num-workers", "0", "--batch-size", "8")

DATA = """
class Numbers:
    def __init__(self, samples=20):
        self.samples = samples

    def __len__(self):
        return self.samples

    def __getitem__(self, index):
        return float(range(self.samples)[index]), index % 2


class Stream:
    def __iter__(self):
        return iter(range(20))
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run the suite in this process from a folder that holds `DATA` as ``mine``: its arguments are pytest's."""
    pytester.makepyfile(mine=DATA)

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*PLUGIN, *arguments)

    return run


@pytest.fixture
def names(suite: Callable[..., pytest.RunResult]) -> Callable[..., list[str]]:
    """Names of the cases that these arguments make, without running one."""

    def collect(*arguments: str) -> list[str]:
        lines = suite("--collect-only", "-q", *arguments).outlines
        return [line.partition("::")[2] for line in lines if "::" in line]

    return collect


@pytest.fixture
def measured(suite: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> Callable[..., dict[str, Any]]:
    """Run the epoch bench briefly on the dataset named first; the record."""

    def run(dataset: str, *arguments: str) -> dict[str, Any]:
        folder = pytester.path / f"run{len(list(pytester.path.glob('run*')))}"
        asked = ("--dataset", dataset, "--run-dir", str(folder), *BRIEF, *arguments)
        suite("--pyargs", "loaderbench.benches.bench_epoch", *asked)
        return read(folder)

    return run


def read(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return record


THEIRS = """
import torch

class Rows:
    \"\"\"64 rows of 3 numbers, their class among 2; a whole batch in a call.\"\"\"

    def __len__(self):
        return 64

    def __getitem__(self, index):
        return torch.full((3,), float(range(64)[index])), index % 2

    def __getitems__(self, indices):
        return [self[index] for index in indices]
"""
ASKED = (
    *("--dataset", "project:Rows", "--model", "project:Net", "--device", "cpu", "--start-method", "fork"),
    *("--batch-size", "10", "--rounds", "2", "--round-time", "0"),
)
WITH_WORKERS = [f"loaderbench.benches.bench_{name}" for name in ("epoch", "training", "startup", "memory", "transfer")]


@pytest.fixture(scope="package")
def within(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[dict[str, Any]]]:
    """Run the suite in this process from a folder that holds `THEIRS`, for several tests; what was measured."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        folder = tmp_path_factory.mktemp("project")
        (folder / "project.py").write_text(THEIRS + USER_MODEL)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.syspath_prepend(folder)
            pytest.main([*PLUGIN, "-p", "no:cacheprovider", "--run-dir", "run", "--pyargs", *arguments])
        return list(read(folder / "run")["benchmarks"])

    return run


@pytest.fixture(scope="package")
def benches(
    within: Callable[..., list[dict[str, Any]]], once: Callable[..., Any]
) -> Callable[[str], dict[str, dict[str, Any]]]:
    """All benches but fidelity's, run once on a user's dataset and model: the ``extra_info`` of one bench's cases."""

    def measured() -> list[dict[str, Any]]:
        return [
            *within(*WITH_WORKERS, *ASKED, "--num-workers", "0,1"),
            *within("loaderbench.benches.bench_sampling", *ASKED, "--num-workers", "0"),
        ]

    cases = once("benches", measured)

    def of(bench: str) -> dict[str, dict[str, Any]]:
        result = [case for case in cases if case["group"] == bench]
        return {case["name"].removeprefix(f"bench_{bench}"): case["extra_info"] for case in result}

    return of


SLEEPING = "loaderbench.datasets.synthetic.known_cost:Sleeping"


@pytest.fixture(scope="session")
def subject() -> Subject:
    """32 samples that cost nothing."""
    choice = DatasetChoice(dataset_args='{"samples": 32, "sleep_s": 0}', samples="all")
    return choice.subject(SLEEPING)
