"""Progress: on a terminal a bar, elsewhere a line now and then; never a thread. The clock is made up."""

import io
import threading
from contextlib import suppress

import pytest

from loaderbench.benches.harness.progress import Progress


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


def plain(log: io.StringIO, clock: Clock, total: float = 4) -> Progress:
    return Progress(total, stream=log, is_live=False, clock=clock)


def test_the_first_thing_that_ends_is_shown_at_once(log: io.StringIO, clock: Clock) -> None:
    progress = plain(log, clock)
    progress.describe("bench_epoch[text]")
    assert log.getvalue() == ""
    clock.now += 2
    progress.advance(text="bench_epoch[text] 5 samples/s")
    assert log.getvalue() == "[1/4] bench_epoch[text] 5 samples/s · 0:06 left\n"


def test_then_there_is_a_line_every_ten_seconds_at_most(log: io.StringIO, clock: Clock) -> None:
    progress = plain(log, clock, total=100)
    for _ in range(60):
        clock.now += 1
        progress.advance()
    assert len(log.getvalue().splitlines()) == 1 + 5


def test_a_long_thing_shows_that_it_is_under_way(log: io.StringIO, clock: Clock) -> None:
    progress = plain(log, clock)
    clock.now += 11
    progress.describe("a · round 2 of 3")
    assert log.getvalue() == "[0/4] a · round 2 of 3\n"


def test_time_that_passes_is_shown_now_and_then_however_often_it_is_asked(log: io.StringIO, clock: Clock) -> None:
    progress = plain(log, clock, total=100)
    progress.describe("the first block")
    for _ in range(210):
        clock.now += 0.1
        progress.tick()
    assert log.getvalue() == 2 * "[  0/100] the first block\n"


def test_the_end_says_how_long_all_of_it_took(log: io.StringIO, clock: Clock) -> None:
    with plain(log, clock, total=1) as progress:
        clock.now += 80
        progress.advance()
    assert log.getvalue().splitlines()[-1] == "[1/1] in 1:20"


def test_what_was_interrupted_says_so(log: io.StringIO, clock: Clock) -> None:
    progress = plain(log, clock)
    progress.advance()
    clock.now += 5
    with suppress(KeyboardInterrupt), progress:
        raise KeyboardInterrupt
    assert log.getvalue().splitlines()[-1] == "[1/4] interrupted after 0:05"


def test_what_ends_with_an_error_says_nothing_beside_it(log: io.StringIO) -> None:
    with pytest.raises(ValueError, match="no such row"), Progress.of_budget(300.0, stream=log, is_live=False):
        raise ValueError("no such row")
    assert log.getvalue() == ""


def test_nothing_done_leaves_no_line(log: io.StringIO, clock: Clock) -> None:
    with plain(log, clock):
        pass
    assert log.getvalue() == ""


def test_who_knows_better_how_long_the_rest_takes_is_believed(log: io.StringIO, clock: Clock) -> None:
    progress = plain(log, clock)
    progress.estimate_by(lambda: 90.0)
    clock.now += 1
    progress.advance()
    assert progress.line() == "[1/4] · 1:30 left".replace("] ·", "]  ·")


def test_a_budget_passes_by_itself(log: io.StringIO, clock: Clock) -> None:
    with Progress.of_budget(300.0, stream=log, is_live=False, clock=clock) as progress:
        clock.now += 7
        progress.describe("block 3")
        assert progress.line().startswith("[0:07 of 5:00] block 3 · ")
        progress.finish(is_whole=False)
    assert "interrupted after 0:07\n" in log.getvalue()


def test_a_line_that_must_be_read_is_written_at_once(log: io.StringIO, clock: Clock) -> None:
    plain(log, clock).say("bench_epoch[text] FAILED: ValueError: no")
    assert log.getvalue() == "bench_epoch[text] FAILED: ValueError: no\n"


def test_on_a_terminal_one_bar_is_drawn_without_a_thread(log: io.StringIO, clock: Clock) -> None:
    threads = threading.active_count()
    with Progress(2, stream=log, is_live=True, clock=clock) as progress:
        progress.describe("bench_epoch[text]")
        progress.say("bench_epoch[[table]] FAILED")
        assert threading.active_count() == threads
        progress.advance()
    assert "━" in log.getvalue()
    assert "[0/2] bench_epoch[text]" in log.getvalue()
    assert "bench_epoch[[table]] FAILED" in log.getvalue()
