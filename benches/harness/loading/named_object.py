"""Objects that the command line names as module:attribute: loaded, called, and refused in one line where they fail."""

import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from traceback import extract_tb
from typing import Any

from loaderbench.benches.harness.errors import RefusedError


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedObject:
    """An option and the object it named, so that an error can say which."""

    option: str
    target: str

    def load(self) -> Any:
        """Return the object that `target` names; raises RefusedError saying what is missing and what to do."""
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.insert(0, here)  # as `python -m pytest` would: the user's modules lie in the current folder
        try:
            with without_arguments():
                return resolve_name(self.target)
        except ModuleNotFoundError as error:
            if f"{self.target.partition(':')[0]}.".startswith(f"{error.name}."):
                raise self.refuse(f"no module {error.name!r}. Run from its folder, or install it") from error
            raise self.refuse(
                f"importing it needs the module {error.name!r}, which is not there: install it"
            ) from error
        except SystemExit as error:
            why = f"importing it ended the program (SystemExit: {error.code})"
            raise self.refuse(f"{why}. Move what it runs below `if __name__ == '__main__':`") from error
        except Exception as error:
            if isinstance(error, (AttributeError, ValueError)) and _is_of_the_name(error):
                raise self.refuse(f"{error}. Name it as module:attribute") from error
            raise self.refuse(f"importing it raised {type(error).__name__}: {error}") from error

    def call(self, arguments: str) -> Any:
        """Return the object that `target` names or, where that is a class or a function, what it returns."""
        made = self.load()
        if not isinstance(made, type) and (hasattr(made, "__getitem__") or hasattr(made, "__iter__")):
            return made
        if not callable(made):
            raise self.refuse(f"it is of type {type(made).__name__}, which can be neither read nor called")
        args, kwargs = json_arguments(arguments, f"{self.option}-args")
        try:
            return made(*args, **kwargs)
        except SystemExit as error:
            raise self.refuse(f"calling it ended the program (SystemExit: {error.code})") from error
        except Exception as error:
            raise self.refuse(f"calling it raised {type(error).__name__}: {error}{self._advice_on(error)}") from error

    def _advice_on(self, error: Exception) -> str:
        """Return how to give the arguments that a class or function misses; nothing of any other error of its own."""
        is_of_the_call = error.__traceback__ is not None and error.__traceback__.tb_next is None
        missing = re.findall(r"'(\w+)'", str(error)) if "required" in str(error) else []
        if not missing or not is_of_the_call:
            return ""
        if self.option == "--dataset":
            given = ", ".join(f'"{name}": …' for name in missing)
            return f". Give a value with --dataset-args '{{{given}}}'"
        return ". Name a function without arguments that makes it"

    def refuse(self, why: str) -> RefusedError:
        """Return the error for this option, in one line."""
        return RefusedError(f"{self.option} {self.target}: {' '.join(why.split())}")


def _is_of_the_name(error: Exception) -> bool:
    """Return whether a name could not be resolved; else the error is of what is imported."""
    frames = extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].name == resolve_name.__name__


@contextmanager
def without_arguments() -> Iterator[None]:
    """Hide our command line from a module that parses it when it is imported, and keep its usage message from ours."""
    arguments, sys.argv, shown = sys.argv, sys.argv[:1], io.StringIO()
    try:
        with redirect_stderr(shown):
            yield
    except SystemExit:
        shown = io.StringIO()  # its usage, as if it were ours
        raise
    finally:
        sys.argv = arguments
        sys.stderr.write(shown.getvalue())


def json_arguments(text: str, option: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments and keywords that the JSON of `option` gives; raises RefusedError."""
    try:
        given = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise RefusedError(f"{option} must be JSON, got {text!r}: {error}") from error
    if isinstance(given, list):
        return given, {}
    if isinstance(given, dict):
        return [], given
    raise RefusedError(f"{option} must be a JSON object of keywords or an array, got {text!r}")
