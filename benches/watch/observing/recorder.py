"""What the hooks tell: each loader that is made, each pass over it, each batch; and what is done with that meanwhile.

In the loop itself nothing is done but noting two times. Everything else (the live line, memory, the journal on disk)
is done at most every `LOOK_S` seconds, in the loop's own thread, and the time that it takes is taken out again.
"""

import os
import re
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

from loaderbench.benches.watch.observing.device_waits import DeviceWaits
from loaderbench.benches.watch.observing.stages import Sink
from loaderbench.benches.watch.observing.traces import EpochTrace, LoaderTrace

LOOK_S = 0.5
MOST_CALLERS = 8  # lines of the user's code by which loaders are told apart

Look = Callable[["WatchRecorder", float], None]


class EnoughError(SystemExit):
    """The steps or seconds that were asked for have been watched: the script ends, as by ``sys.exit(0)``."""

    def __init__(self) -> None:
        super().__init__(0)


@dataclass(kw_only=True)
class WatchRecorder:
    """All loaders of this process."""

    folder: Path
    """Where workers write what they make."""
    most_steps: int | None = None
    most_s: float | None = None
    """From the first batch that is asked for."""
    look: Look = field(default=lambda _recorder, _now: None)
    loaders: list[LoaderTrace] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """When, and bytes of the process tree."""
    began: float = field(default_factory=perf_counter)
    owner: int = field(default_factory=os.getpid)
    steps: int = 0
    is_enough: bool = False
    next_look: float = 0.0
    device_waits: DeviceWaits = field(default_factory=DeviceWaits)
    sink: Sink = field(init=False)
    _epochs: dict[int, EpochTrace] = field(default_factory=dict)
    _made: dict[int, "MadeLoader"] = field(default_factory=dict)
    _iterables: dict[str, LoaderTrace] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sink = Sink(str(self.folder), self.owner)

    @property
    def is_here(self) -> bool:
        """Return whether this is the process that is watched, and none that it has forked."""
        return os.getpid() == self.owner

    # What the hooks call.

    def loader_made(self, loader: Any) -> None:
        """Note who made a loader."""
        if self.is_here:
            self._made[id(loader)] = _made(loader)

    def pass_begun(self, loader: Any, iterator: Any, began: float, started: float) -> None:
        """Note a new pass over a loader, whose iterator was there at `started`; what is done here is no wait of it."""
        if not self.is_here:
            return
        before = self._epochs.get(id(iterator))
        trace = self._trace_of(loader)
        epoch = EpochTrace(trace, began, started)
        epoch.workers = tuple(worker.pid for worker in getattr(iterator, "_workers", ()))
        if before is not None and before.workers == epoch.workers:
            epoch.worker_pass = before.worker_pass + 1
        fetcher = getattr(iterator, "_dataset_fetcher", None)
        if fetcher is not None:
            self.sink.made[id(fetcher)] = epoch.made
        trace.epochs.append(epoch)
        self._epochs[id(iterator)] = epoch
        forget = weakref.finalize(iterator, self._forget, id(iterator), epoch, None if fetcher is None else id(fetcher))
        forget.atexit = False
        if began == started:  # persistent workers are yet to be made ready
            epoch.began = epoch.started = perf_counter()

    def pass_started(self, iterator: Any) -> None:
        """Note that persistent workers are ready for the pass that has begun."""
        epoch = self._epochs.get(id(iterator))
        if epoch is not None:
            epoch.started = perf_counter()

    def _forget(self, key: int, epoch: EpochTrace, fetcher: int | None) -> None:
        if self._epochs.get(key) is epoch:
            del self._epochs[key]
        if fetcher is not None and self.sink.made.get(fetcher) is epoch.made:
            del self.sink.made[fetcher]

    def epoch_of(self, iterator: Any) -> EpochTrace | None:
        """Return the pass that an iterator is in; None where it is not watched."""
        epoch = self._epochs.get(id(iterator))
        return epoch if epoch is not None and epoch.ended is None else None

    def batch_received(
        self, epoch: EpochTrace, requested: float, received: float, begun: tuple[int, Any] | None = None
    ) -> None:
        """Note a batch, which a device too has waited for since it was `begun`, and look around if it is time."""
        if epoch.add(requested, received) and begun is not None:
            self.device_waits.end(begun, epoch.idle, len(epoch.received) - 1)
        self.steps += 1
        if self.steps == self.most_steps:
            self.is_enough = True
        if received >= self.next_look:
            self.look_around(epoch, received)

    def look_around(self, epoch: EpochTrace, now: float) -> None:
        """Do what is done now and then."""
        first = next((other.began for trace in self.loaders for other in trace.epochs), self.began)
        self.is_enough |= self.most_s is not None and now - first >= self.most_s
        self.device_waits.settle()
        self.look(self, now)
        ended = perf_counter()
        self.next_look = ended + LOOK_S
        epoch.own_work.append((len(epoch.received) - 1, ended - now))

    def pass_ended(
        self, epoch: EpochTrace, requested: float, ended: float, error: BaseException, iterator: Any = None
    ) -> None:
        """Note how a pass ended: with its last batch, or with an error of its iterator."""
        if isinstance(error, StopIteration):
            epoch.ended = (requested, ended)
        elif not isinstance(error, EnoughError):
            from loaderbench.benches.watch.observing.failed_wait import failure_text  # noqa: PLC0415 - what the script may not

            epoch.loader.failure = failure_text(error, iterator, epoch, ended - requested, self.sink)

    # Loaders, and who made them.

    def unread(self) -> list[LoaderTrace]:
        """Return a trace for each place where loaders were made of which none was read."""
        read = {lines for trace in self.loaders for lines in [trace.lines] if lines}
        made = {loader.lines: loader for loader in self._made.values() if loader.lines not in read}
        return [LoaderTrace(name=loader.lines[0], lines=loader.lines, facts=loader.facts) for loader in made.values()]

    def _trace_of(self, loader: Any) -> LoaderTrace:
        """Return a loader's trace: a new one, or that of a loader which the same lines made and which is gone."""
        made = self._made.get(id(loader))
        if made is None or made.reference() is not loader:  # a subclass that does not tell of itself
            made = self._made[id(loader)] = _made(loader)
        if made.trace is None:
            of_lines = [trace for trace in self.loaders if trace.lines == made.lines]
            alive = {id(other.trace) for other in self._made.values() if other.trace and other.reference() is not None}
            gone = [trace for trace in of_lines if id(trace) not in alive]
            made.trace = gone[0] if gone else self._new_trace(made)
            made.trace.loaders += bool(gone)
        return made.trace

    def _new_trace(self, made: "MadeLoader") -> LoaderTrace:
        trace = LoaderTrace(name=self._name_of(made.lines), lines=made.lines, facts=made.facts)
        self.loaders.append(trace)
        return trace

    def iterable_pass(self, name: str, began: float) -> EpochTrace:
        """Return a new pass over an iterable that is no DataLoader, by its name."""
        trace = self._iterables.get(name)
        if trace is None:
            trace = self._iterables[name] = LoaderTrace(name=name)
            self.loaders.append(trace)
        epoch = EpochTrace(trace, began, perf_counter())
        trace.epochs.append(epoch)
        return epoch

    def _name_of(self, lines: tuple[str, ...]) -> str:
        """Return the line that made a loader; where that has made another, with the line that called it."""
        names = {trace.name for trace in self.loaders}
        for number in range(1, len(lines) + 1):
            name = " from ".join(lines[:number])
            if name not in names:
                return name
        return f"{' from '.join(lines[:1])} ({len(self.loaders) + 1})"


@dataclass(slots=True)
class MadeLoader:
    """A loader that was made: by which lines of the user's code, and what is known of it."""

    reference: "weakref.ref[Any]"
    lines: tuple[str, ...]
    facts: dict[str, Any]
    trace: LoaderTrace | None = None  # once it is read


def _made(loader: Any) -> MadeLoader:
    from loaderbench.benches.watch.observing.facts import loader_facts  # noqa: PLC0415 - imports what the script may not

    lines = user_lines(_caller_of_init(loader))
    return MadeLoader(weakref.ref(loader), lines, loader_facts(loader))


def _caller_of_init(loader: Any) -> FrameType | None:
    """Return the frame that makes a loader: above the ``__init__`` of its own classes, which many loaders may share."""
    innermost = sys._getframe(1)  # noqa: SLF001 - ours are left out later
    outer: FrameType | None = innermost
    while outer is not None:
        code = outer.f_code
        if code.co_name == "__init__" and code.co_argcount and outer.f_locals.get(code.co_varnames[0]) is loader:
            innermost = outer.f_back or innermost
        outer = outer.f_back
    return innermost


def user_lines(frame: FrameType | None) -> tuple[str, ...]:
    """Return the lines of the user's code that lead here, innermost first; where there are none, a library's."""
    from loaderbench.benches.harness.failures.failure_line import is_user_code  # noqa: PLC0415 - as above

    frames = []
    while frame is not None:
        frames.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    users = [entry for entry in frames if is_user_code(entry[0]) or entry[0].startswith("<ipython")]
    others = [entry for entry in frames if f"{os.sep}torch{os.sep}" not in entry[0] and not _is_ours(entry[0])]
    return tuple(f"{_short(path)}:{line}" for path, line in (users or others[:1])[:MOST_CALLERS]) or ("a DataLoader",)


def cell_name(path: str) -> str:
    """Return which cell of a notebook a code's file name stands for, as ``cell 3``; empty of any other file."""
    if of_ipython := re.match(r"<ipython-input-(\d+)", path):
        return f"cell {of_ipython[1]}"
    if not Path(path).parent.name.startswith("ipykernel_"):
        return ""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    numbers = getattr(getattr(shell, "compile", None), "_filename_map", {})  # as IPython's own tracebacks name cells
    return f"cell {numbers.get(path, '?')}"


def _is_ours(path: str) -> bool:
    return Path(path).is_relative_to(Path(__file__).parents[2]) or path.startswith("<frozen")


def _short(path: str) -> str:
    if cell := cell_name(path):
        return cell
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return Path(path).name
