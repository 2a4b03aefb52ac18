"""What the user's module does when a spawned worker imports it."""

import importlib
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from loaderbench.benches.harness.failures.failure_line import failure_of, reason, traceback_of

WAIT_S = 60.0  # for an import
GUARD = 'move what a script runs below `if __name__ == "__main__":`'


class RunsAtImportError(BaseException):
    """The module reads a DataLoader, trains or starts a process while it is imported; user code does not catch it."""


def import_fault(module: str) -> str | None:
    """Return what is wrong with importing `module` in a process started by spawn, in one line; None if nothing is.

    Each worker started by spawn or forkserver imports the modules that its dataset's pickle names.
    """
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_import, args=(module, there))
    process.start()
    there.close()
    try:
        if not here.poll(WAIT_S):
            return f"importing {module} takes more than {WAIT_S:g} s: {GUARD}"
        fault: str | None = here.recv()
    except EOFError:
        process.join()
        return f"importing {module} ended its process (exit code {process.exitcode})"
    finally:
        here.close()
        process.kill()
        process.join()
    return fault


def _import(module: str, connection: Connection) -> None:
    """Send what is wrong with importing `module` here."""
    connection.send(watched_import(module))
    connection.close()


def watched_import(module: str) -> str | None:
    """Return what is wrong with importing `module` in this process, where every use of what trains is an error.

    What it prints is not shown.
    """
    _watch()
    shown = StringIO()
    try:
        with redirect_stdout(StringIO()), redirect_stderr(shown):
            importlib.import_module(module)
    except RunsAtImportError as error:
        place = failure_of(traceback_of(error)).place
        return f"importing {module} {error} ({place}): {GUARD}"
    except SystemExit as error:
        why = " as it parses the command line" if "usage:" in shown.getvalue() else ""
        return f"importing {module} ends the worker{why} (SystemExit: {error.code}): {GUARD}"
    except Exception as error:  # noqa: BLE001 - importing a module of the user's may raise anything
        return f"importing {module} raises {reason(error)}"
    return None


def _watch() -> None:
    from multiprocessing.process import BaseProcess  # noqa: PLC0415 - here, all is patched

    import torch  # noqa: PLC0415
    from torch.utils.data import DataLoader  # noqa: PLC0415

    for owner, method, what in (
        (DataLoader, "__iter__", "reads a DataLoader"),
        (torch.Tensor, "backward", "trains a model"),
        (BaseProcess, "start", "starts a process"),
    ):
        setattr(owner, method, _refusing(what))


def _refusing(what: str) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> None:
        raise RunsAtImportError(what)

    return refuse
