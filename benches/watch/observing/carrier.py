"""Timed fetchers for workers that are not forked: sent to them with the name of their parent.

This module, too, imports torch only where it has been imported (see ``stages.py``).
"""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import get_spawning_popen
from typing import Any, Self

from loaderbench.benches.watch.observing.stages import Sink, counted_fetcher, time_stages, timed_fetch


class Carrier(str):  # noqa: SLOT000 - a text with two values beside it
    """The name of this process, which puts timed fetchers into a process that unpickles it, and is a plain text there.

    ``multiprocessing`` sends a worker that is not forked the name of its parent, before anything of torch runs.
    """

    folder: str
    owner: int

    def __new__(cls, name: str, folder: str, owner: int) -> Self:
        """Make one of a name."""
        carrier = super().__new__(cls, name)
        carrier.folder, carrier.owner = folder, owner
        return carrier

    def __reduce__(self) -> tuple[Any, ...]:
        if get_spawning_popen() is None:  # a worker sends it with a batch
            return str, (str(self),)
        return arrived, (str(self), self.folder, self.owner)


def arrived(name: str, folder: str, owner: int) -> str:
    """Put timed fetchers into this process, a worker that was not forked; return the name."""
    from torch.utils.data._utils import fetch  # noqa: PLC0415 - a worker of torch's: it is imported already, or next

    time_stages(Sink(folder, owner))
    fetchers: tuple[Any, ...] = (fetch._MapDatasetFetcher, fetch._IterableDatasetFetcher)  # noqa: SLF001
    for cls in fetchers:
        cls.fetch = timed_fetch(cls.fetch)
    base: Any = fetch._BaseDatasetFetcher  # noqa: SLF001
    base.__init__ = counted_fetcher(base.__init__)
    return name


@contextmanager
def carried(sink: Sink) -> Iterator[None]:
    """Send a `Carrier` to each process that is started within the block by this thread, unless it is forked."""
    process = multiprocessing.current_process()
    name = process.name
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process.name = Carrier(name, sink.folder, sink.owner)
    try:
        yield
    finally:
        process.name = name
