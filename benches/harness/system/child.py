"""Work in a process of its own: whatever it does to the objects that it was forked with stays there."""

import ctypes
import gc
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from functools import wraps
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil
import torch
from threadpoolctl import threadpool_info

from loaderbench.benches.harness.system.interruption import late_ctrl_c
from loaderbench.benches.harness.system.own_folder import own_folder

Result = TypeVar("Result")
Key = TypeVar("Key")
Argument = TypeVar("Argument")

_PR_SET_PDEATHSIG = 1  # prctl(2)
_OMP_PAUSE_HARD = 2  # omp_pause_resource_t
_ENDS_WITHIN_S = 10.0  # once its work has been left
_TERMINATES_WITHIN_S = 1.0
_FORK = get_context("fork")


class ChildError(Exception):
    """A child process died, took too long, or raised what cannot be sent: the message says which."""


class LateChildError(ChildError):
    """A child process took too long."""


class RemoteTraceback(Exception):  # noqa: N818 - shown as the cause of an error, as concurrent.futures does
    """The traceback of an error in the process that raised it."""


class Child:
    """A process forked for `manager`, a context manager, which is entered there, and left there at the end.

    In between, `call` has methods called there of what entering it returned, one at a time. What is raised there is
    raised here, with its traceback there as the cause; SystemExit, which would end this process, as a ChildError.
    Raises ChildError too where the process was killed. At the end the process and all that it started are gone.

    Ctrl-C reaches this process alone, which then kills the other one and all below it.

    Threads of OpenMP do not survive a fork, and a process forked from one that has used them would wait for them for
    ever. So they are ended here before the fork, and either process starts its own when it next needs them; where they
    cannot be ended, torch computes in one thread there.
    """

    def __init__(self, manager: AbstractContextManager[Any]) -> None:
        self._manager = manager
        self._is_lost = False  # whether it no longer answers

    def __enter__(self) -> Self:
        with ExitStack() as if_it_fails:
            with late_ctrl_c():
                self._start()
                if_it_fails.callback(self._end, 0.0)
            self._ask("enter")
            if_it_fails.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        is_orderly = not self._is_lost and (error is None or isinstance(error, Exception))
        ends_within_s = 0.0
        try:
            if is_orderly:
                self._ask("leave")
                ends_within_s = _ENDS_WITHIN_S
        except Exception:
            if error is None:  # else that is the one to raise
                raise
        finally:
            self._end(ends_within_s)

    def _start(self) -> None:
        has_threads = not end_openmp_threads()
        self._here, there = _FORK.Pipe()
        arguments = (_Server(self._manager), self._here, there, has_threads)
        self._process = _FORK.Process(target=_serve, args=arguments, daemon=False)
        self._remove_folder = own_folder(self._process)
        try:
            self._process.start()
        except BaseException:
            self._remove_folder()
            raise
        there.close()
        self._exited = _exited(self._process)

    def call(self, method: str, *arguments: Any, timeout_s: float | None = None) -> Any:
        """Return what `method` returns there; raises ChildError where that takes longer than `timeout_s` seconds."""
        return self._ask("call", method, arguments, timeout_s=timeout_s)

    def _ask(self, *request: Any, timeout_s: float | None = None) -> Any:
        try:
            with suppress(ConnectionError):  # it has died: there is no answer either
                self._here.send_bytes(pickle.dumps(request))
            is_done, outcome, text = self._answer(timeout_s)
        except BaseException:
            self._is_lost = True
            raise
        if is_done:
            return outcome
        raise outcome from RemoteTraceback(f"\n{text}")

    def _answer(self, timeout_s: float | None) -> tuple[bool, Any, str]:
        # Not by the end of the pipe: a process that it started and left behind may hold that open.
        ready = wait([self._here, self._exited], timeout_s)
        if not ready:
            raise LateChildError(f"not done after {timeout_s:g} s")
        with suppress(EOFError, ConnectionError):
            if self._here in ready:
                return pickle.loads(self._here.recv_bytes())  # type: ignore[no-any-return]  # noqa: S301 - our own
        self._process.join()
        raise ChildError(_death(self._process.exitcode))

    def _end(self, within_s: float) -> None:
        self._here.close()
        self._process.join(within_s)
        if self._process.is_alive():
            process = psutil.Process(self._process.pid)
            below = process.children(recursive=True)
            process.kill()
            self._process.join()
            _end_all(below)
        if self._exited != self._process.sentinel:
            os.close(self._exited)
        self._process.close()
        self._remove_folder()


def freeze_objects() -> None:
    """Take every object that this process has out of garbage collection, before a dataset is built and forks are made.

    What pytest, torch and pandas hold is no part of what is measured. A forked process that looks at all of it for
    garbage copies it, page by page: that was 0.3 s in up to a tenth of the passes that take 30 ms.
    """
    gc.collect()
    gc.freeze()


def in_child(work: Callable[[], Result], *, timeout_s: float | None = None) -> Result:
    """Return what `work` returns in a process forked for it, a `Child`; the process is then gone.

    What `work` raises is raised here, as by `Child`; ChildError too where it takes longer than `timeout_s` seconds.
    """
    with Child(nullcontext(work)) as child:
        return child.call("__call__", timeout_s=timeout_s)  # type: ignore[no-any-return]


def once_in_child(read: Callable[[Key, Argument], Result]) -> Callable[[Key, Argument], Result]:
    """Return `read` as it answers in a process forked for it, once for each key and object; what it raises is not kept.

    The object, a dataset, need not be hashable: it is kept beside its answer, so that no other one gets its id. Answers
    that this process has, processes forked from it have too.
    """
    answers: dict[tuple[Key, int], tuple[Argument, Result]] = {}

    @wraps(read)
    def once(key: Key, argument: Argument) -> Result:
        if not _is_hashable(key):
            return in_child(lambda: read(key, argument))
        if (key, id(argument)) not in answers:
            answers[key, id(argument)] = (argument, in_child(lambda: read(key, argument)))
        return answers[key, id(argument)][1]

    return once


def _is_hashable(key: object) -> bool:
    try:
        hash(key)
    except TypeError:  # a config whose sampler is a list
        return False
    return True


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


class _Server:
    """What answers in the other process."""

    def __init__(self, manager: AbstractContextManager[Any]) -> None:
        self._manager = manager
        self._target: Any = None

    def enter(self) -> None:
        self._target = self._manager.__enter__()

    def call(self, method: str, arguments: tuple[Any, ...]) -> Any:
        return getattr(self._target, method)(*arguments)

    def leave(self) -> None:
        self._manager.__exit__(None, None, None)


def _serve(server: _Server, parents_end: Connection, connection: Connection, has_threads: bool) -> None:
    dies_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parents_end.close()
    if has_threads:
        torch.set_num_threads(1)
    with suppress(EOFError, ConnectionError), connection:  # the parent needs nothing more
        while True:
            name, *arguments = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own parent
            try:
                message = pickle.dumps((True, getattr(server, name)(*arguments), ""))
            except BaseException as error:  # noqa: BLE001 - of any kind: the parent raises it
                message = pickle.dumps((False, _sendable(error), traceback.format_exc()))
            connection.send_bytes(message)
    if _has_children():  # to look at every process of the machine takes longer than most work here
        _end_all(psutil.Process().children(recursive=True))


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _exited(process: ForkProcess) -> int:
    """Return a descriptor that is ready once `process` itself has ended, whatever has become of those below it."""
    return os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") and process.pid else process.sentinel


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
        is_kill = signal.Signals(-exitcode) is signal.SIGKILL
        hint = ", by the kernel if memory was short: use fewer workers, or smaller batches" if is_kill else ""
        return f"its process was killed by {name}{hint}"
    return f"its process ended with exit code {exitcode}"


def _end_all(processes: list[psutil.Process]) -> None:
    """End `processes`, by force where need be; but not multiprocessing's resource trackers, which end by themselves.

    They outlive the others to remove what those have left behind.
    """
    doomed = [process for process in processes if not _is_resource_tracker(process)]
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(doomed, timeout=_TERMINATES_WITHIN_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _is_resource_tracker(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any("multiprocessing.resource_tracker" in argument for argument in process.cmdline())
    return False
