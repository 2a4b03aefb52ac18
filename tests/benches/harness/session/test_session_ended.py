"""What ends a run from outside: a record that survives it, workers that go with it, and a run that goes on."""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from preloaded import Running
from small_disk import on_small_disk

BRIEF = ("--rounds", "1", "--round-time", "0")
SLOW = """
import time
from pathlib import Path

RECORD = Path("run/run.jsonl")

class Slow:
    def __len__(self):
        return 24

    def __getitem__(self, index):
        while Path("hold").exists() and RECORD.exists() and RECORD.read_text().count("\\n") >= 3:
            time.sleep(0.1)  # two cases have ended
        return range(24)[index]
"""
FOUR = (
    *("--dataset", "slow:Slow", "--num-workers", "2", "--batch-size", "1,2,3,4"),
    *("--rounds", "2", "--round-time", "0.1"),
)


@dataclass(frozen=True)
class Ended:
    """A run that was ended from outside when two of its four cases had been recorded."""

    place: Any
    ret: int
    out: str
    under_way: list[dict[str, Any]]  # lines of the growing record just before
    after: list[dict[str, Any]]  # and after it was dead
    emptied: bool  # whether its workers went too


def epochs(place: Any) -> Any:
    """The place, with one bench to run."""
    return replace(place, benches="loaderbench.benches.bench_epoch")


def ended_by(place: Any, end: Callable[[Running], None]) -> Ended:
    place = epochs(place).write(slow=SLOW)
    growing = place.folder / "run" / "run.jsonl"
    (place.folder / "hold").touch()  # in the third case
    with place.start(*FOUR) as run:
        place.soon(lambda: run.poll() is not None or len(lines(growing)) >= 3)
        under_way = lines(growing)
        end(run)
        ret = run.wait()
        (place.folder / "hold").unlink()
        after = lines(growing)
        return Ended(place=place, ret=ret, out=run.out, under_way=under_way, after=after, emptied=place.emptied())


def lines(growing: Path) -> list[dict[str, Any]]:
    """Whole lines of a growing record that may just be written."""
    text = growing.read_text() if growing.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


@pytest.fixture(scope="module")
def killed(places: Callable[[str], Any]) -> Ended:
    return ended_by(places("killed"), lambda run: run.send_signal(signal.SIGKILL))


@pytest.fixture(scope="module")
def resumed(killed: Ended) -> Any:
    return killed.place.call(killed.place.command("--resume", "run", *FOUR))


@pytest.fixture(scope="module")
def interrupted(places: Callable[[str], Any]) -> Ended:
    return ended_by(places("interrupted"), Running.press_ctrl_c)


def test_a_case_is_on_disk_while_the_next_one_runs(killed: Ended) -> None:
    head, *cases = killed.under_way
    assert head["loaderbench"]["planned"] == 4
    assert len(cases) >= 2
    assert all(len(case["benchmark"]["extra_info"]["rounds"]["seconds"]) == 2 for case in cases)


def test_cases_stand_on_disk_in_the_order_of_the_plan(killed: Ended) -> None:
    head, *cases = killed.after
    assert [case["benchmark"]["name"] for case in cases] == head["loaderbench"]["order"][: len(cases)]


def test_a_killed_run_loses_only_the_case_under_way(killed: Ended) -> None:
    assert killed.ret == -signal.SIGKILL
    assert killed.after[: len(killed.under_way)] == killed.under_way


def test_a_killed_run_s_workers_vanish(killed: Ended) -> None:
    assert killed.emptied


def test_a_killed_run_is_completed_in_its_own_folder(killed: Ended, resumed: Any) -> None:
    assert resumed.ret == 0
    assert resumed.ours["complete"] is True
    assert resumed.ours["run"] == killed.after[0]["loaderbench"]["run"]
    assert len(resumed.benchmarks) == 4


def test_a_resumed_run_keeps_what_was_measured(killed: Ended, resumed: Any) -> None:
    kept = [line["benchmark"] for line in killed.after[1:]]
    assert resumed.record["benchmarks"][: len(kept)] == kept


def test_a_resumed_run_runs_only_what_is_missing(killed: Ended, resumed: Any) -> None:
    missing = 4 - len(killed.after[1:])
    assert f"{missing} passed" in resumed.out


def test_a_resumed_run_leaves_one_file(killed: Ended, resumed: Any) -> None:
    assert [file.name for file in (killed.place.folder / "run").iterdir()] == ["run.json"]


def test_an_interrupted_run_writes_its_record_as_far_as_it_came(interrupted: Ended) -> None:
    written = json.loads((interrupted.place.folder / "run" / "run.json").read_text())
    recorded = [{"benchmark": case} for case in written["benchmarks"]]
    assert recorded[: len(interrupted.under_way) - 1] == interrupted.under_way[1:]
    assert written["loaderbench"]["complete"] is False
    assert written["loaderbench"]["finished"]


def test_an_interrupted_run_says_how_to_go_on(interrupted: Ended) -> None:
    assert interrupted.ret == pytest.ExitCode.INTERRUPTED, interrupted.out
    assert "not reached" in interrupted.out
    assert "resume: the same command with --resume run" in interrupted.out


def test_an_interrupted_run_leaves_no_worker(interrupted: Ended) -> None:
    assert interrupted.emptied


STUCK = """
from pathlib import Path

from torch.utils.data import get_worker_info

from loaderbench.datasets.synthetic.known_cost import Hanging

class Stuck(Hanging):
    def __getitem__(self, index):
        if get_worker_info() is not None:
            Path("stuck").touch()
        return super().__getitem__(index)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker is not told of its parent's death")
def test_a_killed_run_s_workers_vanish_though_they_hang(place: Any) -> None:
    place = epochs(place).write(stuck=STUCK)
    asked = ("--dataset", "stuck:Stuck", "--dataset-args", '{"samples": 8, "fault_index": 0}', *BRIEF)
    with place.start(*asked, "--num-workers", "1", "--batch-size", "8", "--start-method", "spawn") as run:
        hanging = place.has("stuck")
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert hanging
    assert place.emptied()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_ends_the_run_in_a_line_and_loses_nothing_recorded(place: Any) -> None:
    sizes = ",".join(str(size) for size in range(2, 12))
    asked = ("--dataset", "plain:train", "--num-workers", "0", "--batch-size", sizes, *BRIEF)
    suite = epochs(place).write(plain="train = list(range(20))").command("--run-dir", "disk/run", *asked)
    ended = place.call(on_small_disk("disk", "16k", suite, then="shutil.copytree('disk/run', 'run')"))
    errors = [line.strip("! ") for line in ended.out.splitlines() if line.startswith("!")]
    _, *cases = lines(ended.folder / "run.jsonl")
    assert errors == ["disk/run cannot be written: No space left on device"]
    assert f"{len(cases)} cases measured, 0 failed, 0 skipped, {10 - len(cases)} not reached" in ended.out
    assert "record: disk/run/run.jsonl (No space left on device)" in ended.out
    assert [file.name for file in ended.folder.iterdir()] == ["run.jsonl"]
    assert "Traceback" not in ended.out + ended.err
    assert len(cases) >= 3
    assert ended.ret == pytest.ExitCode.TESTS_FAILED
