"""Who has the turn, and what a process is waited for: a question, its end, its limit, the end of the block's time."""

import json
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace

import pytest

from loaderbench.benches.gate.case_matching import MatchedCase
from loaderbench.benches.gate.fork_server import BlockCutError, ProcessEndedError
from loaderbench.benches.gate.revisions import NAMES, Revision
from loaderbench.benches.gate.scheduler import BlockSchedule, RevisionProcess, Scheduler
from loaderbench.benches.harness.session.turns import SET_UP, TEAR_DOWN

Waited = Callable[..., RevisionProcess]
CASE = MatchedCase(key="case", bench="epoch", settings={}, names={"base": "case", "head": "case"})
AFFORDABLE = {"base": 8, "head": 3}  # rounds, as each would choose


@pytest.fixture
def waited(tmp_path: Path) -> Iterator[Waited]:
    """Stand in for a process that asks nothing, and has perhaps ended."""
    here, there = Pipe()
    (tmp_path / "log").write_text("ModuleNotFoundError: no data\n")

    def of(*, code: int | None = None, limit_s: float = 300.0, until: float = math.inf) -> RevisionProcess:
        return RevisionProcess(
            revision=Revision(name="base", label="made up", folder=tmp_path),
            process=SimpleNamespace(poll=lambda: code),  # type: ignore[arg-type]
            connection=here,
            log=tmp_path / "log",
            limit_s=limit_s,
            until=until,
        )

    with here, there:
        yield of


def test_a_block_whose_time_is_over_is_cut(waited: Waited) -> None:
    with pytest.raises(BlockCutError):
        waited(until=time.monotonic()).next_question()


def test_a_process_that_asks_nothing_hangs(waited: Waited) -> None:
    with pytest.raises(ProcessEndedError, match="base asked for nothing in 0 s: it hangs"):
        waited(limit_s=0.1).next_question()


def test_a_process_that_has_ended_asks_nothing_more(waited: Waited) -> None:
    process = waited(code=1)
    assert process.next_question() is None
    assert process.last_line() == "ModuleNotFoundError: no data"


class Measuring(threading.Thread):
    """Stand in for a process of one case and two rounds; `work` is called with what it has the turn for."""

    def __init__(self, tmp_path: Path, name: str, work: Callable[[int], object]) -> None:
        super().__init__(daemon=True)
        self.code: int | None = None
        here, self._there = Pipe()
        self.work = work
        self.process = RevisionProcess(
            revision=Revision(name=name, label="made up", folder=tmp_path),
            process=SimpleNamespace(poll=lambda: self.code, end=lambda: None),  # type: ignore[arg-type]
            connection=here,
            log=tmp_path / "log",
            limit_s=20.0,
        )
        self.start()

    def run(self) -> None:
        self._ask(cases=[], instrument={}, origins={})
        for turn in (SET_UP, 0, 1, TEAR_DOWN):
            self._ask(case="case", round=turn)
            self.work(turn)
            if turn == SET_UP:
                self._ask(agree="rounds", value=AFFORDABLE[self.process.revision.name])
        self._ask_of(leave=True)

    def _ask(self, **question: object) -> None:
        self._ask_of(**question)
        self._there.recv_bytes()

    def _ask_of(self, **question: object) -> None:
        self._there.send_bytes(json.dumps(question).encode())


def run_block(tmp_path: Path, agreed: dict[str, int], work: Callable[[str, int], object]) -> BlockSchedule:
    """Run a block of one case; `work` is called with the revision and with what it has the turn for."""
    return Scheduler(
        processes=[Measuring(tmp_path, name, partial(work, name)).process for name in NAMES],
        arrange=lambda _base, _head: [CASE],
        rng=random.Random(0),
        agreed=agreed,
        on_turn=lambda: None,
    ).run()


def test_rounds_and_the_first_set_up_of_a_case_are_never_at_once(tmp_path: Path) -> None:
    alone = threading.Lock()

    def work(_name: str, turn: int) -> None:
        if turn != TEAR_DOWN:
            assert alone.acquire(blocking=False)
            time.sleep(0.02)
            alone.release()

    schedule = run_block(tmp_path, {}, work)
    assert [(turn.case, turn.round) for turn in schedule.turns] == [(0, 0), (0, 0), (0, 1), (0, 1)]
    assert {turn.revision for turn in schedule.turns[:2]} == set(NAMES)


def test_a_case_of_which_the_rounds_are_agreed_is_set_up_and_ended_by_both_at_once(tmp_path: Path) -> None:
    met = {turn: threading.Barrier(2, timeout=20) for turn in (SET_UP, TEAR_DOWN)}  # broken if one comes alone

    def work(_name: str, turn: int) -> None:
        if turn in met:
            met[turn].wait()

    schedule = run_block(tmp_path, {"rounds of case": 2}, work)
    assert len(schedule.turns) == 4
    assert not any(barrier.broken for barrier in met.values())


def test_rounds_are_fewer_where_one_cannot_afford_as_many_but_not_where_both_were_warmed_up_at_once(
    tmp_path: Path,
) -> None:
    alone: dict[str, int] = {}
    run_block(tmp_path, alone, lambda _name, _turn: None)
    assert alone == {"rounds of case": min(AFFORDABLE.values())}
    at_once = {"rounds of case": 9}
    run_block(tmp_path, at_once, lambda _name, _turn: None)
    assert at_once == {"rounds of case": 9}


def test_a_process_that_is_killed_while_it_waits_leaves_a_reason(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Killed\n")
    made: dict[str, Measuring] = {}

    def work(name: str, turn: int) -> None:
        if (name, turn) == ("base", 0):  # head then waits, or will
            made["head"].code = -9

    made |= {name: Measuring(tmp_path, name, partial(work, name)) for name in NAMES}
    schedule = Scheduler(
        processes=[made[name].process for name in NAMES],
        arrange=lambda _base, _head: [CASE],
        rng=random.Random(0),
        agreed={},
        on_turn=lambda: None,
    ).run()
    assert schedule.faults == {"head": "head ended in the middle: Killed"}
