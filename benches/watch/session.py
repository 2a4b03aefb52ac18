"""One watch from its beginning to its end: what is looked at meanwhile, and what is written and shown at the end."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.watch.live import LiveLine
from loaderbench.benches.watch.observing.hooks import watched
from loaderbench.benches.watch.observing.recorder import WatchRecorder
from loaderbench.benches.watch.observing.stages import leaving
from loaderbench.benches.watch.ranks import all_ranks

if TYPE_CHECKING:
    from loaderbench.reports.watch.watch_record import Watched

MEMORY_EVERY_S = 5.0
MEMORY_SHARE = 1e-3  # of the time, at most, that reading memory takes
SAVE_FIRST_S, SAVE_EVERY_S = 5.0, 30.0  # what a script which is killed loses: at most half of what was seen, or this
SAVE_SHARE = 1e-3
WORKERS = ".workers"  # in the folder: what workers write


@dataclass(kw_only=True)
class WatchSession:
    """A folder, a recorder, and what is shown of them while the script runs."""

    folder: Path
    script: str
    command: tuple[str, ...] = ()
    rank: int = 0
    world_size: int = 1
    most_steps: int | None = None
    most_s: float | None = None
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    line: LiveLine = field(init=False)
    recorder: WatchRecorder = field(init=False)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    _memory_due: float = 0.0
    _save_due: float = 0.0
    _is_over: bool = False

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.line = LiveLine(stream=self.stream)
        self.recorder = WatchRecorder(
            folder=self.folder / WORKERS, most_steps=self.most_steps, most_s=self.most_s, look=self._look
        )
        self._memory_due = self.recorder.began
        self._save_due = self.recorder.began + SAVE_FIRST_S

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch within the block; raises RefusedError where the folder cannot be made."""
        try:
            self.recorder.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RefusedError(f"--out {self.folder}: {error.strerror}") from None
        try:
            with watched(self.recorder), self._exit_noted():
                yield
        except RefusedError:
            self._discard()
            raise

    def finish(self, ending: str, why: str = "") -> "Watched | None":
        """Write and show what was seen; return the record, or None where no loader was read, or not in this process."""
        if self._is_over or not self.recorder.is_here:
            return None
        self._is_over = True
        self.line.clear()
        seconds = perf_counter() - self.recorder.began
        if ending == "failed":
            from loaderbench.benches.watch.observing.failed_wait import note_dead_worker  # noqa: PLC0415 - as below

            note_dead_worker(why, self.recorder.loaders, self.recorder.sink)
        record = self._record(seconds, ending, why)
        shutil.rmtree(self.recorder.folder, ignore_errors=True)
        if any(loader.epochs for loader in record.loaders):
            return record
        self._discard()
        return None

    def _discard(self) -> None:
        """Remove the folder, unless something else is in it."""
        shutil.rmtree(self.recorder.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.rmdir()

    def _record(self, seconds: float, ending: str, why: str = "", *, with_machine: bool = True) -> "Watched":
        from loaderbench.benches.harness.system import machine  # noqa: PLC0415 - none of this before the script's own
        from loaderbench.benches.watch.results import watched_record  # noqa: PLC0415

        facts: dict[str, Any] = {
            "started": self.started,
            "command": self.command,
            "script": self.script,
            "rank": self.rank,
            "world_size": self.world_size,
            "machine": machine.facts() if with_machine else {},
            "ending": ending,
            "why": why,
            "device": _device(),
        }
        return watched_record(self.recorder, seconds=seconds, facts=facts)

    def _look(self, recorder: WatchRecorder, now: float) -> None:
        """Do what is due: memory, the record on disk, the live line."""
        if now >= self._memory_due:
            from loaderbench.benches.harness.system.processes import memory  # noqa: PLC0415

            with suppress(Exception):  # a system that does not say
                recorder.memory.append((now, float(memory().pss_bytes)))
            took_s = perf_counter() - now
            self._memory_due = now + max(MEMORY_EVERY_S, took_s / MEMORY_SHARE)
        if now >= self._save_due:
            began = perf_counter()
            self._save(now)
            self._save_due = now + save_pause_s(now - self.recorder.began, perf_counter() - began)
        self.line.show(recorder.loaders, recorder.steps, now)

    def _save(self, now: float) -> None:
        """Write what has been seen until now, lest it be lost where the process is killed."""
        from loaderbench.benches.watch.results import files_of  # noqa: PLC0415

        with suppress(Exception):  # a full disk, for example: the script goes on
            record = self._record(now - self.recorder.began, "running", with_machine=False)
            write(files_of(record), self.folder)

    @contextmanager
    def _exit_noted(self) -> Iterator[None]:
        """Show what was seen where the script leaves by ``os._exit``, which runs nothing else."""
        leave = os._exit

        @wraps(leave)
        def _exit(status: int) -> NoReturn:
            if self.recorder.is_here:
                with suppress(Exception):
                    show(self, self.finish("stopped", f"os._exit({status})"))
            else:
                leaving(sys._getframe(1))  # noqa: SLF001 - of a worker
            leave(status)

        os._exit = _exit
        try:
            yield
        finally:
            os._exit = leave


def save_pause_s(age_s: float, took_s: float) -> float:
    """Return the seconds from one save of a watch to the next, which may take `SAVE_SHARE` of them.

    >>> save_pause_s(5.0, 0.001), save_pause_s(300.0, 0.001), save_pause_s(300.0, 0.05)
    (5.0, 30.0, 50.0)
    """
    return max(min(SAVE_EVERY_S, age_s), took_s / SAVE_SHARE)


def show(session: WatchSession, record: "Watched | None") -> None:
    """Write the files of a watch and print its report; of one that saw nothing, a line."""
    if record is None:
        if session.recorder.is_here:
            read = "of the loaders that it made none was read"
            made = "it made no DataLoader (processes that it starts itself are not watched)"
            what = read if session.recorder.unread() else made
            session.stream.write(f"loaderbench: {session.script}: {what}; nothing to report\n")
        return
    from rich.console import Console  # noqa: PLC0415 - as in `WatchSession`

    from loaderbench.benches.watch.results import files_of  # noqa: PLC0415
    from loaderbench.reports.documents.watch.watch_document import watch_document  # noqa: PLC0415
    from loaderbench.reports.render.files import files  # noqa: PLC0415
    from loaderbench.reports.render.terminal import WIDE, print_document  # noqa: PLC0415

    write(files_of(record), session.folder)
    if record.rank:
        return  # the first rank says what all of them did
    ranks = all_ranks(session.folder.parent, record.world_size) if record.world_size > 1 else []
    document = watch_document(record, ranks)
    write(files(document, "watch"), session.folder)
    session.stream.write("\n")
    width = None if session.stream.isatty() else WIDE
    print_document(document, Console(file=session.stream, width=width, highlight=False))
    session.stream.write(f"\n{session.folder / 'watch.html'}\n")


def write(files: Sequence[tuple[str, bytes]] | Iterator[tuple[str, bytes]], folder: Path) -> None:
    """Write files, each by its path within `folder`; raises RefusedError."""
    try:
        for name, content in files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            written = path.with_name(f"{path.name}.new")
            written.write_bytes(content)
            written.replace(path)
    except OSError as error:
        raise RefusedError(f"{error.filename} cannot be written: {error.strerror}") from None


def _device() -> str:
    """Return the device type that the script has used, as far as torch knows; asking starts none."""
    torch: Any = sys.modules.get("torch")
    return "cuda" if torch is not None and torch.cuda.is_initialized() else "cpu"
