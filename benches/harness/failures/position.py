"""Where a worker is: the line it is at when it is asked, before it is ended."""

import faulthandler
import os
import signal
from contextlib import suppress
from multiprocessing import util
from pathlib import Path
from time import monotonic, sleep

from torch.utils.data._utils import worker

from loaderbench.benches.harness.failures.failure_line import innermost_last, user_place

_SIGNAL = getattr(signal, "SIGUSR1", None)
_TORCHDATAS = str(Path("torchdata", "stateful_dataloader", "worker.py"))  # its loaders have a worker loop of their own
_ANSWERS_WITHIN_S = 2.0
_SETTLES_S = 0.05  # the dump is written in one go: what is there by then is all of it


def dump_folder() -> str:
    """Return the folder for what workers of this process dump: multiprocessing's own, which it removes at the end."""
    return str(util.get_temp_dir())


def dump_on_signal(folder: str) -> None:
    """Have this process, a worker, write where it is into `folder` when it gets SIGUSR1, unless that is in use here.

    ``faulthandler`` does it in the signal handler itself: also while C code holds the interpreter.
    """
    if _SIGNAL is None or signal.getsignal(_SIGNAL) != signal.SIG_DFL:
        return
    with suppress(OSError):  # no descriptor is left, or no folder
        file = _dump_file(folder, os.getpid()).open("w")
        faulthandler.register(_SIGNAL, file, all_threads=False)  # keeps the file


def place_of(pid: int, loop: str = worker.__file__, folder: str = "") -> str:
    """Return file and line of the user's code where the worker `pid` of this process is; nothing if it does not say.

    Only what a frame of the file `loop` has called counts. The worker dumps into `folder`, or else into this process's.
    """
    dump = _dump_file(folder or dump_folder(), pid)
    if _SIGNAL is None or not dump.exists():
        return ""
    with suppress(ProcessLookupError):
        os.kill(pid, _SIGNAL)
    end = monotonic() + _ANSWERS_WITHIN_S
    while not dump.stat().st_size and monotonic() < end:
        sleep(_SETTLES_S)
    sleep(_SETTLES_S)
    return user_place(frames_of_worker(innermost_last(dump.read_text(encoding="utf-8", errors="replace")), loop))


def frames_of_worker(frames: list[tuple[str, int]], loop: str = worker.__file__) -> list[tuple[str, int]]:
    """Return the frames that a worker's loop, of torch or torchdata or in the file `loop`, has called.

    Those below it a forked worker has of its parent.
    """
    loops = [number for number, (path, _) in enumerate(frames) if path == loop or path.endswith(_TORCHDATAS)]
    return frames[loops[-1] + 1 :] if loops else frames


def _dump_file(folder: str, pid: int) -> Path:
    return Path(folder) / f"worker-{pid}.txt"
