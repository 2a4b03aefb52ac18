"""Progress: a line for each case, with what it showed and how long the rest will take."""

from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.benches.harness.progress import Progress, shown


class Terminal:
    """Stands for pytest's terminal: what is written, and what is rewritten in place."""

    verbosity = 0

    def __init__(self, *, isatty: bool, fullwidth: int = 80) -> None:
        self.isatty = isatty
        self.fullwidth = fullwidth
        self._tw = self
        self.written: list[str] = []
        self.rewritten: list[str] = []

    def write_line(self, line: str) -> None:
        self.written.append(line)

    def rewrite(self, line: str, *, erase: bool) -> None:
        assert erase
        self.rewritten.append(line)


def progress(terminal: Any, total: int = 2) -> Progress:
    return Progress(terminal=terminal, total=total)


def test_elsewhere_than_on_a_terminal_each_case_has_a_plain_line() -> None:
    log = Terminal(isatty=False)
    progress(log, total=1).ended("bench_epoch[text]", "5 samples/s")
    assert (log.written, log.rewritten) == (["[1/1] bench_epoch[text] 5 samples/s"], [])


def test_on_a_terminal_one_line_is_rewritten() -> None:
    screen = Terminal(isatty=True)
    both = progress(screen)
    both.tick("bench_epoch[text]", 0, 5)
    both.ended("bench_epoch[text]", "5 samples/s")
    assert screen.written == []
    assert screen.rewritten[0] == "[0/2] bench_epoch[text] · round 1 of 5"


def test_the_time_left_is_told_once_it_can_be_guessed() -> None:
    log = Terminal(isatty=False)
    both = progress(log)
    both.ended("a", "")
    both.ended("b", "")
    assert log.written[0].endswith("· 0:00 left")
    assert "left" not in log.written[1]


def test_a_line_is_cut_to_the_screen() -> None:
    screen = Terminal(isatty=True, fullwidth=20)
    progress(screen).ended("bench_epoch[" + "x" * 99, "")
    assert len(screen.rewritten[0]) == 19


def test_a_log_of_a_run_has_a_line_for_each_case(suite: Callable[..., pytest.RunResult]) -> None:
    asked = ("--dataset", "mine:Numbers", "--num-workers", "0", "--batch-size", "4,8", "--rounds", "1")
    result = suite("--pyargs", "loaderbench.benches.bench_epoch", *asked, "--round-time", "0")
    result.stdout.re_match_lines_random(
        [
            r"\[1/2\] bench_epoch\[mine\.Numbers-batch=\d\] [\d,]+ samples/s · 0:00 left$",
            r"\[2/2\] bench_epoch\[mine\.Numbers-batch=\d\] [\d,]+ samples/s$",
        ]
    )


@pytest.mark.parametrize(
    ("rounds", "words"),
    [
        ({"seconds": [1.0, 3.0], "samples": [2000.0, 4000.0]}, "1,500 samples/s"),
        ({"seconds": [1.0] * 3, "reading": [1.01, 1.02, 9.0], "truth": [1.0] * 3}, "+2.00% of the truth"),
        ({"seconds": [1.0, 1.0], "pss_bytes": [2.0**31] * 2, "base_pss_bytes": [2.0**30] * 2}, "1,024 MiB added"),
        ({"seconds": [1.0], "pss_bytes": [2.0**20], "base_pss_bytes": [3 * 2.0**20]}, "-2 MiB added"),
        ({"seconds": [0.25, 0.5, 4.0]}, "0.500 s"),
        ({}, ""),
    ],
)
def test_a_case_is_told_in_the_quantity_it_is_about(rounds: dict[str, list[float]], words: str) -> None:
    assert shown({"rounds": rounds}) == words
