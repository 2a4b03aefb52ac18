"""Read a batch again, in a process of its own, to see which of its samples is to blame."""

import mmap
import sys
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from types import FrameType
from typing import Any

from torch.utils.data import DataLoader
from torch.utils.data._utils import fetch

from loaderbench.benches.harness.failures.failure_line import is_user_code, user_place
from loaderbench.benches.harness.system.child import ChildError, in_child

_LONGEST = 4096  # bytes of a position


class Position:
    """A ``worker_init_fn`` by which a worker writes the index it reads, and the user's line it is at, as it goes.

    It is read after the worker is gone: the memory is shared with the process that made it, so workers must be forked.
    Tracing every line is slow; nothing is timed.
    """

    def __init__(self, init: Callable[[int], None] | None) -> None:
        self._init = init
        self._memory = mmap.mmap(-1, _LONGEST)
        self._index = ""

    def __call__(self, worker_id: int) -> None:
        """Do what the user's own function does, then follow what comes."""
        if self._init is not None:
            self._init(worker_id)
        sys.settrace(self._follow)

    def read(self) -> tuple[str, str]:
        """Return the index and the place, both as text, either empty where none was written."""
        index, _, place = self._memory[:].rstrip(b"\0").decode(errors="replace").partition("\n")
        return index, place

    def _follow(self, frame: FrameType, event: str, _: object) -> Any:
        code = frame.f_code
        if code.co_filename == fetch.__file__ and code.co_name == "fetch":
            (index,) = frame.f_locals["possibly_batched_index"]
            self._index = str(index)
            self._write("")
            return None
        if not is_user_code(code.co_filename):
            return None
        if event in ("call", "line"):
            self._write(user_place([(code.co_filename, frame.f_lineno)]))
        return self._follow

    def _write(self, place: str) -> None:
        written = f"{self._index}\n{place}".encode()[:_LONGEST]
        self._memory[:] = written.ljust(_LONGEST, b"\0")


def follow(
    dataset: Any, indices: Sequence[int], init: Callable[[int], None] | None, *, seconds: float
) -> tuple[str, str] | None:
    """Return index and place where a worker that reads `indices` one by one dies, or stops for `seconds`.

    None where it reads them all, as it may: what went wrong then depends on more than these samples.
    """
    position = Position(init)

    def read() -> None:
        for _ in DataLoader(
            dataset,
            batch_sampler=[[index] for index in indices],
            num_workers=1,
            prefetch_factor=1,
            collate_fn=_nothing,
            timeout=seconds,
            worker_init_fn=position,
            multiprocessing_context="fork",
        ):
            pass

    try:
        in_child(read, timeout_s=len(indices) * seconds)
    except (ChildError, RuntimeError):
        return position.read()
    return None


def _nothing(_: object) -> None:
    """Collate no batch."""


def read_again(
    made: Callable[[], Any], batches: Iterable[Any], diagnose: Callable[[BaseException, int], Any], *, seconds: float
) -> Any:
    """Return what `diagnose` makes of the first error of `batches`, read in one process; None where there is none.

    `made` makes one of torch's fetchers. `diagnose` is given the error and the number of batches read before. Gives up
    after `seconds`.
    """

    def read() -> Any:
        end, fetcher = monotonic() + seconds, made()
        for count, batch in enumerate(batches):
            try:
                fetcher.fetch(batch)
            except StopIteration:
                return None
            except BaseException as error:  # noqa: BLE001 - SystemExit too
                return diagnose(error, count)
            if monotonic() > end:
                return None
        return None

    try:
        return in_child(read, timeout_s=seconds + 1)
    except ChildError:
        return None
