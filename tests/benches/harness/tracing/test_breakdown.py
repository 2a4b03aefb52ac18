"""The time breakdown, of made-up timestamps: every second is in the part that it belongs to."""

import pytest

from loaderbench.benches.harness.tracing.breakdown import blocked_s, loop_times, stage_times, unexplained
from loaderbench.benches.harness.tracing.timestamps import EVENTS, BatchTrace, PassTrace, Timestamps

CLOCK = 100


def batch(requested: float, received: float, finished: float | None = None, **timestamps: float) -> BatchTrace:
    """A batch of these times, of a clock that began long ago; without a step it is finished when it is received."""
    times = {name: time + CLOCK if name in EVENTS else time for name, time in timestamps.items()}
    return BatchTrace(
        requested=requested + CLOCK,
        received=received + CLOCK,
        finished=(received if finished is None else finished) + CLOCK,
        timestamps=Timestamps(**times),  # type: ignore[arg-type]
    )


def from_worker(start: float, requested: float, received: float, finished: float | None = None) -> BatchTrace:
    """A batch begun at `start`: 2 s of fetching, 1 s each of collating, queue, pickling, pipe and unpickling."""
    return batch(
        requested, received, finished,
        fetching=start, fetched=start + 2, collated=start + 3, pickling=start + 4, pickled=start + 5,
        unpickling=start + 6, unpickled=start + 7, cpu_s=1.0, transform_s=0.5, samples=4,
    )  # fmt: skip


def waits(trace: PassTrace) -> dict[str, float]:
    """The parts of the loop's time that are not nothing."""
    return {name: seconds for name, seconds in loop_times(trace).items() if seconds}


def test_stages_add_up_over_batches() -> None:
    trace = PassTrace(batches=[from_worker(0, 0, 8), from_worker(2, 8, 10)], seconds=10)
    assert stage_times(trace) == {
        "fetch_s": 4, "collate_s": 2, "queue_s": 2, "pickle_s": 2, "transit_s": 2, "unpickle_s": 2, "to_pin_s": 0,
        "pin_s": 0, "ready_s": 2, "transform_s": 1, "off_cpu_s": 4,
    }  # fmt: skip


def test_a_thread_cannot_be_on_a_cpu_longer_than_it_runs() -> None:
    trace = PassTrace(batches=[batch(0, 2, fetching=0.5, fetched=1, collated=1.5, cpu_s=1.25)], seconds=2)
    assert stage_times(trace)["off_cpu_s"] == 0


def test_waiting_is_split_by_the_stage_of_the_batch_waited_for() -> None:
    trace = PassTrace(batches=[from_worker(1, 0, 9)], seconds=9)
    assert waits(trace) == {
        "wait_begin_s": 1, "wait_fetch_s": 2, "wait_collate_s": 1, "wait_transport_s": 4, "wait_loop_s": 1
    }  # fmt: skip


def test_what_happened_before_the_batch_was_requested_was_not_waited_for() -> None:
    trace = PassTrace(batches=[from_worker(0, 2.5, 7)], seconds=4.5)
    assert waits(trace) == {"wait_collate_s": 0.5, "wait_transport_s": 4}


def test_a_slow_step_hides_the_loader() -> None:
    trace = PassTrace(batches=[from_worker(-10, 0, 0, 30), from_worker(0, 30, 30, 60)], seconds=60)
    assert waits(trace) == {"step_s": 60}


def test_without_workers_nothing_is_transported() -> None:
    trace = PassTrace(batches=[batch(0, 3, fetching=0, fetched=2, collated=3)], seconds=3)
    assert waits(trace) == {"wait_fetch_s": 2, "wait_collate_s": 1}
    done = stage_times(trace)
    assert {done[f"{stage}_s"] for stage in ("queue", "pickle", "transit", "unpickle", "pin")} == {0.0}


def test_pinning_and_the_way_to_it_are_one_wait() -> None:
    pinned = batch(0, 9, fetching=0, fetched=1, collated=2, pickling=2, pickled=3, unpickling=3, unpickled=4,
                   pinning=6, pinned=8)  # fmt: skip
    trace = PassTrace(batches=[pinned], seconds=9)
    assert waits(trace)["wait_pin_s"] == 4
    assert (stage_times(trace)["to_pin_s"], stage_times(trace)["pin_s"]) == (2, 2)


def test_what_a_device_finishes_after_the_last_batch_belongs_to_the_step() -> None:
    trace = PassTrace(batches=[batch(0, 1, 2, fetching=0, fetched=1, collated=1)], seconds=5, drain_s=3)
    assert waits(trace) == {"wait_fetch_s": 1, "step_s": 4}
    assert unexplained(trace) == 0


@pytest.mark.parametrize("seconds", [9.0, 10.0])
def test_the_parts_add_up_to_the_pass_but_for_what_is_unexplained(seconds: float) -> None:
    trace = PassTrace(batches=[from_worker(1, 0, 8, 9)], seconds=seconds)
    assert unexplained(trace) == pytest.approx(1 - 9 / seconds)


def test_a_straggler_blocks_batches_that_are_ready() -> None:
    straggler = batch(0, 10, fetching=0, fetched=9, collated=9, pickling=9, pickled=9.5, unpickling=9.5, unpickled=10)
    later = batch(10, 10, fetching=0, fetched=1, collated=1, pickling=1, pickled=2, unpickling=10, unpickled=10)
    assert blocked_s(PassTrace(batches=[straggler, later], seconds=10)) == 8
    assert blocked_s(PassTrace(batches=[straggler], seconds=10)) == 0


def test_timestamps_of_two_cores_may_differ_by_a_microsecond() -> None:
    trace = PassTrace(batches=[batch(0, 3, fetching=1, fetched=2, collated=2 - 1e-6)], seconds=3)
    assert stage_times(trace)["collate_s"] == 0
    assert unexplained(trace) == pytest.approx(0)
