"""What a process is waited for: a question, its end, the limit after which it hangs, the end of the block's time."""

import math
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace

import pytest

from loaderbench.benches.gate.fork_server import BlockCutError, ProcessEndedError
from loaderbench.benches.gate.revisions import Revision
from loaderbench.benches.gate.scheduler import RevisionProcess

Waited = Callable[..., RevisionProcess]


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
