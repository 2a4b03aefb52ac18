"""Publishing: what a verb found out, in a new folder and on the terminal, and what stopped it, in one line."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from rich.console import Console, RenderableType

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.record import now

WIDE = 140  # columns where there is no terminal: a log wraps by itself
REFUSED, INTERRUPTED = 2, 130  # exit codes

Found = TypeVar("Found")


def publish(
    verb: str,
    out: Path | None,
    find: Callable[[], Found],
    outputs: Callable[[Found], Iterable[tuple[str, bytes]]],
    shown: Callable[[Found], RenderableType],
) -> int:
    """Find it out, write its files to `out` (a folder of runs/ by default), show it; return the exit code.

    A folder that holds an earlier one's ``<verb>.json`` is refused.
    """
    folder = out or Path("runs") / f"{now():%Y%m%d-%H%M%S}-{verb}"
    if (folder / f"{verb}.json").exists():
        return refuse(f"--out {folder}: {verb}.json of an earlier one is there; name a new folder")
    try:
        found = find()
        for name, content in outputs(found):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    except (RefusedError, ValueError) as error:
        return refuse(str(error))
    except OSError as error:
        return refuse(f"{error.filename or folder}: {error.strerror}")
    except KeyboardInterrupt:
        return refuse("interrupted; nothing was written", INTERRUPTED)
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False).print(shown(found))
    print(f"\n{(folder / f'{verb}.md').resolve()}")
    return 0


def refuse(why: str, code: int = REFUSED) -> int:
    """Say in one line why not, and return the exit code."""
    print(f"loaderbench: {' '.join(why.split())}", file=sys.stderr)
    return code
