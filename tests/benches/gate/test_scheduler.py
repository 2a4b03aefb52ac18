"""What a process is waited for: a question, its end, the limit after which it hangs, the end of the block's time."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loaderbench.benches.gate.revisions import Revision
from loaderbench.benches.gate.scheduler import BlockCutError, ProcessEndedError, RevisionProcess

Start = Callable[..., RevisionProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process that asks nothing, with its limits."""
    started = []

    def start(code: str, *, limit_s: float = 300.0, until: float = math.inf) -> RevisionProcess:
        revision, log = Revision(name="base", label="made up", folder=tmp_path), tmp_path / "log"
        command = [sys.executable, "-c", code]
        started.append(RevisionProcess.start(revision, command, {}, log, limit_s=limit_s, until=until))
        return started[-1]

    yield start
    for process in started:
        process.end()


def test_a_block_whose_time_is_over_is_cut(start: Start) -> None:
    with pytest.raises(BlockCutError):
        start("import time; time.sleep(100)", until=time.monotonic()).next_question()


def test_a_process_that_asks_nothing_hangs(start: Start) -> None:
    with pytest.raises(ProcessEndedError, match="base asked for nothing in 0 s: it hangs"):
        start("import time; time.sleep(100)", limit_s=0.1).next_question()


def test_a_process_that_has_ended_asks_nothing_more(start: Start) -> None:
    process = start("print('ModuleNotFoundError: no data')")
    assert process.next_question() is None
    assert process.last_line() == "ModuleNotFoundError: no data"
