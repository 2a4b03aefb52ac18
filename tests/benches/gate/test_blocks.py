"""Before a block is measured: whose code it is, which cases there are, and with which options the benches run."""

import random
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.gate.blocks import EVERYTHING, FIXED_VARIABLES, BlockRequest, BlockRunner
from loaderbench.benches.gate.revisions import NAMES, Revision
from loaderbench.benches.harness.errors import RefusedError

INSTRUMENT = {"version": "0.1.0", "digest": "abc"}


@pytest.fixture
def runner(tmp_path: Path) -> BlockRunner:
    """A runner of two revisions, each in a folder of its own."""
    for name in NAMES:
        (tmp_path / name).mkdir()
    base, head = (Revision(name=name, label=f"the {name}", root=tmp_path / name, folder=tmp_path) for name in NAMES)
    options = ("--num-workers=2", "-k", "bench_epoch")
    return BlockRunner(revisions=(base, head), options=options, folder=tmp_path, rng=random.Random(0))


def introduction(runner: BlockRunner, name: str, *benches: str, **changed: Any) -> dict[str, Any]:
    """What a revision's process says of itself."""
    cases = [{"name": f"bench_{bench}[a]", "bench": bench, "settings": {}} for bench in (*benches, "control")]
    origins = {"data:Train": str(runner.folder / name / "data.py")}
    return {"cases": cases, "origins": origins, "instrument": INSTRUMENT, **changed}


def arranged(runner: BlockRunner, head: dict[str, Any], *benches: str) -> list[str]:
    return sorted(case.key for case in runner._arrange(introduction(runner, "base", *benches), head, EVERYTHING))


def test_cases_of_both_are_measured_and_the_controls(runner: BlockRunner) -> None:
    assert arranged(runner, introduction(runner, "head", "epoch"), "epoch") == ["control[a]", "epoch[a]"]


def test_code_from_elsewhere_is_refused(runner: BlockRunner) -> None:
    astray = introduction(runner, "head", "epoch", origins={"data:Train": "/site-packages/data.py"})
    with pytest.raises(RefusedError, match=r"head \(the head\) loaded data:Train from .* an installed copy came first"):
        arranged(runner, astray, "epoch")


def test_our_own_dataset_is_no_code_of_theirs(runner: BlockRunner) -> None:
    ours = introduction(runner, "head", "epoch", origins={"text": "/site-packages/loaderbench/text.py"})
    with pytest.raises(RefusedError, match="text is loaderbench's own dataset, the same in both"):
        arranged(runner, ours, "epoch")


def test_two_different_loaderbenches_are_refused(runner: BlockRunner) -> None:
    other = introduction(runner, "head", "epoch", instrument={"version": "0.2.0", "digest": "def"})
    with pytest.raises(RefusedError, match=r"different loaderbenches: base 0\.1\.0 \(abc\), head 0\.2\.0 \(def\)"):
        arranged(runner, other, "epoch")


def test_nothing_in_common_is_refused(runner: BlockRunner) -> None:
    with pytest.raises(RefusedError, match="nothing to compare: 2 cases in base, 2 in head, none in both"):
        arranged(runner, introduction(runner, "head", "memory"), "epoch")


def test_both_run_the_same_command_on_the_same_core(runner: BlockRunner) -> None:
    base, head = runner._commands(EVERYTHING, runner.folder).values()
    assert [word for word in base if not word.startswith("--run-dir")] == [
        word for word in head if not word.startswith("--run-dir")
    ]
    assert sum(word.startswith("--placement=") for word in base) == 1


def test_an_option_of_the_user_s_comes_after_ours_and_overrides(runner: BlockRunner) -> None:
    runner.options = ("--placement", "1", "--round-time", "1")
    command = runner._commands(EVERYTHING, runner.folder)["head"]
    ours = next(place for place, word in enumerate(command) if word.startswith("--placement="))
    assert ours < command.index("--placement")
    assert command.index("--round-time=0.006") < command.index("--round-time")


def test_the_users_selection_does_not_lose_the_controls(runner: BlockRunner) -> None:
    command = runner._commands(EVERYTHING, runner.folder)["base"]
    assert command[command.index("-k") + 1] == "(bench_epoch) or bench_control"


def test_only_the_files_of_wanted_cases_are_collected_again(runner: BlockRunner) -> None:
    benches = ("epoch", "memory")
    arranged(runner, introduction(runner, "head", *benches), *benches)
    command = runner._commands(BlockRequest(cases={"epoch[a]"}), runner.folder)["head"]
    assert [word for word in command if word.startswith("loaderbench.benches.bench_")] == [
        "loaderbench.benches.bench_control",
        "loaderbench.benches.bench_epoch",
    ]


def test_the_environment_is_fixed_or_as_it_is(runner: BlockRunner) -> None:
    assert runner._environment().keys() >= set(FIXED_VARIABLES)
    runner.fixed_environment = False
    assert "OMP_WAIT_POLICY" not in runner._environment()
    assert not any(word.startswith("--placement") for word in runner._commands(EVERYTHING, runner.folder)["base"])
