"""Descriptors in reserve: of use where user code has opened all others."""

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.descriptors import Reserve


@pytest.fixture
def few() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def use_up(stack: ExitStack) -> None:
    with suppress(OSError):
        while True:
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))


@pytest.mark.usefixtures("few")
def test_where_all_are_used_up_a_file_can_still_be_written(tmp_path: Path) -> None:
    reserve = Reserve(count=3)
    reserve.refill()
    with ExitStack() as stack:
        use_up(stack)
        with pytest.raises(OSError, match="Too many open files"):
            (tmp_path / "a").write_text("")
        with reserve.released():
            (tmp_path / "a").write_text("written")
        with pytest.raises(OSError, match="Too many open files"):
            (tmp_path / "b").write_text("")
    reserve.release()
    assert (tmp_path / "a").read_text() == "written"


def test_a_forked_process_has_what_it_would_have_without(tmp_path: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = in_child(count)
    reserve = Reserve(count=7)
    reserve.refill()
    assert in_child(count) == before
    reserve.release()
