"""Bursts of other work: they end when whoever started them does, however that ends."""

import os
import signal
import subprocess
import sys
import time

import psutil

from prove.commands import ROOT


def test_killed_they_leave_nothing_behind() -> None:
    program = [sys.executable, "-m", "prove.bursts", "0.01"]
    with subprocess.Popen(program, cwd=ROOT) as started:
        until = time.monotonic() + 60
        while not (bursts := psutil.Process(started.pid).children()) and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(started.pid, signal.SIGKILL)
    assert bursts
    _, alive = psutil.wait_procs(bursts, timeout=60)
    assert not alive
