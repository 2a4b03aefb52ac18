"""A program that is forked from a server prints, fails and ends as one that Python is started for."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from select import select

import pytest
from preloaded import AT_LOAD, HangingError, Running, environment
from waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python is started")

PROGRAM = """
import atexit, os, signal, sys, threading
assert __name__ == "__main__" and sys.modules["__main__"].__dict__ is globals()
print(sys.argv, sys.path[0], globals().get("__file__"), os.getcwd(), os.environ["MINE"], sys.stdin.read())
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, os.getsid(0) == os.getpid())
atexit.register(lambda: print("at exit", __name__))
how = sys.argv[1]
if how != "killed":  # which it would race with
    threading.Timer(0.01, lambda: print("a thread")).start()
if how == "fails":
    {}["zeal"]
elif how == "interrupted":
    signal.raise_signal(signal.SIGINT)
elif how == "killed":
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit({"text": "a text", "number": 300, "none": None}[how])
"""

HANGS = """
import os, time
if child := os.fork():
    print(child, flush=True)
def asleep():
    time.sleep(1000)
asleep()
"""


@pytest.mark.parametrize("how", ["fails", "interrupted", "killed", "text", "number", "none"])
@pytest.mark.parametrize("words", [["program.py"], ["-m", "pack.program"], ["-c", PROGRAM]], ids=["script", "-m", "-c"])
def test_a_forked_program_is_as_one_that_is_started(words: list[str], how: str, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    for path in ("program.py", "pack/program.py"):
        (tmp_path / path).write_text(PROGRAM)
    command, env = [sys.executable, *words, how], environment(MINE="mine")
    plain = subprocess.run(
        ["env", "--default-signal=INT", *command], cwd=tmp_path, env=env, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    with Running(command, cwd=tmp_path, env=env) as forked:
        assert (forked.wait(), forked.out) == (plain.returncode, plain.stdout)
        assert forked.err.splitlines()[-3:] == plain.stderr.splitlines()[-3:]
        assert f"{os.getpid()}" not in forked.out


def test_a_program_finds_modules_imported_unless_its_environment_differs_in_what_they_read(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('torch' in sys.modules)"]
    printed = []
    for env in (environment(), environment(**{f"{AT_LOAD[0]}HASHSEED": "1"})):
        with Running(command, cwd=tmp_path, env=env) as running:
            assert running.wait() == 0
            printed.append(running.out)
    assert printed == ["True\n", "False\n"]


def test_a_program_that_hangs_is_killed_with_all_below_it_and_shows_where_it_was(tmp_path: Path) -> None:
    with Running([sys.executable, "-c", HANGS], cwd=tmp_path, env=environment()) as running:
        assert until(lambda: bool(running.out))
        below = os.pidfd_open(int(running.out))
        with pytest.raises(HangingError, match=r"(?s)not ended after 0 s; it printed:\n\d+.*line 6 in asleep"):
            running.wait(0)
        assert running.poll() == -signal.SIGKILL
    assert select([below], [], [], 60)[0]
    os.close(below)
