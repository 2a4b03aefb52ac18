"""The command's end of a fork server: processes that measure a block, forked from one that has imported torch.

All blocks that are forked from one pair of servers share its hash seed and its layout of memory, so that servers are
renewed every few blocks.
"""

import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import send_handle
from pathlib import Path
from socket import socketpair
from typing import Any, Self

from loaderbench.benches.gate.revisions import Revision
from loaderbench.benches.harness.system.interruption import late_ctrl_c
from loaderbench.reports.gate.budget import RENEWED_AFTER

_LEAVES_WITHIN_S = 10.0  # once it was killed
_ANSWERS_WITHIN_S = 300.0


class BlockCutError(Exception):
    """The block did not end in the time that was left for it."""


class ProcessEndedError(Exception):
    """A revision's process did not start, or ended before its time: one line that says how."""


@dataclass(slots=True)
class ForkServer:
    """A process of an interpreter, from which those that measure blocks are forked, one at a time."""

    python: str
    process: subprocess.Popen[bytes]
    connection: Connection
    log: Path
    environment: Mapping[str, str]
    is_ready: bool = False

    @classmethod
    def start(cls, revision: Revision, environment: Mapping[str, str], folder: Path) -> Self:
        """Start it in `folder`: it imports while the caller does other things. Nothing there is of the user's."""
        ours, theirs = socketpair()
        log = folder / f"{revision.name}-server.log"
        with theirs, log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - the user's own interpreter
                [revision.python, "-m", "loaderbench.benches.gate.fork_server_main", str(theirs.fileno())],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches the command alone, which ends this process
            )
        connection = Connection(ours.detach())
        return cls(python=revision.python, process=process, connection=connection, log=log, environment=environment)

    def fork(
        self, revision: Revision, arguments: Sequence[str], log: Path, lockstep: int, *, until: float = math.inf
    ) -> "ForkedProcess":
        """Have a process forked that runs pytest on a revision, its output in `log`; `lockstep` is its socket.

        Raises ProcessEndedError where the server does not start, BlockCutError at `until` on the monotonic clock.
        """
        request = {
            "arguments": list(arguments),
            "folder": str(revision.folder),
            "paths": revision.own_paths,
            "environment": {**revision.environment, "PYTHONPATH": revision.paths},
            "log": str(log.absolute()),
        }
        log.touch()
        named = f"{revision.name} ({revision.label})"
        if not self.is_ready:
            self._answer(named, until)
            self.is_ready = True
        try:
            self.connection.send_bytes(json.dumps(request).encode())
            send_handle(self.connection, lockstep, self.process.pid)
        except OSError:
            raise ProcessEndedError(f"{named} does not start: {telling_line(self.log)}") from None
        return ForkedProcess(pid=int(self._answer(named, until)["pid"]), server=self)

    def has_answer(self) -> bool:
        """Return whether it has something to say, or has ended."""
        return bool(wait([self.connection], 0))

    def ended_with(self, within_s: float | None = None) -> int:
        """Return the exit code of the process that it forked last; that of SIGKILL if the server itself is gone.

        Raises subprocess.TimeoutExpired after `within_s`.
        """
        if not wait([self.connection], within_s):
            raise subprocess.TimeoutExpired(str(self.process.args), within_s or 0.0)
        try:
            return int(json.loads(self.connection.recv_bytes())["ended"])
        except (EOFError, OSError):
            return -signal.SIGKILL

    def end(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        self.connection.close()

    def _answer(self, named: str, until: float) -> dict[str, Any]:
        deadline = min(until, time.monotonic() + _ANSWERS_WITHIN_S)
        if not wait([self.connection], max(0.0, deadline - time.monotonic())):
            if deadline == until:
                raise BlockCutError
            raise ProcessEndedError(f"{named} does not start: it has imported torch for {_ANSWERS_WITHIN_S:.0f} s")
        try:
            return dict(json.loads(self.connection.recv_bytes()))
        except (EOFError, OSError):
            raise ProcessEndedError(f"{named} does not start: {telling_line(self.log)}") from None


@dataclass(kw_only=True)
class ForkServers(AbstractContextManager["ForkServers"]):
    """A server for base and one for head, which begin together, and are replaced after so many blocks.

    What is forked from a server has its layout of memory, so two servers differ by a little whatever code they run.
    Nothing in them is of the user's: from block to block they are exchanged between the revisions, which cancels that.
    Not where these have two interpreters.

    Runners that measure one after the other may share them.
    """

    renewed_after: int = RENEWED_AFTER
    started: int = 0  # pairs of them
    _servers: list[ForkServer] = field(default_factory=list, init=False)
    _blocks: int = field(default=0, init=False)  # for which these were given

    def pair(
        self, revisions: Sequence[Revision], environment: Callable[[], Mapping[str, str]], folder: Path
    ) -> list[ForkServer]:
        """Return the servers of two revisions, for a block; new ones have the `environment` that is then drawn."""
        pythons = [revision.python for revision in revisions]
        has_ended = any(server.process.poll() is not None for server in self._servers)
        is_used_up = self._blocks >= self.renewed_after or has_ended
        if is_used_up or [server.python for server in self._servers] != pythons:
            self.end()
            self.started += 1
            drawn = environment()
            for revision in revisions:
                with late_ctrl_c():
                    self._servers.append(ForkServer.start(revision, drawn, folder))
        self._blocks += 1
        is_exchanged = self._blocks % 2 == 0 and len(set(pythons)) == 1
        return self._servers[::-1] if is_exchanged else list(self._servers)

    def end(self) -> None:
        """End them; the next block starts new ones."""
        self._blocks = 0
        with late_ctrl_c():
            while self._servers:
                self._servers.pop().end()

    def __exit__(self, *_: object) -> None:
        self.end()


@dataclass(slots=True)
class ForkedProcess:
    """A process that a server forked; to be used as a `subprocess.Popen`."""

    pid: int
    server: ForkServer
    returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        if self.returncode is None and self.server.has_answer():
            self.returncode = self.server.ended_with()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended; raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self.returncode = self.server.ended_with(timeout)
        return self.returncode

    def end(self) -> None:
        """End it, and every process of its group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self.wait(_LEAVES_WITHIN_S)


def telling_line(log: Path) -> str:
    """Return the line of a log that tells most about why its process ended."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "E  ")) or "Error" in line]
    return (errors or lines or ["it printed nothing"])[-1][:500]
