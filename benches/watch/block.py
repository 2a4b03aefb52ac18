"""``with watch(): …`` around a loop in a notebook, and ``watch.iterable`` for what is no DataLoader."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from loaderbench.benches.harness.session.record import unused_folder
from loaderbench.benches.watch.observing.hooks import Hooks
from loaderbench.benches.watch.observing.recorder import EnoughError, WatchRecorder
from loaderbench.benches.watch.ranks import folder_of_rank, rank_and_size
from loaderbench.benches.watch.script import described
from loaderbench.benches.watch.session import WatchSession, show


class watch:  # noqa: N801 - it reads as a verb: with watch(): …
    """Watch every DataLoader that is read within the block; at its end a report is shown, and written into `out`.

    Under a launcher of several ranks each writes into a folder of its own in `out`; raises RefusedError without it.
    """

    def __init__(self, out: str | Path | None = None) -> None:
        rank, size = rank_and_size(os.environ)
        folder = folder_of_rank(None if out is None else Path(out), rank, size) or unused_folder("watch")
        self.session = WatchSession(folder=folder, script="with watch()", stream=sys.stdout, rank=rank, world_size=size)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._stack.enter_context(self.session.watching())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stack.close()
        ending = "finished" if kind is None else "interrupted" if kind is KeyboardInterrupt else "failed"
        show(self.session, self.session.finish(ending, described(error) if ending == "failed" and error else ""))

    @staticmethod
    def iterable(of: Iterable[Any], name: str) -> Iterable[Any]:
        """Return `of` as an iterable whose batches are watched by this name; where nothing is watched, `of` itself."""
        return WatchedIterable(of, name, Hooks.active.recorder) if Hooks.active else of


class WatchedIterable:
    """Any iterable of batches, watched; what else it has (a length, attributes) is that of the iterable itself."""

    def __init__(self, of: Iterable[Any], name: str, recorder: WatchRecorder) -> None:
        self._of, self._name, self._recorder = of, name, recorder

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._of, attribute)

    def __bool__(self) -> bool:
        return bool(self._of)  # without this an iterable that has no length would be asked for it

    def __len__(self) -> int:
        return len(self._of)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches."""
        began = perf_counter()
        batches = iter(self._of)
        epoch = self._recorder.iterable_pass(self._name, began)
        while True:
            if self._recorder.is_enough:
                raise EnoughError
            begun = self._recorder.device_waits.begin()
            requested = perf_counter()
            try:
                batch = next(batches)
            except BaseException as error:
                self._recorder.pass_ended(epoch, requested, perf_counter(), error)
                if isinstance(error, StopIteration):
                    return
                raise
            self._recorder.batch_received(epoch, requested, perf_counter(), begun)
            yield batch
