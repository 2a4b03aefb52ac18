"""The project's own pytest configuration, where it would keep the benches from measuring."""

import re
from collections.abc import Sequence

import pytest

SIDE_BY_SIDE = "cases that run side by side disturb each other: run without -n (pytest-xdist), or with -n 0"

_ERROR = re.compile(r"^\s*error(?=\s*(:|$))")


def is_xdist_worker(config: pytest.Config) -> bool:
    """Return whether this process is one of several that pytest-xdist has started."""
    return hasattr(config, "workerinput")


def not_as_errors(config: pytest.Config) -> pytest.MarkDecorator | None:
    """Return the mark of a case in which a warning is no error, though ``filterwarnings`` of the project says so.

    torch warns of more workers than CPUs, or of an array that cannot be written to, and goes on; so does the user's
    training. None where no warning is an error.
    """
    given = [*config.getini("filterwarnings"), *(config.known_args_namespace.pythonwarnings or ())]
    shown = [_ERROR.sub("default", line) for line in given]
    return None if shown == given else pytest.mark.filterwarnings(*shown)


def why_nothing_was_measured(skipped: Sequence[str], *, is_disabled: bool, is_skipping: bool) -> str:
    """Return in one line why no case was measured though none failed, and what to do; `skipped` are their reasons."""
    if is_disabled:
        return "nothing was measured: --benchmark-disable runs each case once without the clock; run without it"
    if is_skipping:
        return "nothing was measured: --benchmark-skip skips every case; run without it, or with -o addopts="
    reasons = list(dict.fromkeys(skipped))
    more = len(reasons) - 1
    others = f" (and {more} other reason{'' if more == 1 else 's'})" if more > 0 else ""
    why = (
        f"every case was skipped: {reasons[0]}{others}"
        if reasons
        else "no case has ended: give it more time (--budget)"
    )
    return f"nothing was measured: {why}"
