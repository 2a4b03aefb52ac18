"""Why a batch did not come: the error, the sample, the worker, and the line of the user's code, in one line.

Nothing is read again and no method of the dataset is called: what is said is what was noted (``worker_state.py``).
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter, sleep
from traceback import walk_tb
from typing import Any

from loaderbench.benches.harness.failures.diagnosis import index_asked_for, named_samples
from loaderbench.benches.harness.failures.failure_line import (
    Failure,
    failure_of,
    innermost_last,
    traceback_of,
    user_place,
)
from loaderbench.benches.harness.failures.position import frames_of_worker
from loaderbench.benches.watch.observing.stages import FAILED, Sink, rows_of
from loaderbench.benches.watch.observing.traces import EpochTrace, LoaderTrace
from loaderbench.benches.watch.observing.worker_state import UNKNOWN, StoppedAt, stopped_at
from loaderbench.reports.units import quantity

_ENDS_WITHIN_S = 0.3  # a worker that was interrupted with this process notes where it is
_NAMED = re.compile(r"DataLoader worker \(pid\(?s?\)? (\d+)")
_DEATH = re.compile(r"DataLoader worker \(pid\(?s?\)? (\d+)[\d, ]*\) [^(]*")
_OPTION = re.compile(r"--([a-z][a-z-]*)")


def failure_text(error: BaseException, iterator: Any, epoch: EpochTrace, waited_s: float, sink: Sink) -> str:
    """Return in a line why the iterator raised `error` in place of the next batch of `epoch`, after `waited_s`."""
    failure = failure_of(traceback_of(error))
    if isinstance(error, KeyboardInterrupt):
        text = f"after {quantity(waited_s, 's')} of waiting for batch {len(epoch.received)}"
        failure = replace(failure, message=text)
    for _ in range(2):  # torch raises for a dead worker, once, wherever this process is: here too
        with suppress(Exception, KeyboardInterrupt):  # what goes wrong here must not hide what went wrong there
            failure = _located(failure, error, iterator, epoch, sink)
            break
    return _OPTION.sub(lambda option: option[1].replace("-", "_"), failure.line)


def note_dead_worker(why: str, loaders: Sequence[LoaderTrace], sink: Sink) -> None:
    """Note what a worker was at whose death ended the script, not while it was waited for: torch raises it anywhere."""
    named = _DEATH.search(why)
    for trace in loaders:
        epoch = trace.epochs[-1] if trace.epochs else None
        if named is None or epoch is None or trace.failure or int(named[1]) not in epoch.workers:
            continue
        at = stopped_at(Path(sink.folder), int(named[1]))
        failure = Failure(
            error="RuntimeError", message=named[0].strip(), worker=str(epoch.workers.index(int(named[1])))
        )
        if at is not None:
            place = user_place(frames_of_worker(innermost_last(at.dump))) or str(trace.facts.get("sample_code", ""))
            failure = replace(failure, samples=_sample(None, None if at.index == UNKNOWN else at.index), place=place)
        trace.failure = failure.line


def _located(failure: Failure, error: BaseException, iterator: Any, epoch: EpochTrace, sink: Sink) -> Failure:
    dataset = getattr(iterator, "_dataset", None)
    workers = getattr(iterator, "_workers", None)
    if not workers:
        index = index_asked_for(list(walk_tb(error.__traceback__)))
        return failure if index is None else replace(failure, samples=named_samples([index]))
    if failure.worker:
        return replace(failure, samples=_sample(dataset, _failed_in(iterator, epoch, int(failure.worker), sink)))
    number = _awaited(failure, iterator)
    is_interrupted = failure.error == "KeyboardInterrupt"
    if workers[number].exitcode is not None and not _NAMED.search(failure.message) and not is_interrupted:
        failure = replace(failure, message=f"{failure.message}, from a worker that has ended")
    at = _stopped_at(workers[number], sink, is_interrupted=is_interrupted)
    if at is None and is_interrupted:  # a wait like any other: nothing hangs
        return failure
    failure = replace(failure, worker=str(number))
    if at is None:
        return replace(failure, detail="it was between two batches")
    frames = innermost_last(at.dump)
    place = user_place(frames_of_worker(frames)) or str(epoch.loader.facts.get("sample_code", ""))
    samples = _sample(dataset, at.index) if at.index != UNKNOWN else _of_batch(at, dataset)
    since = f"at it for {quantity(perf_counter() - at.since, 's')}" if workers[number].is_alive() else ""
    return replace(failure, samples=samples, place=place, detail=since)


def _awaited(failure: Failure, iterator: Any) -> int:
    """Return the number of the worker that the error names, else of one that has died, or whose batch is next."""
    named = _NAMED.search(failure.message)
    pids = [worker.pid for worker in iterator._workers]  # noqa: SLF001
    if named and int(named[1]) in pids:
        return pids.index(int(named[1]))
    end = perf_counter() + (_ENDS_WITHIN_S if failure.error not in {"KeyboardInterrupt", "RuntimeError"} else 0.0)
    while perf_counter() < end:  # what a worker has sent cannot be received once it has ended
        dead = [number for number, worker in enumerate(iterator._workers) if worker.exitcode is not None]  # noqa: SLF001
        if dead:
            return dead[0]
        sleep(_ENDS_WITHIN_S / 10)
    return int(iterator._task_info[iterator._rcvd_idx][0])  # noqa: SLF001 - torch has no public words for it


def _stopped_at(worker: Any, sink: Sink, *, is_interrupted: bool) -> StoppedAt | None:
    """Return what a worker was at; one that gets Ctrl-C as well says a moment later at which line it was."""
    end = perf_counter() + (_ENDS_WITHIN_S if is_interrupted else 0.0)
    at = stopped_at(Path(sink.folder), worker.pid)
    while at is not None and not at.dump and perf_counter() < end:
        sleep(_ENDS_WITHIN_S / 10)
        at = stopped_at(Path(sink.folder), worker.pid)
    return at


def _failed_in(iterator: Any, epoch: EpochTrace, number: int, sink: Sink) -> int | None:
    """Return the index of the sample that raised an error in a worker; None where it is not known."""
    task = iterator._rcvd_idx - 1  # noqa: SLF001
    rows = rows_of(Path(sink.folder) / f"{epoch.workers[number]}.bin")
    failed = [row for row in rows if (row[0], row[1], row[6]) == (epoch.worker_pass, task, FAILED)]
    return failed[-1][7] if failed and failed[-1][7] != UNKNOWN else None


def _sample(dataset: Any, index: Any) -> str:
    """Return a sample in words, by its index in the user's own dataset."""
    if index is None:
        return ""
    while type(dataset).__module__ == "torch.utils.data.dataset" and type(dataset).__name__ == "Subset":
        dataset, index = dataset.dataset, dataset.indices[index]
    return named_samples([int(index) if hasattr(index, "__index__") else index])


def _of_batch(at: StoppedAt, dataset: Any) -> str:
    if not hasattr(type(dataset), "__getitem__") and at.place != UNKNOWN:
        return f"sample {at.sample_of_stream} of the worker's stream"
    return f"batch {at.task}" if at.task != UNKNOWN else ""
