"""The commands that are measured: ``loaderbench …``, pytest on a bench, and scripts, each in a process of its own.

A user's command is a new Python, and so it is here. The short form, which judges no value, forks its commands from a
process that has imported everything already (`fork_commands`): a new Python imports for 2 to 4 s.
"""

import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from runpy import run_module, run_path
from tempfile import TemporaryFile
from types import ModuleType

from loaderbench.benches.harness.system.child import dies_with_parent, end_openmp_threads

ROOT = Path(__file__).parents[1]
MAIN = "import sys; from loaderbench.benches.cli.main import main; sys.exit(main(sys.argv[1:]))"
OTHERS = ("pytest", "pytest_benchmark.plugin", "matplotlib.pyplot", "scipy.stats", "sqlalchemy.dialects.sqlite")
_FORK = get_context("fork")


class CommandError(Exception):
    """A command that was to be measured has failed."""


def loaderbench(*arguments: str, folder: Path) -> str:
    """Run a command from `folder` and return its output; raises CommandError."""
    return run(sys.executable, "-c", MAIN, *arguments, folder=folder)


def bench(file: str, *arguments: str, run_dir: Path) -> None:
    """Run the benches of one file, which leave their record in `run_dir`; raises CommandError."""
    options = ("-q", "-p", "no:cacheprovider", "--benchmark-quiet", "--run-dir", str(run_dir))
    run(sys.executable, "-m", "pytest", f"benches/{file}", *options, *arguments, folder=ROOT)


def run(*command: str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run `command` from `folder` and return its output; raises CommandError with the last line of its errors."""
    is_forked = _are_forked and command[0] == sys.executable
    ended = (_forked if is_forked else _started)(command, folder, environment)
    if ended.returncode:
        last = [line for line in (ended.stderr or ended.stdout).splitlines() if line.strip()][-1:]
        raise CommandError(f"{' '.join(command[3:])}: exit code {ended.returncode}: {' '.join(last)}")
    return ended.stdout


_are_forked = False


def fork_commands() -> None:
    """Import what commands import; from now on, those that are Python are forked from this process or one below it."""
    global _are_forked  # noqa: PLW0603 - how commands are started is chosen once, by the short form
    for stage in ("datasets", "benches", "reports"):
        package = import_module(f"loaderbench.{stage}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.rpartition(".")[2].startswith(("bench_", "conftest")):  # pytest's own to import
                import_module(module.name)
    for name in OTHERS:
        import_module(name)
    _are_forked = True


def _started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own command
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=dies_with_parent,
    )


def _forked(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None
) -> "subprocess.CompletedProcess[str]":
    end_openmp_threads()
    with TemporaryFile("w+", encoding="utf-8") as output, TemporaryFile("w+", encoding="utf-8") as errors:
        streams = (output.fileno(), errors.fileno())
        process = _FORK.Process(target=_become, args=(command[1:], folder, environment, streams))
        process.start()
        process.join()
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(stream.read())
        return subprocess.CompletedProcess(command, process.exitcode or 0, *texts)


def _become(words: Sequence[str], folder: Path, environment: Mapping[str, str] | None, streams: Sequence[int]) -> None:
    """Do what Python does with these words on its command line."""
    dies_with_parent()
    for stream, own in zip(streams, (1, 2), strict=True):
        os.dup2(stream, own)
    os.chdir(folder)
    os.environ.update(environment or {})
    match words:
        case ["-c", code, *_]:
            sys.argv, module = ["-c", *words[2:]], ModuleType("__main__")
            sys.modules["__main__"], sys.path[0] = module, ""
            exec(code, module.__dict__)  # noqa: S102 - our own
        case ["-m", name, *_]:
            sys.argv, sys.path[0] = [name, *words[2:]], str(folder)
            run_module(name, run_name="__main__", alter_sys=True)
        case [script, *_]:
            sys.argv, sys.path[0] = list(words), str(Path(script).absolute().parent)
            run_path(script, run_name="__main__")
