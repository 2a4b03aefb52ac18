"""Programs in Python that need not import torch: each is forked from a process that has imported what commands need.

A Python of its own takes 2 to 7 s of CPU until torch, pandas and matplotlib are there, and tests start a hundred. One
that is forked has the arguments, folder, environment, signals and exit code that it would have had. What Python and the
libraries read when they are loaded (`AT_LOAD`) must be as it was where they were: else a Python of its own is started.

Processes of xdist share the server of the one that started them. What a fresh interpreter is itself the subject of (the
wheel, which modules a command imports) runs by `subprocess`.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from select import select
from typing import IO, Self

SERVER = Path(__file__).with_name("preloaded_server.py")
SHARED = "LOADERBENCH_TEST_SERVER"  # in the environment: the path of the socket of a server that processes share
LOADERBENCH = (sys.executable, "-m", "loaderbench.benches.cli.main")  # as a command
AT_LOAD = ("PYTHON", "LD_", "MALLOC_", "OMP_NUM_THREADS", "MKL_", "KMP_")  # beginnings of names
ENDS_WITHIN_S = 180.0  # on a busy machine too: what takes longer hangs
DUMPS_WITHIN_S = 2.0


class HangingError(AssertionError):
    """A program did not end: the message has what it printed, and in which line each of its threads was."""


class Running:
    """A program that was started in a session of its own, as by a shell with a terminal, with nothing to read.

    What it prints goes to files, `is_joined` to the same one: a process that it leaves behind keeps nobody waiting.
    """

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], is_joined: bool = False) -> None:
        self._files = [tempfile.TemporaryFile() for _ in range(1 if is_joined else 2)]
        streams = (self._files[0], self._files[-1])
        is_forked = sys.platform == "linux" and command[0] == sys.executable and _is_as_at_load(env)
        self._process: _Forked | subprocess.Popen[bytes] = (
            _Forked(command[1:], cwd, env, streams) if is_forked else _started(command, cwd, env, streams)
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.poll() is None:
            self.kill_all()
        for file in self._files:
            file.close()

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return _content(self._files[0])

    @property
    def err(self) -> str:
        """What it has printed to its standard error so far."""
        return _content(self._files[-1])

    def poll(self) -> int | None:
        """Return its exit code, minus the signal's number where one killed it; None while it runs."""
        return self._process.poll()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it alone, and nobody below it."""
        os.kill(self.pid, number)

    def press_ctrl_c(self) -> None:
        """Send SIGINT to all of its process group, as a terminal does."""
        os.killpg(self.pid, signal.SIGINT)

    def kill_all(self) -> None:
        """Kill it, and all others of its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def wait(self, seconds: float = ENDS_WITHIN_S) -> int:
        """Return its exit code once it has ended; raises HangingError, and kills it, if that takes longer."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGUSR1)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(DUMPS_WITHIN_S)  # Python goes on after it has shown its threads
            self.kill_all()
            raise HangingError(f"has not ended after {seconds:g} s; it printed:\n{self.out}\n{self.err}") from None


class _Forked:
    """A process that our server forked, with the methods of `subprocess.Popen` that are used here."""

    def __init__(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], streams: tuple[IO[bytes], IO[bytes]]
    ) -> None:
        self._answer, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env)}).encode()
        descriptors = [*(stream.fileno() for stream in streams), theirs.fileno()]
        with theirs:
            socket.send_fds(_server(), [request], descriptors)
        self.pid = self._read()
        self._code: int | None = None

    def _read(self) -> int:
        message = self._answer.recv(32)
        if not message:
            raise ConnectionError(f"{SERVER.name} has ended")
        return int(message)

    def poll(self) -> int | None:
        if self._code is None and select([self._answer], [], [], 0)[0]:
            self._code = self._read()
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            if not select([self._answer], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked program", timeout or 0)
            self._code = self._read()
        return self._code


def _started(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], streams: tuple[IO[bytes], IO[bytes]]
) -> "subprocess.Popen[bytes]":
    words = ["env", "--default-signal=INT", *command] if sys.platform == "linux" else command
    return subprocess.Popen(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=streams[0], stderr=streams[1], start_new_session=True
    )


def _content(file: IO[bytes]) -> str:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")


def environment(**others: str) -> dict[str, str]:
    """Return the environment of the server and of every program that a test starts: one thread, and wide tables."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **others}


def _is_as_at_load(env: Mapping[str, str]) -> bool:
    ours = environment()
    return all(env.get(name) == ours.get(name) for name in {*env, *ours} if name.startswith(AT_LOAD))


@cache
def _server() -> socket.socket:
    """Connect to the server that is shared, or start one that ends when this process has."""
    if SHARED not in os.environ:
        return _start()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(os.environ[SHARED])
    atexit.register(connection.close)
    return connection


@cache
def share_server(path: Path) -> socket.socket:
    """Start a server for the processes that this one starts, listening at `path`; it ends when this process has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        listening.listen()
        os.environ[SHARED] = str(path)
        return _start(listening)


def _start(*listening: socket.socket) -> socket.socket:
    """Start a server; it ends when this process has, for nobody else has the end of a connection that is returned."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        descriptors = [theirs.fileno(), *(other.fileno() for other in listening)]
        command = [sys.executable, str(SERVER), *map(str, descriptors)]
        subprocess.run(command, env=environment(), pass_fds=descriptors, stdin=subprocess.DEVNULL, check=True)
    return ours
