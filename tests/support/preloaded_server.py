"""The process that `preloaded` forks programs from: ``python preloaded_server.py SOCKET [LISTENING]``, of descriptors.

A request is what a program is started with, and the descriptors of its output and of a socket, to which its process id
and then its exit code are sent. The server is nobody's child, so that no test takes it for a process left behind.
"""

import atexit
import ctypes
import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from select import select
from types import ModuleType
from typing import Any

from kept_huge_pages import keep_huge_pages

from loaderbench.benches.harness.system.huge_pages import use_huge_pages

PACKAGES = ("loaderbench.reports", "loaderbench.benches", "loaderbench.datasets")
OTHERS = ("torch.utils.data", "scipy.stats", "sqlalchemy.dialects.sqlite", "PIL.JpegImagePlugin", "pyarrow.parquet")
PLUGIN = "loaderbench.benches.harness.plugin"
LARGEST = 1 << 20  # bytes of a request
SURVIVED = {"jemalloc_bg_thd"}  # pyarrow's allocator does without it in a forked process
PR_SET_PDEATHSIG = 1  # prctl(2)


class Server:
    """Forks a process for each request that comes on a connection; ends with the first of them, its starter's."""

    def __init__(self, starter: socket.socket, listening: socket.socket | None) -> None:
        self.starter, self.listening = starter, listening
        self.connections = {starter.fileno(): starter}
        self.running: dict[int, tuple[int, socket.socket]] = {}  # process id and where its exit code goes, by pidfd

    def serve(self) -> dict[str, Any]:
        """Fork a process for each request, and return it there; here, exit when the starter has ended."""
        listening = [self.listening.fileno()] if self.listening else []
        while True:
            for ready in select([*listening, *self.connections, *self.running], [], [])[0]:
                if ready in self.running:
                    finish(ready, *self.running.pop(ready))
                elif self.listening and ready in listening:
                    connection = self.listening.accept()[0]
                    self.connections[connection.fileno()] = connection
                elif request := self.answer(self.connections[ready]):
                    return request

    def answer(self, connection: socket.socket) -> dict[str, Any] | None:
        """Fork a process for the request that a connection has, and return it there."""
        message, descriptors, _, _ = socket.recv_fds(connection, LARGEST, 3)
        if not message:
            self.drop(connection)
            return None
        answer = socket.socket(fileno=descriptors.pop())
        keep_huge_pages()
        pid = os.fork()
        if pid == 0:
            theirs = [answer, *self.connections.values(), *(other for _, other in self.running.values())]
            theirs += [self.listening] if self.listening else []
            close(*(other.detach() for other in theirs), *self.running)
            return {**json.loads(message), "descriptors": descriptors}
        close(*descriptors)
        answer.send(str(pid).encode())
        self.running[os.pidfd_open(pid)] = (pid, answer)
        return None

    def drop(self, connection: socket.socket) -> None:
        """Let go of a connection whose other end is closed."""
        if connection is self.starter:
            os._exit(0)
        self.connections.pop(connection.fileno()).close()


def finish(descriptor: int, pid: int, answer: socket.socket) -> None:
    """Send the exit code of a process that has ended."""
    os.close(descriptor)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with answer, suppress(BrokenPipeError):
        answer.send(str(code).encode())


def close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def preload() -> None:
    """Import what programs need, and take it out of garbage collection, which would copy every page in each of them."""
    gc.disable()
    # It imports its plugins itself: it would warn of those that it finds imported.
    importlib.import_module("pytest").main(
        ["--version", "--version", "-p", PLUGIN, "-p", "no:cacheprovider", "-c", os.devnull]
    )
    for name in (*OTHERS, *modules()):
        importlib.import_module(name)
    sys.modules["loaderbench.benches.harness.training.model_choice"].import_for_optimizers()
    if others := threads() - SURVIVED:
        raise RuntimeError(f"what was imported started threads, which do not survive a fork: {', '.join(others)}")
    gc.collect()
    gc.freeze()
    gc.enable()
    use_huge_pages()


def threads() -> set[str]:
    """Return the names of this process's threads but the first, of which no library knows."""
    tasks = Path("/proc/self/task")
    return {Path(task, "comm").read_text().strip() for task in tasks.iterdir() if task.name != str(os.getpid())}


def modules() -> Iterator[str]:
    """Return the names of our modules, but for those that pytest imports in a way of its own."""
    for name in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if ".bench_" not in module.name:
                yield module.name


def become(request: dict[str, Any]) -> None:
    """Make this process what one that was started would be."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, descriptor in enumerate(request["descriptors"], start=1):
        os.dup2(descriptor, number)
    close(*request["descriptors"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.register(signal.SIGUSR1, sys.__stderr__, all_threads=True)
    importlib.invalidate_caches()
    sys.modules["numpy"].random.seed()


def execute(words: list[str]) -> None:
    """Do what ``python`` does with these words: -m and a module, -c and code, or a script; and their arguments."""
    main = sys.modules["__main__"] = ModuleType("__main__")
    if words[0] == "-m":
        sys.argv, sys.path[0] = words[1:], os.getcwd()
        if not hasattr(sys.modules.get(words[1]), "__path__"):
            sys.modules.pop(words[1], None)  # it is imported, but is yet to run
        runpy._run_module_as_main(words[1])  # type: ignore[attr-defined]
        return
    if words[0] == "-c":
        sys.argv, sys.path[0] = ["-c", *words[2:]], ""
        code = compile(words[1], "<string>", "exec")
    else:
        sys.argv, sys.path[0] = words, str(Path(words[0]).resolve().parent)
        main.__file__ = os.path.abspath(words[0])
        code = compile(Path(words[0]).read_bytes(), main.__file__, "exec")
    exec(code, main.__dict__)


def exit_code(words: list[str]) -> int:
    """Execute, print what is not caught, and return the exit code that ``python`` has; minus a signal's number."""
    try:
        execute(words)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException as error:  # noqa: BLE001 - an interpreter bears any
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code in {exit_code.__code__, execute.__code__}:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def end(code: int) -> None:
    """End as an interpreter does, but for freeing all that is imported."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    ours, *others = (socket.socket(fileno=int(word)) for word in sys.argv[1:])
    if os.fork():
        os._exit(0)
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    preload()
    asked = Server(ours, *(others or [None])).serve()
    become(asked)
    end(exit_code(asked["words"]))
