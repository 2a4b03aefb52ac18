"""Signals and processes of a script are as without a watch, and what was seen before its end is kept."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM

import pytest
from preloaded import LOADERBENCH, Running, environment
from torch.utils.data import DataLoader

from loaderbench.benches.watch.session import SAVE_FIRST_S, WatchSession, show
from loaderbench.reports.watch.watch_record import Watched

# Spawned processes import it anew: torch is imported by whoever needs it alone.
SCRIPT = """
import atexit, multiprocessing, os, signal, sys

class Train:
    def __len__(self):
        return 40
    def __getitem__(self, index):
        return index

def say(*words):
    print(*words, flush=True)

def batches():
    from torch.utils.data import DataLoader
    return DataLoader(Train(), batch_size=4)

def reads():
    say("a process of its own read", sum(1 for _ in batches()), "batches")

def leaves():
    say("a process of its own left", multiprocessing.parent_process().name)
    sys.exit(5)

def own():
    for number in (signal.SIGUSR2, signal.SIGINT):
        signal.signal(number, lambda number, frame: say("got", number))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    for step, batch in enumerate(batches()):
        if step == 2:
            os.kill(os.getpid(), signal.SIGUSR2)
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        if step == 4 and os.fork() == 0:
            continue
        if step == 4:
            say("the fork ended with", os.waitstatus_to_exitcode(os.wait()[1]))
            for method, target in (("fork", reads), ("spawn", leaves)):
                process = multiprocessing.get_context(method).Process(target=target)
                process.start()
                process.join()
                say(method, process.exitcode)
        if step == 6:
            os.kill(os.getpid(), signal.SIGTERM)

def default(number):
    say(signal.getsignal(number))
    for step, batch in enumerate(batches()):
        if step == 6:
            os.kill(os.getpid(), number)

if __name__ == "__main__":
    atexit.register(lambda: say("at exit"))
    own() if sys.argv[1] == "own" else default(int(sys.argv[1]))
"""


@dataclass(frozen=True)
class Ended:
    out: str
    err: str
    code: int


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ended]:
    folder = tmp_path_factory.mktemp("script")
    (folder / "train.py").write_text(SCRIPT)

    def run(*words: str, how: str) -> Ended:
        with Running([*words, "train.py", how], cwd=folder, env=environment()) as program:
            code = program.wait()
            return Ended(program.out, program.err, code)

    return run


@pytest.mark.parametrize(("how", "code"), [("own", 9), (str(int(SIGINT)), -SIGINT), (str(int(SIGTERM)), -SIGTERM)])
def test_signals_forks_and_exit_codes_are_as_without_a_watch(
    ended: Callable[..., Ended], tmp_path: Path, how: str, code: int
) -> None:
    plain, out = ended(sys.executable, how=how), tmp_path / "out"
    watched = ended(*LOADERBENCH, "watch", "--out", str(out), how=how)
    assert (watched.out, watched.code) == (plain.out, plain.code)
    assert watched.code == code
    assert watched.err.startswith(plain.err)
    if code == -SIGTERM:  # nothing can be written then
        return
    record = Watched.read(out)
    assert (record.ending, record.loaders[0].steps) == ("interrupted" if code < 0 else "failed", 7)
    assert watched.err.count("watch.html") == 1  # no process that it forked has a report


def test_what_a_killed_script_has_done_is_on_disk_after_a_few_seconds(tmp_path: Path) -> None:
    session = WatchSession(folder=tmp_path / "out", script="train.py")
    recorder = session.recorder
    with session.watching():
        list(DataLoader([1, 2, 3]))  # type: ignore[arg-type]
        recorder.look(recorder, recorder.began + SAVE_FIRST_S)
        record = Watched.read(tmp_path / "out")
        assert (record.ending, record.loaders[0].steps) == ("running", 3)
        recorder.owner += 1  # as in a process that was forked
        show(session, session.finish("finished"))
    assert Watched.read(tmp_path / "out") == record


def test_a_script_goes_on_where_what_was_seen_cannot_be_saved_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("no folder")
    session = WatchSession(folder=tmp_path / "out", script="train.py", stream=io.StringIO())
    session._look(session.recorder, session.recorder.began + 2 * SAVE_FIRST_S)
    assert session._save_due > session.recorder.began + 2 * SAVE_FIRST_S
