"""A background load: it runs while the revision that it is for has its turn, and at no other time."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
from waiting import until

from loaderbench.benches.gate.background_load import BackgroundLoad

OWNER = """
import signal, sys
from loaderbench.benches.gate.background_load import BackgroundLoad
with BackgroundLoad(loaded="head") as load:
    load.before_turn("head")
    print(flush=True)
    signal.pause()
"""


def busy(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "while True" in " ".join(child.cmdline())]


def are(processes: list[psutil.Process], *, stopped: bool) -> bool:
    return all((process.status() == psutil.STATUS_STOPPED) is stopped for process in processes)


def test_it_runs_in_the_turns_of_its_revision_alone_and_ends_with_the_block(no_strays: None) -> None:
    with BackgroundLoad(loaded="head") as load:
        processes = busy(psutil.Process())
        assert len(processes) == os.cpu_count()
        assert until(lambda: are(processes, stopped=True))
        load.before_turn("head")
        assert until(lambda: are(processes, stopped=False))
        load.before_turn("base")
        assert until(lambda: are(processes, stopped=True))
    assert not any(process.is_running() for process in processes)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with the one that started it")
def test_it_ends_although_the_process_that_started_it_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline()
        processes = busy(psutil.Process(owner.pid))
        owner.send_signal(signal.SIGKILL)
    assert processes
    assert until(lambda: not any(process.is_running() for process in processes))
