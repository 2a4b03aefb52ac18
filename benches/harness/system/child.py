"""Work in a process of its own: whatever it does to the objects that it was forked with stays there."""

import ctypes
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

import psutil
import torch
from threadpoolctl import threadpool_info

Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1  # prctl(2)
_OMP_PAUSE_HARD = 2  # omp_pause_resource_t
_ENDS_WITHIN_S = 10.0  # once the result is here
_FORK = get_context("fork")


class ChildError(Exception):
    """A child process died, took too long, or raised what cannot be sent: the message says which."""


class RemoteTraceback(Exception):  # noqa: N818 - shown as the cause of an error, as concurrent.futures does
    """The traceback of an error in the process that raised it."""


def in_child(work: Callable[[], Result], *, timeout_s: float | None = None) -> Result:
    """Return what `work` returns in a process forked for it; the process and all that it started are then gone.

    What `work` raises is raised here, with its traceback there as the cause; SystemExit, which would end this process,
    as a ChildError. Raises ChildError too where the process was killed, or did not end within `timeout_s` seconds.

    Threads of OpenMP do not survive a fork, and a process forked from one that has used them would wait for them for
    ever. So they are ended here before the fork, and either process starts its own when it next needs them; where they
    cannot be ended, torch computes in one thread there.
    """
    has_threads = not end_openmp_threads()
    here, there = _FORK.Pipe(duplex=False)
    child = _FORK.Process(target=_run, args=(work, there, has_threads), daemon=False)
    child.start()
    there.close()
    ends_within_s = 0.0
    try:
        if not here.poll(timeout_s):
            raise ChildError(f"not done after {timeout_s:g} s")
        is_done, outcome, text = pickle.loads(here.recv_bytes())  # noqa: S301 - from our own child
        ends_within_s = _ENDS_WITHIN_S
    except EOFError:
        child.join()
        raise ChildError(_death(child.exitcode)) from None
    finally:
        here.close()
        child.join(ends_within_s)
        if child.is_alive():
            _kill(psutil.Process(child.pid))
            child.join()
    if is_done:
        return outcome  # type: ignore[no-any-return]
    raise outcome from RemoteTraceback(f"\n{text}")


def end_openmp_threads() -> bool:
    """End the threads of every OpenMP library here, idle as they are, and return whether all of them could be.

    OpenMP 5.0 has the function for it, and libgomp since GCC 10. LLVM's and Intel's libraries survive a fork anyway.
    """
    libraries = [ctypes.CDLL(pool["filepath"]) for pool in threadpool_info() if pool["prefix"] == "libgomp"]
    pauses = [getattr(library, "omp_pause_resource_all", None) for library in libraries]
    return all(pause is not None and pause(_OMP_PAUSE_HARD) == 0 for pause in pauses)


def dies_with_parent() -> None:
    """Have Linux kill this process at once when its parent dies; elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(work: Callable[[], object], connection: Connection, has_threads: bool) -> None:
    dies_with_parent()
    if has_threads:
        torch.set_num_threads(1)
    try:
        message = pickle.dumps((True, work(), ""))
    except BaseException as error:  # noqa: BLE001 - of any kind: the parent raises it
        message = pickle.dumps((False, _sendable(error), traceback.format_exc()))
    with suppress(BrokenPipeError):  # the parent no longer waits
        connection.send_bytes(message)
    connection.close()


def _sendable(error: BaseException) -> BaseException:
    """Return `error` if it survives being pickled, else a ChildError with its type and message; so for SystemExit."""
    if isinstance(error, Exception):
        with suppress(Exception):
            if type(pickle.loads(pickle.dumps(error))) is type(error):  # noqa: S301 - our own
                return error
    text = str(error)
    return ChildError(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = ": by the kernel, if memory was short" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{hint}"
    return f"its process ended with exit code {exitcode}"


def _kill(process: psutil.Process) -> None:
    """Kill `process` and all below it."""
    for doomed in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            doomed.kill()
