"""What a command writes and says: its files in a new folder, its document on the terminal, what stops it in a line."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.session.record import unused_folder
from loaderbench.reports.vocabulary import ExitCode

if TYPE_CHECKING:
    from loaderbench.reports.documents.document import Document

STDOUT, STDERR = 1, 2  # descriptors


def new_folder(command: str, out: Path | None = None, *, result: str = "") -> Path:
    """Return the folder for a command's files, not made yet: `out`, or ``runs/<when>-<command>``.

    `result` is the file by which an earlier result is known (default: ``<command>.json``); raises RefusedError where
    `out` holds one.
    """
    if out is None:
        return unused_folder(command)
    name = result or f"{command}.json"
    if (out / name).exists():
        raise RefusedError(f"--out {out}: {name} of an earlier {command} is there; name a new folder")
    return out


@contextmanager
def prints_to_stderr() -> Iterator[None]:
    """Send what is printed within the block, here and in processes below, to stderr: a dataset's own code may print.

    stdout is for the command's answer alone, which may be read by a program.
    """
    sys.stdout.flush()
    with ExitStack() as after:
        with suppress(OSError):  # there is no stdout
            answers = os.dup(STDOUT)
            after.callback(os.close, answers)
            after.callback(os.dup2, answers, STDOUT)
            os.dup2(STDERR, STDOUT)  # of processes that are not forked, and of what is not Python
        with redirect_stdout(sys.stderr):
            yield


def publish(
    document: "Document", folder: Path, *, stem: str = "report", data: Iterable[tuple[str, bytes]] = ()
) -> None:
    """Write a document's page, Markdown and figures and the files in `data`, print it, and print the page's path.

    Raises RefusedError where they cannot be written.
    """
    from loaderbench.reports.render.files import files
    from loaderbench.reports.render.terminal import print_document

    write(data, folder)
    write(files(document, stem), folder)
    print_document(document)
    print(f"\n{(folder / f'{stem}.html').resolve()}")


def write(files: Iterable[tuple[str, bytes]], folder: Path) -> None:
    """Write files, each by its path within `folder`, which is made; raises RefusedError."""
    for name, content in files:
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RefusedError(f"{error.filename} cannot be written: {error.strerror}") from None
        write_file(path, content)


def write_file(path: Path, content: bytes) -> None:
    """Write one file, into a folder that is there; raises RefusedError."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}") from None


def complain(fault: object) -> None:
    """Print a fault as one line of stderr; what comes from files or users cannot move the cursor."""
    from loaderbench.reports.text import plain

    print(f"loaderbench: {plain(fault, None)}", file=sys.stderr)


def refuse(fault: object, code: ExitCode = ExitCode.REFUSED) -> ExitCode:
    """Print in a line what stops the command, and return the exit code."""
    complain(fault)
    return code
