"""The cache folder: files of our own datasets that are made once and read in every run."""

import os
import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from tempfile import mkdtemp


def folder() -> Path:
    """Return ``$LOADERBENCH_CACHE``, or ``loaderbench`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    if path := os.environ.get("LOADERBENCH_CACHE"):
        return Path(path).expanduser().resolve()
    return (Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loaderbench").resolve()


def digest(source: bytes) -> str:
    """Return eight characters that depend on `source`, for the name of what is made from it.

    >>> digest(b"a photograph")
    '12838394'
    """
    return blake2b(source, digest_size=4).hexdigest()


def make_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name` in the cache; if it is missing, ``make(folder)`` writes its files.

    The folder is complete or missing: `make` is given a draft folder beside it, which is then renamed. If two processes
    make it at once, the first to finish wins and both return its folder. Raises OSError if the cache is not writable.
    """
    target = folder() / name
    if not target.is_dir():
        draft = _draft(target)
        try:
            make(draft)
            _publish(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return target


def _draft(target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            f"the cache folder {target.parent} must be writable, got {reason!r}: "
            "set LOADERBENCH_CACHE to a folder that is"
        ) from error


def _publish(draft: Path, target: Path) -> None:
    draft.chmod(0o755)  # mkdtemp's 0o700 would exclude other users of a shared cache
    try:
        draft.rename(target)
    except OSError:  # another process may have been first: its files are the same
        if not target.is_dir():
            raise
