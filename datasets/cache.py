"""The folder for what is made once and read in every run."""

import os
import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from tempfile import mkdtemp


def folder() -> Path:
    """``$LOADERBENCH_CACHE``, or ``loaderbench`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    chosen = os.environ.get("LOADERBENCH_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    return (Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loaderbench").resolve()


def size_bytes(path: Path | None = None) -> int:
    """The bytes of all files under `path`, or in the whole cache."""
    return sum(file.stat().st_size for file in (path or folder()).rglob("*") if file.is_file())


def digest(source: bytes) -> str:
    """Eight letters that differ where `source` does, to name what is made from it.

    >>> digest(b"a photograph")
    '12838394'
    """
    return blake2b(source, digest_size=4).hexdigest()


def make_once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` in the cache, filled by `make(draft)` where it is missing.

    It appears whole or not at all: `make` fills a draft beside it, which is then renamed. Two processes that
    start at once each make a draft; the first to finish is kept, and both return it. Raises OSError, saying
    what to set, where the cache cannot be written.
    """
    finished = folder() / name
    if not finished.is_dir():
        draft = _draft(finished)
        try:
            make(draft)
            _keep(draft, finished)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return finished


def _draft(finished: Path) -> Path:
    try:
        finished.parent.mkdir(parents=True, exist_ok=True)
        return Path(mkdtemp(prefix=f".{finished.name}-", dir=finished.parent))
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            f"the cache folder {finished.parent} must be writable, got {reason!r}: "
            "set LOADERBENCH_CACHE to a folder that is"
        ) from error


def _keep(draft: Path, finished: Path) -> None:
    draft.chmod(0o755)  # mkdtemp's 0o700 would shut out those who share the cache
    try:
        draft.rename(finished)
    except OSError:
        if not finished.is_dir():
            raise
        # Another process was first, and what it made is the same.
