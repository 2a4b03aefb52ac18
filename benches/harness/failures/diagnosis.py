"""Why a loader failed: which sample, which field, which line of the user's code.

torch is not patched and nothing is recorded for it while a loader runs. In the main process the sample stands in the
frames of torch's ``fetch``. From a worker comes its traceback as text, or nothing if it died: then the batch is read
again in processes of their own (``replay``).
"""

import linecache
import re
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import dropwhile
from pathlib import Path
from threading import current_thread, main_thread
from time import monotonic, sleep
from traceback import walk_tb
from types import FrameType
from typing import Any

import psutil
from torch.utils.data import _DatasetKind, default_collate
from torch.utils.data._utils import fetch

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.failure_line import (
    CaseFailedError,
    Failure,
    failure_of,
    is_user_code,
    traceback_of,
    user_place,
)
from loaderbench.benches.harness.failures.position import place_of
from loaderbench.benches.harness.failures.replay import follow, read_again
from loaderbench.benches.harness.failures.samples import fault_of
from loaderbench.benches.harness.samples.parts import index_in_whole

READ_AGAIN_S = 5.0  # for the batch, or the whole pass where it is not known which batch failed
STUCK_S = 2.0  # a sample that takes longer, read again, is where a worker has stopped
_DIES_WITHIN_S = 1.0  # a worker whose batch could not be received
_DESCRIPTORS_OF_A_BATCH = 4  # at least: to send one, a worker accepts a connection beside its tensors' own
_DEAD_WORKER = re.compile(r"DataLoader worker \(pid\(?s?\)? (\d+)")  # as torch says it
_MOST_NAMED = 3  # samples of a batch

Frames = list[tuple[FrameType, int]]
"""Frames of a traceback with the line that each was at, outermost first."""


@contextmanager
def as_case_failure() -> Iterator[None]:
    """Raise what user code raises within as CaseFailedError, ``SystemExit`` included: one line that says why."""
    try:
        yield
    except (CaseFailedError, RefusedError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise CaseFailedError(diagnose(error).line) from error


def diagnose(error: BaseException, batches: int | None = None) -> Failure:
    """Return why `error` was raised, with the sample, the field and the line to blame as far as they can be known.

    `batches` is how many were read before it, where no loader counts them.
    """
    with _torch_watches_no_worker():
        failure = failure_of(traceback_of(error))
        if isinstance(error, SystemExit):
            failure = replace(failure, message=str(error), detail="it ended the program")
        with suppress(Exception):  # what goes wrong here must not hide what went wrong there
            failure = _located(failure, list(walk_tb(error.__traceback__)), batches)
    return failure


@contextmanager
def _torch_watches_no_worker() -> Iterator[None]:
    """Keep torch from raising for its dead worker at the end of every other process, of those that we start too."""
    if not hasattr(signal, "SIGCHLD") or current_thread() is not main_thread():
        yield
        return
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler)


def _located(failure: Failure, frames: Frames, batches: int | None) -> Failure:
    if any("batch" in frame.f_locals and frame.f_locals["batch"] is None for frame, _ in frames if _is_ours(frame)):
        return replace(failure, detail="the collate_fn returned None in place of a batch")
    loader: Any = _loader_in(frames, failure)
    fetching = list(dropwhile(lambda entry: not _is_fetch(entry[0]), frames))
    if fetching:
        return _of_fetch(failure, fetching, loader._num_yielded if batches is None else batches)
    return failure if loader is None else _of_workers(failure, loader)


def _of_fetch(failure: Failure, frames: Frames, batches: int) -> Failure:
    """Return `failure` with what the frames of torch's ``fetch`` and below say, after `batches` that were read."""
    (frame, line), *inner = frames
    names, fetcher = frame.f_locals, frame.f_locals["self"]
    indices = names["possibly_batched_index"]
    place = user_place([(entry.f_code.co_filename, number) for entry, number in inner]) or failure.place
    is_stream = isinstance(fetcher, fetch._IterableDatasetFetcher)
    if is_stream and fetcher.auto_collation:
        first = batches * len(indices)
        indices = range(first, first + len(indices))
    if "collate_fn" not in linecache.getline(fetch.__file__, line):
        index = indices[len(names.get("data", ()))] if is_stream else index_asked_for(inner)
        return replace(failure, place=place, samples="" if index is None else f"sample {index}")
    samples = [indices] if not fetcher.auto_collation else [index_in_whole(fetcher.dataset, index) for index in indices]
    failure = replace(failure, place=place, samples=named_samples(samples))
    collate_fn = getattr(fetcher.collate_fn, "collate_fn", fetcher.collate_fn)  # a traced loader wraps it
    is_torchs = collate_fn is default_collate or not any(is_user_code(entry.f_code.co_filename) for entry, _ in inner)
    fault = fault_of(names["data"]) if is_torchs and fetcher.auto_collation else None
    if fault is None:
        return failure
    return replace(failure, detail=fault.text, samples=f"sample {samples[fault.position]}")


def _of_workers(failure: Failure, loader: Any) -> Failure:
    """Return `failure` with what can be known of a worker's batch."""
    named = _DEAD_WORKER.search(failure.message)
    pids = [worker.pid for worker in loader._workers]
    if named and int(named[1]) in pids:
        return _of_stopped_worker(failure, loader, pids.index(int(named[1])))
    if not failure.worker and (exhausted := _without_descriptors(loader)):
        return exhausted
    if "DataLoader timed out" in failure.message:
        return _of_stopped_worker(failure, loader, loader._task_info[loader._rcvd_idx][0])
    if not failure.worker and (number := _dead_worker(loader)) is not None:  # what it has sent cannot be received
        worker = loader._workers[number]
        death = f"DataLoader worker (pid {worker.pid}) has ended, with exit code {worker.exitcode}"
        return _of_stopped_worker(Failure(error="RuntimeError", message=death), loader, number)
    batches = _drawn(loader, [loader._rcvd_idx - 1])
    again = _read_again(loader, batches or loader._index_sampler, failure.error)
    if again is not None:
        return replace(again, worker=failure.worker)
    return replace(failure, samples=_named_in(loader, batches))


def _without_descriptors(loader: Any) -> Failure | None:
    """Return the failure of a worker that cannot open a file any more, nor send a batch; None where all of them can.

    This process then receives the end of a connection, or nothing until the loader's timeout.
    """
    for number, worker in enumerate(loader._workers):
        with suppress(psutil.Error, AttributeError):  # it has gone, or this system does not say
            process = psutil.Process(worker.pid)
            opened, limit = process.num_fds(), process.rlimit(psutil.RLIMIT_NOFILE)[0]
            if opened > limit - _DESCRIPTORS_OF_A_BATCH:
                text = f"{opened} are open, of at most {limit}"
                return Failure(error="OSError", message="Too many open files", detail=text, worker=str(number))
    return None


def _dead_worker(loader: Any) -> int | None:
    """Return the number of a worker that has died, or is about to; None where there is none."""
    end = monotonic() + _DIES_WITHIN_S
    while monotonic() < end:
        for number, (worker, is_expected) in enumerate(zip(loader._workers, loader._workers_status, strict=True)):
            if is_expected and not worker.is_alive():
                return number
        sleep(_DIES_WITHIN_S / 100)
    return None


def _of_stopped_worker(failure: Failure, loader: Any, number: int) -> Failure:
    """Return `failure` with what the worker `number` was doing that died, or that has not answered."""
    worker = loader._workers[number]
    failure = replace(failure, worker=str(number), place=place_of(worker.pid) if worker.is_alive() else "")
    tasks = sorted(task for task, info in loader._task_info.items() if info == (number,))  # none has arrived
    batches = _drawn(loader, tasks)
    if not batches:
        return replace(failure, detail=f"batch {tasks[0]} was not done" if tasks else "")
    if (worker.exitcode or 0) >= 0 and not failure.place:  # it has ended by itself, or waits for what to do next
        again = _read_again(loader, batches, None if worker.is_alive() else "SystemExit")
        if again is not None and worker.is_alive():
            return replace(again, worker=failure.worker, detail=again.detail or "a worker could not send this error")
        if again is not None:
            return replace(again, worker=failure.worker)
    indices = [index for batch in batches for index in batch] if loader._auto_collation else batches
    stopped = follow(loader._dataset, indices, loader._worker_init_fn, seconds=STUCK_S)
    if stopped is None or not stopped[0]:
        return replace(failure, samples=_named_in(loader, batches[:1]))
    index = index_in_whole(loader._dataset, int(stopped[0]))
    return replace(failure, samples=f"sample {index}", place=failure.place or stopped[1])


def _read_again(loader: Any, batches: Iterable[Any], error: str | None) -> Failure | None:
    """Return the failure of the first of `batches` that fails, read in one process; None if not `error` (if given)."""
    made = partial(
        _DatasetKind.create_fetcher,
        *(loader._dataset_kind, loader._dataset, loader._auto_collation, loader._collate_fn, loader._drop_last),
    )
    again: Failure | None = read_again(made, batches, diagnose, seconds=READ_AGAIN_S)
    return again if again and (error in (None, again.error) or again.detail) else None


def _drawn(loader: Any, tasks: Sequence[int]) -> list[Any]:
    """Return what the sampler drew for these batches of the pass under way; nothing where it is not known any more."""
    drawn = getattr(loader._index_sampler, "first_pass", None)  # a `CountingSampler`
    return [drawn[task] for task in tasks if 0 <= task < len(drawn)] if drawn else []


def index_asked_for(frames: Frames) -> Any:
    """Return what the user's ``__getitem__`` was called with, in the frames of an error, outermost first.

    None where no single sample was asked for.
    """
    for frame, _ in frames:
        code = frame.f_code
        if code.co_name == "__getitem__" and code.co_argcount > 1 and not _is_ours(frame) and not _is_torchs(frame):
            return frame.f_locals.get(code.co_varnames[1])
    return next((frame.f_locals["idx"] for frame, _ in frames if "idx" in frame.f_locals), None)


def _named_in(loader: Any, batches: Sequence[Any]) -> str:
    if not batches:
        return ""
    indices = batches[0] if loader._auto_collation else batches[:1]
    return named_samples([index_in_whole(loader._dataset, index) for index in indices])


def named_samples(indices: Sequence[Any]) -> str:
    """Return the samples of a batch in words.

    >>> named_samples([7]), named_samples([7, 8]), named_samples([1, 5, 3, 9])
    ('sample 7', 'one of samples 7, 8', 'one of samples 1, 5, 3 and 1 more')
    """
    if len(indices) == 1:
        return f"sample {indices[0]}"
    more = f" and {len(indices) - _MOST_NAMED} more" if len(indices) > _MOST_NAMED else ""
    return f"one of samples {', '.join(str(index) for index in indices[:_MOST_NAMED])}{more}"


def _is_fetch(frame: FrameType) -> bool:
    return frame.f_code.co_filename == fetch.__file__ and frame.f_code.co_name == "fetch"


def _loader_in(frames: Frames, failure: Failure) -> Any:
    """Return the iterator of a loader that a frame belongs to; of a dead worker, also one that a frame has.

    torch raises for a dead worker wherever the main process then is, as in a step. What else a step raises is its own.
    """
    own = [frame.f_locals.get("self") for frame, _ in frames]
    is_of_worker = _DEAD_WORKER.search(failure.message)
    had = [local for frame, _ in frames for local in frame.f_locals.values()] if is_of_worker else []
    return next(filter(_is_loader, [*own, *had]), None)


def _is_loader(thing: Any) -> bool:
    return hasattr(thing, "_index_sampler") and hasattr(thing, "_num_yielded")


def _is_ours(frame: FrameType) -> bool:
    return Path(frame.f_code.co_filename).is_relative_to(Path(__file__).parents[2])


def _is_torchs(frame: FrameType) -> bool:
    return "torch" in Path(frame.f_code.co_filename).parts
