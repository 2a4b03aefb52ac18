"""The fork server of a revision: a process of its interpreter that has imported torch, pytest and the benches.

For each block it forks the process that measures, in which alone the user's code is imported; so a block begins without
importing torch again. ``python -m loaderbench.benches.gate.fork_server_main FD`` is started by `ForkServer`
(`benches/gate/fork_server.py`), which holds the other end of the socket FD:

=====================================================  =================================================================
request                                                answers
=====================================================  =================================================================
``{"arguments": […], "folder": "…", "paths": […],``    ``{"pid": 4711}`` once it is forked, and ``{"ended": 0}``, its
``"environment": {…}, "log": "…"}``, and after it the  exit code (negative: the signal), once it has ended
descriptor of a socket: the process's ``--lockstep``
=====================================================  =================================================================

Spawned workers import this module as their ``__main__``: it imports little before it is run.
"""

import json
import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any, NoReturn

# The plugins of the user's tests are left out: each takes its time to load.
PLUGINS = ("pytest_benchmark.plugin", "loaderbench.benches.harness.plugin")


def main(descriptor: int) -> None:  # imports as it runs, see above
    """Fork a process for each request until the other end of the socket is closed."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from loaderbench.benches.gate.known_machine import KnownMachine
    from loaderbench.benches.harness.session.lockstep import digest
    from loaderbench.benches.harness.system.child import dies_with_parent, freeze_objects
    from loaderbench.benches.harness.system.huge_pages import use_huge_pages

    dies_with_parent()
    for module in PLUGINS:
        import_module(module)
    digest()
    known = KnownMachine()
    list(DataLoader(TensorDataset(torch.zeros(2))))  # what torch imports and makes at the first pass of a process
    freeze_objects()
    use_huge_pages()
    with Connection(descriptor) as connection, suppress(EOFError, ConnectionError):
        _answer(connection, {"ready": True})
        while True:
            request = json.loads(connection.recv_bytes())
            lockstep = recv_handle(connection)
            pid = os.fork()
            if not pid:
                connection.close()
                _measure(request, lockstep, known)
            os.close(lockstep)
            with suppress(OSError):  # it has done so itself
                os.setpgid(pid, pid)
            _answer(connection, {"pid": pid})
            _, status = os.waitpid(pid, 0)
            _answer(connection, {"ended": os.waitstatus_to_exitcode(status)})


def _answer(connection: Connection, answer: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(answer).encode())


def _measure(request: dict[str, Any], lockstep: int, known: object) -> NoReturn:
    """Run pytest in this forked process, in a process group of its own, and end it."""
    import pytest

    from loaderbench.benches.harness.system.child import dies_with_parent

    code = 1
    try:
        with suppress(OSError):  # the server has done so already
            os.setpgid(0, 0)
        dies_with_parent()
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(request["folder"])
        os.environ.update(request["environment"])
        sys.path[:1] = [request["folder"], *request["paths"]]  # the first is the folder that the server was started in
        arguments = [*request["arguments"], f"--lockstep={lockstep}"]
        sys.argv = ["pytest", *arguments]
        code = int(pytest.main(arguments, plugins=[known]))
    except BaseException:  # noqa: BLE001 - the log says it
        traceback.print_exc()
    finally:  # an orderly exit takes seconds, and a core
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
