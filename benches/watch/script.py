"""The user's script or module, run as Python would run it: ``__main__``, arguments, path, exit code, its own errors."""

import atexit
import builtins
import io
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.watch.observing.recorder import EnoughError
from loaderbench.reports.vocabulary import ExitCode

FAILED = 1  # as Python ends
_OURS = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a script ended."""

    code: int
    how: str
    """In a word: finished, stopped, interrupted or failed."""
    why: str = ""
    """Of a script that failed, the error's type and message."""


def run_script(path: str, arguments: Sequence[str]) -> Ending:
    """Run a file as ``python path arguments`` does; raises RefusedError where there is none."""
    if not Path(path).is_file():
        raise RefusedError(f"{path}: no such script; give a file, or -m and a module")
    sys.argv = [path, *arguments]
    _begin_path_with(Path(path).resolve().parent)
    return ended(lambda: _execute(Path(path).absolute()))


def _execute(path: Path) -> None:
    """Execute a file as the module ``__main__``, which stays there until Python ends, as it does for a script.

    Not by ``runpy.run_path``, which takes the module away again, and makes the first argument another one.
    """
    main = ModuleType("__main__")
    loader = SourceFileLoader("__main__", str(path))
    vars(main).update({"__file__": str(path), "__loader__": loader, "__builtins__": builtins, "__cached__": None})
    sys.modules["__main__"] = main
    with io.open_code(str(path)) as file:
        code = compile(file.read(), str(path), "exec", dont_inherit=True)
    exec(code, vars(main))  # noqa: S102 - what we are asked to run


def run_module(name: str, arguments: Sequence[str]) -> Ending:
    """Run a module as ``python -m name arguments`` does; raises RefusedError where there is none."""
    sys.argv = [name, *arguments]
    _begin_path_with(Path.cwd())
    try:
        runpy._get_module_details(name)  # type: ignore[attr-defined]  # noqa: SLF001 - what ``python -m`` asks
    except ImportError as error:
        raise RefusedError(f"-m {name}: {error}") from None
    sys.modules["__main__"] = ModuleType("__main__")
    return ended(lambda: runpy._run_module_as_main(name))  # type: ignore[attr-defined]  # noqa: SLF001 - what it calls


def _begin_path_with(folder: Path) -> None:
    """Put `folder` where Python puts that of a script, in place of our own, unless it was told not to (``-P``)."""
    if not sys.flags.safe_path:
        sys.path[0] = str(folder)


def ended(script: Callable[[], object]) -> Ending:
    """Return how `script` ended; what it raised has been shown as Python shows it, without our frames."""
    try:
        script()
    except EnoughError:
        return Ending(code=0, how="stopped")
    except SystemExit as error:
        return Ending(code=_exit_code(error), how="finished" if not error.code else "failed", why=_exit_text(error))
    except KeyboardInterrupt as error:
        error.__traceback__ = scripts_own(error.__traceback__)
        sys.excepthook(KeyboardInterrupt, error, error.__traceback__)
        return Ending(code=ExitCode.INTERRUPTED, how="interrupted")
    except BaseException as error:  # noqa: BLE001 - whatever a script raises
        error.__traceback__ = scripts_own(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        return Ending(code=FAILED, how="failed", why=described(error))
    return Ending(code=0, how="finished")


def end_by_ctrl_c() -> None:
    """End this process as Python ends after a KeyboardInterrupt: by SIGINT itself, once all is done that is left.

    A shell that runs a loop of commands ends it for that, and not for the exit code 130.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - what Python does
    atexit._run_exitfuncs()  # noqa: SLF001 - as above
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # it is closed, or there is none
            stream.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def described(error: BaseException) -> str:
    """Return type and message of `error`, the worker that it was raised in and the line of the user's code."""
    from loaderbench.benches.harness.failures.failure_line import failure_of, traceback_of  # noqa: PLC0415 - at its end

    return failure_of(traceback_of(error)).line_without_advice


def scripts_own(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the script's first frame on: what ran it is left out."""
    while traceback is not None and _runs_it(traceback.tb_frame.f_code.co_filename):
        traceback = traceback.tb_next
    return traceback


def _runs_it(path: str) -> bool:
    return path in {runpy.__file__, "<frozen runpy>"} or Path(path).parent == _OURS


def _exit_code(error: SystemExit) -> int:
    """Return the code that Python ends with, and print what it prints."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code
    print(error.code, file=sys.stderr)  # noqa: T201 - as Python does
    return 1


def _exit_text(error: SystemExit) -> str:
    return "" if not error.code else f"sys.exit({error.code!r})"
