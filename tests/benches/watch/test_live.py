"""The line that is shown while a script runs."""

import io
import sys
from array import array
from types import SimpleNamespace

import pytest

from loaderbench.benches.watch.live import LiveLine, slowest
from loaderbench.benches.watch.observing.traces import EpochTrace, LoaderTrace


def trace(*times: tuple[float, float]) -> LoaderTrace:
    """A loader that was asked for batches and delivered them at these times."""
    loader = LoaderTrace(name="train.py:31", steps=len(times))
    epoch = EpochTrace(loader, 0.0, 0.0)
    epoch.requested = array("d", [requested for requested, _ in times])
    epoch.received = array("d", [received for _, received in times])
    loader.epochs.append(epoch)
    return loader


def test_on_a_terminal_the_line_is_drawn_over_itself_and_cleared() -> None:
    stream = io.StringIO()
    line = LiveLine(stream=stream, is_live=True)
    line.show([trace((0.0, 1.0))], 1, 1.0)
    line.show([trace((0.0, 1.0), (2.0, 2.5))], 2, 3.0)
    line.clear()
    line.clear()
    assert stream.getvalue() == (
        "\r\x1b[Kstep 1 · slowest wait 1 s (train.py:31)\r"
        "\r\x1b[Kstep 2 · 0.5 steps/s · waiting for data 25% of the time · slowest wait 1 s (train.py:31)\r"
        "\r\x1b[K"
    )


def test_elsewhere_it_is_a_line_every_ten_seconds() -> None:
    stream = io.StringIO()
    line = LiveLine(stream=stream, is_live=False)
    for now in range(1, 24):
        line.show([trace((0.0, 0.5))], 1, float(now))
    assert stream.getvalue().count("\n") == 2
    assert "\x1b" not in stream.getvalue()


def test_above_a_bar_of_tqdm_it_is_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = SimpleNamespace(tqdm=SimpleNamespace(_instances={"a bar"}))
    monkeypatch.setitem(sys.modules, "tqdm.std", bars)  # type: ignore[arg-type]
    for is_live, begins in ((True, "\r\x1b[Kstep 1"), (False, "\nstep 1")):
        stream = io.StringIO()
        line = LiveLine(stream=stream, is_live=is_live)
        for now in range(1, 15):
            line.show([trace((0.0, 0.5))], 1, float(now))
        assert stream.getvalue().startswith(begins)
        assert stream.getvalue().count("step") == 2  # steps, and steps/s: one line
        assert stream.getvalue().endswith("\n")


def test_the_start_of_workers_is_waiting() -> None:
    stream, loader = io.StringIO(), trace((4.0, 4.0), (5.0, 5.0))
    line = LiveLine(stream=stream, is_live=True)
    line.show([], 0, 0.0)
    loader.epochs[0].started = 4.0
    line.show([loader], 2, 8.0)
    line.show([loader], 2, 8.0)
    assert stream.getvalue().count("waiting for data 50% of the time") == 2


def test_only_recent_waits_count_as_the_slowest() -> None:
    loaders = [trace((0.0, 9.0), (20.0, 20.25)), trace((19.0, 19.5))]
    assert slowest(loaders, since=15.0) == (0.5, "train.py:31")
    assert slowest(loaders, since=30.0) == (0.0, "")


@pytest.mark.parametrize("is_live", [True, None], ids=["told", "asked"])
def test_a_stream_that_nobody_reads_is_not_written_to_again(is_live: bool | None) -> None:
    stream = io.StringIO()
    line = LiveLine(stream=stream, is_live=is_live)
    stream.close()
    for now in (1.0, 20.0):
        line.show([trace((0.0, 1.0))], 1, now)
    assert line.is_live is False


def test_a_process_without_an_error_stream_has_no_line() -> None:
    line = LiveLine(stream=None)  # type: ignore[arg-type]  # as sys.stderr may be
    for now in (1.0, 20.0):
        line.show([trace((0.0, 1.0))], 1, now)
    assert line.is_live is False
