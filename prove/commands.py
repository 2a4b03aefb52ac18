"""The commands that are measured, each in a fresh process: ``loaderbench …`` and pytest on a bench."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAIN = "import sys; from loaderbench.benches.cli.main import main; sys.exit(main(sys.argv[1:]))"


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
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if ended.returncode:
        last = [line for line in (ended.stderr or ended.stdout).splitlines() if line.strip()][-1:]
        raise CommandError(f"{' '.join(command[3:])}: exit code {ended.returncode}: {' '.join(last)}")
    return ended.stdout
