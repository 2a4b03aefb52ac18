"""Costs from a trace that is made up: one worker that fetches, collates and sends, and a loop that takes."""

import pytest

from loaderbench.benches.harness.tracing.timestamps import BatchTrace, PassTrace, Timestamps
from loaderbench.benches.whatif.trace_costs import SLOWEST, pass_costs

MS = 1e-3
BATCHES = 8


def trace(
    *, making_s: float = 10 * MS, cpu_s: float = 4 * MS, gap_s: float = MS, take_s: float = 2 * MS, begin_s: float = 0.5
) -> PassTrace:
    """A worker that makes a batch after the other, `gap_s` between them; the loop takes each at once, in `take_s`."""
    batches = []
    fetching, requested = begin_s, 0.0
    for _ in range(BATCHES):
        collated = fetching + making_s
        received = collated + 3 * MS + take_s
        timestamps = Timestamps(
            fetching=fetching, fetched=collated, collated=collated, pickling=collated, pickled=collated + 3 * MS,
            unpickling=collated + 3 * MS, unpickled=received, cpu_s=cpu_s, samples=4,
        )  # fmt: skip
        batches.append(BatchTrace(requested=requested, received=received, finished=received, timestamps=timestamps))
        fetching, requested = received + gap_s, received
    return PassTrace(batches=batches, seconds=requested)


def test_making_a_batch_is_split_into_work_on_the_cpu_and_waiting() -> None:
    costs = pass_costs(trace(), [0.02]).batches[0]
    assert costs.work_s == pytest.approx(4 * MS)
    assert costs.read_s == pytest.approx(6 * MS)


def test_the_clock_of_cpu_time_never_exceeds_the_time_of_making() -> None:
    costs = pass_costs(trace(cpu_s=12 * MS), [0.02]).batches[0]
    assert costs.work_s == pytest.approx(10 * MS)
    assert costs.read_s == 0.0


def test_sending_is_pickling_and_the_worker_s_own_loop() -> None:
    """In `trace` a batch is pickled in 3 ms, and the next one begun 1 ms after it was received, which took 2 ms."""
    assert pass_costs(trace(gap_s=MS), [0.02]).batches[0].send_s == pytest.approx(3 * MS + (3 + 2 + 1) * MS)


def test_taking_is_what_the_loop_takes_of_a_batch_while_its_worker_is_idle() -> None:
    costs = pass_costs(trace(take_s=2 * MS), [0.02]).batches[0]
    assert costs.take_s == pytest.approx(2 * MS)


def test_the_time_until_the_first_sample_is_requested_is_the_beginning() -> None:
    assert pass_costs(trace(begin_s=0.5), [0.02]).begin_s == pytest.approx(0.5)


def test_every_batch_has_its_own_time_without_workers_in_turn() -> None:
    alone = [costs.alone_s for costs in pass_costs(trace(), [0.02, 0.03]).batches]
    assert alone == [0.02, 0.03] * (BATCHES // 2)


def test_a_batch_that_is_taken_more_slowly_beside_a_busy_worker_has_its_pace() -> None:
    """Each taking needs 2 ms of work; beside the worker's making it goes at half the speed."""
    batches = []
    for number in range(BATCHES):
        begun = float(number)
        beside_s = (number % 4) * MS  # of the taking, in which the worker makes another batch
        rest_s = 2 * MS - 0.5 * beside_s
        timestamps = Timestamps(fetching=-number - 10.0, collated=-number - 9.5, pickled=begun, cpu_s=0.1, samples=4)
        received = begun + beside_s + rest_s
        batches.append(BatchTrace(requested=begun, received=received, finished=received, timestamps=timestamps))
    making = [
        BatchTrace(
            requested=100.0 + number, received=100.0 + number + 2 * MS, finished=101.0 + number,
            timestamps=Timestamps(
                fetching=number + 0.0, collated=number + (number % 4) * MS, pickled=100.0 + number, cpu_s=0.0, samples=4
            ),
        )
        for number in range(BATCHES)
    ]  # fmt: skip
    costs = pass_costs(PassTrace(batches=batches + making, seconds=1.0), [0.02]).batches[0]
    assert costs.speed_while_making == pytest.approx(0.5, abs=0.05)
    assert costs.take_s == pytest.approx(2 * MS, rel=0.05)


def test_a_pace_is_never_below_the_slowest() -> None:
    assert pass_costs(trace(), [0.02]).batches[0].speed_while_making >= SLOWEST
