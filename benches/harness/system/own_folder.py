"""The folder for temporary files of a process, and of all below it: its parent removes it, as they may be killed."""

from collections.abc import Callable
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory
from typing import Any


def own_folder(process: BaseProcess) -> Callable[[], None]:
    """Give a process that has not started yet a folder of its own, if it would inherit none; return what removes it."""
    config: dict[str, Any] = process._config  # type: ignore[attr-defined]  # noqa: SLF001 - what all below it inherit
    if config.get("tempdir") is not None:
        return _nothing
    try:
        folder = TemporaryDirectory(prefix="pymp-", ignore_cleanup_errors=True)
    except OSError:  # multiprocessing says so itself where it needs one
        return _nothing
    config["tempdir"] = folder.name
    return folder.cleanup


def _nothing() -> None: ...
