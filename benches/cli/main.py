"""The command `loaderbench`: finds the subcommand, and turns what stops it into one line and an exit code."""

import argparse
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from time import monotonic
from typing import Any, NoReturn

from loaderbench.benches.cli.shared import output
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.system.processes import age_s
from loaderbench.reports.records.json_files import MalformedError
from loaderbench.reports.vocabulary import ExitCode

# Modules of this package, in the order in which a new user meets them.
COMMANDS = ("run", "watch", "report", "check", "explain", "whatif", "tune", "gate", "compare", "calibrate", "history")
# Threads of torch that wait for each other by spinning make no progress for seconds where another process has their
# core: one pass over the images took 0.6 s, or 3. torch reads it when it is loaded: it is set before any command is
# imported. What the user has set stays. Records of measurements have it, among the machine's facts.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
DESCRIPTION = "what feeds a PyTorch model, how fast, and why"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands and return its exit code; without `arguments`, the one that this process was started for.

    Budgets count from then on: what the interpreter and its imports took is part of what the user waits for.
    """
    began = monotonic()
    if arguments is None:
        began -= age_s()
        if sys.argv[1:2] != ["watch"]:  # whose script has the environment that it was given
            for name, value in ENVIRONMENT.items():
                os.environ.setdefault(name, value)
    try:
        return _dispatch(list(sys.argv[1:] if arguments is None else arguments), began)
    except (RefusedError, MalformedError) as error:
        return output.refuse(error)
    except BrokenPipeError:  # whoever read our output has stopped reading
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.REFUSED
    except OSError as error:
        return output.refuse(f"{error.filename}: {error.strerror}" if error.filename else error)
    except KeyboardInterrupt:
        return output.refuse("interrupted", ExitCode.INTERRUPTED)


def _dispatch(words: list[str], began: float) -> int:
    name, *rest = words or ["--help"]
    if name in {"-h", "--help"}:
        print(_overview())
        return ExitCode.FINE
    if name == "--version":
        print(f"loaderbench {version('loaderbench')}")
        return ExitCode.FINE
    if name not in COMMANDS:
        nearest = get_close_matches(name, COMMANDS, n=1)
        advice = f"did you mean {nearest[0]}?" if nearest else f"the commands are {', '.join(COMMANDS)}"
        raise RefusedError(f"there is no command {name!r}; {advice}")
    command = _command(name)
    options = _parsed(command, name, rest)
    options.began = began
    return int(command.run(options))


def _command(name: str) -> Any:
    return import_module(f"loaderbench.benches.cli.{name}")


def _overview() -> str:
    """Return every command with what it does and an example."""
    lines = [f"loaderbench {version('loaderbench')}: {DESCRIPTION}", ""]
    for name in COMMANDS:
        command = _command(name)
        lines += [f"  {name:10} {command.HELP}", f"  {'':10} $ loaderbench {command.EXAMPLE}", ""]
    return "\n".join([*lines, "loaderbench COMMAND --help shows a command's options."])


def _parsed(command: Any, name: str, words: list[str]) -> argparse.Namespace:
    passed_on = getattr(command, "PYTEST_OPTIONS", "")
    if passed_on == "all":
        return argparse.Namespace(pytest_options=words)
    about = f"{command.HELP[:1].upper()}{command.HELP[1:]}"
    if passed_on:
        about += "\nAll other options are the benches' own: loaderbench run --help"
    parser = _Parser(
        prog=f"loaderbench {name}",
        description=about,
        epilog=f"example:\n  $ loaderbench {command.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # an example to copy is not wrapped
        allow_abbrev=not passed_on,
    )
    command.add_arguments(parser)
    if not passed_on:
        return parser.parse_args(words)
    options, others = parser.parse_known_args(words)
    options.pytest_options = others
    return options


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(output.refuse(f"{message}; see {self.prog} --help"))


if __name__ == "__main__":
    sys.exit(main())
