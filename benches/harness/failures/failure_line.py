"""One line for an error, read from its traceback as text: a worker sends no more of it than that."""

import re
import sysconfig
import traceback
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, takewhile
from pathlib import Path

from loaderbench.benches.harness.system.child import ChildError, RemoteTraceback
from loaderbench.datasets import collate

LONGEST = 500  # characters of a line

_OURS = (Path(__file__).parents[2], Path(collate.__file__), Path(sysconfig.get_path("scripts")))
_STANDARD_LIBRARY = (Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("stdlib")).resolve())
_LIBRARIES = frozenset({"site-packages", "dist-packages"})
_CALLERS = frozenset({"torch", "_pytest", "pluggy", "pytest_benchmark"})  # libraries that call the user's code

_HEADER = re.compile(r"^(?:Original )?Traceback \(most recent call last\):$")
_FRAME = re.compile(r'^ +File "(?P<path>[^"]+)", line (?P<line>\d+),? in (?P<function>.+)$', re.MULTILINE)
_ERROR = re.compile(r"^(?P<error>[A-Za-z_][\w.<>]*)(?:: (?P<message>.*))?$", re.DOTALL)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0e-\x1f\x7f]")  # colours, and what would move a cursor
_IN_WORKER = re.compile(r"Caught \S+ in \S.*? process (?P<worker>\d+)\.\n")

_LESS_MEMORY = "use fewer workers, a smaller batch or a smaller --prefetch-factor"
ADVICE = {
    r"equal size|storage that is not resizable": "return samples of one shape, or give a --collate-fn that pads them",
    r"dtype of NoneType|<class 'NoneType'>|(the sample|field \S+) is None": (
        "return a value, or give a --collate-fn that leaves such samples out"
    ),
    r"requires_grad|requires grad": "return tensors that need no gradient: detach() them",
    r"default_collate": "return what it takes, or give a --collate-fn of your own",
    r"Too many open files|items of ancdata": "close files once they are read, or raise the limit (ulimit -n)",
    r"shared memory|bus error|No space left": f"enlarge /dev/shm (docker run --shm-size=8g), or {_LESS_MEMORY}",
    r"an't pickle|annot pickle|Can't get": "define it at the top level of a module, or use --start-method fork",
    r"CUDA in forked subprocess": "keep CUDA out of the dataset, or use --start-method spawn",
    r"out of memory|SIGKILL|signal: Killed": f"if memory was short, {_LESS_MEMORY}",
}
"""What to do about a message that matches: the first that does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What is known of why a case failed; whatever is not known is empty."""

    error: str
    """The name of the exception's type."""
    message: str = ""
    detail: str = ""
    """What the message does not say: the field to blame, for example."""
    samples: str = ""
    """Such as ``sample 700``, or ``one of samples 40 to 47``."""
    worker: str = ""
    place: str = ""
    """File and line of the user's code."""

    @property
    def line(self) -> str:
        """Return all of it in one line of at most `LONGEST` characters, and what to do about it."""
        advice = advice_on(f"{self.error}: {self.message} {self.detail}")
        return self._line(f"; {advice}" if advice else "")

    @property
    def line_without_advice(self) -> str:
        """Return all of it in one line of at most `LONGEST` characters, for who has no options of ours to give."""
        return self._line("")

    def _line(self, end: str) -> str:
        """Return all of it and `end`: the message is what is cut."""
        worker = f"in worker {self.worker}" if self.worker else ""
        where = ", ".join(part for part in (self.samples, worker, self.place) if part)
        rest = "".join((f": {self.detail}" if self.detail else "", f" ({where})" if where else "", end))
        text = f"{self.error}: {self.message}" if self.message else self.error
        return shortened(text, LONGEST - len(rest)) + rest


class CaseFailedError(Exception):
    """A case failed, for the reason that is its message: one line (`Failure.line`)."""


def reason(error: BaseException) -> str:
    """Return why `error` was raised, in one line; of an error in a DataLoader worker, the original's."""
    if isinstance(error, CaseFailedError) or (isinstance(error, ChildError) and error.__cause__ is None):
        return shortened(str(error))  # the latter: how a process ended, without an error of its own
    return failure_of(traceback_of(error)).line


def traceback_of(error: BaseException) -> str:
    """Return the traceback of `error` as text; of one that was raised in a child process, the traceback there."""
    if isinstance(error.__cause__, RemoteTraceback):
        return str(error.__cause__)
    return "".join(traceback.format_exception(error))


def failure_of(text: str) -> Failure:
    """Return what a traceback says of the error that ends it.

    An error that a DataLoader worker sent has the worker's own traceback in its message: the last one counts.
    """
    lines = text.strip().splitlines()
    headers = [number for number, line in enumerate(lines) if _HEADER.match(line)]
    frames = _frames(text)
    rest = lines[headers[-1] + 1 :] if headers else lines
    framed = len(list(takewhile(lambda line: line.startswith(" "), rest)))
    parts = _ERROR.match("\n".join(rest[framed:]))
    workers = _IN_WORKER.findall(text)
    return Failure(
        error=parts["error"].rpartition(".")[2] if parts else "Error",
        message=" ".join(((parts["message"] or "") if parts else "\n".join(rest[framed:])).split()),
        worker=workers[-1] if workers else "",
        place=user_place(frames),
    )


def innermost_last(dump: str) -> list[tuple[str, int]]:
    """Return the frames of a dump by ``faulthandler``, which begins with the innermost, as `user_place` wants them."""
    return _frames(dump)[::-1]


def user_place(frames: list[tuple[str, int]]) -> str:
    """Return file and line of the innermost frame in the user's code, of frames whose innermost is last.

    Where there is none, that of a library which is neither torch nor ours; else nothing.
    """
    for is_whose in (is_user_code, _is_library_s):
        for path, line in reversed(frames):
            if is_whose(path):
                return f"{readable(path)}:{line}"
    return ""


@cache
def is_user_code(path: str) -> bool:
    """Return whether a file is the user's: of no library, and not ours."""
    if path.startswith("<") or _LIBRARIES.intersection(Path(path).parts):
        return False
    return not any(Path(path).is_relative_to(folder) for folder in (*_OURS, *_STANDARD_LIBRARY))


def advice_on(text: str) -> str:
    """Return what to do about an error whose type and message are `text`; nothing where we do not know."""
    return next((advice for pattern, advice in ADVICE.items() if re.search(pattern, text)), "")


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return `text` in one line of at most `longest` characters."""
    line = " ".join(_CONTROL.sub("", text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _frames(text: str) -> list[tuple[str, int]]:
    return [(frame["path"], int(frame["line"])) for frame in _FRAME.finditer(text)]


def _is_library_s(path: str) -> bool:
    """Return whether a file is of a library that a user may have called: not of those that call the user."""
    parts = Path(path).parts
    packages = {part for folder, part in pairwise(parts) if folder in _LIBRARIES}
    return bool(packages) and not packages & _CALLERS and not any(Path(path).is_relative_to(folder) for folder in _OURS)


def readable(path: str) -> str:
    """Return `path` from the working directory on, where it lies in that."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
