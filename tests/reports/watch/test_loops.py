"""The seconds of a loop, of waits that are made up."""

import numpy as np
import pytest
from made_up_watches import epoch, loader
from msgspec.structs import replace

from loaderbench.reports.watch.loops import loop_times, making, slow_samples, stage_waits, typical_step_s
from loaderbench.reports.watch.watch_record import MadeBatch


def test_waits_and_steps_add_up_to_the_loop() -> None:
    times = loop_times(loader(epoch([1.0, 2.0], [3.0, 4.0], end_s=0.5)))
    assert times.waits.tolist() == [1.0, 2.0]
    assert times.others.tolist() == [3.0, 4.0]
    assert times.seconds == 10.5
    assert times.wait_s == 3.5


def test_the_first_wait_of_a_pass_includes_the_start_of_its_iterator() -> None:
    times = loop_times(loader(epoch([1.0, 2.0], [0.0, 0.0], start_s=5.0)))
    assert times.first_s.tolist() == [6.0]


def test_what_lies_between_an_early_iterator_and_its_first_batch_is_no_waiting() -> None:
    early = epoch([1.0], [1.0], start_s=0.5)
    later = replace(early, requested_s=(100.0,), received_s=(101.0,), ended_s=(102.0, 102.0))
    assert loop_times(loader(later)).seconds == 2.5


def test_between_two_passes_there_is_a_gap_which_is_in_no_loop() -> None:
    times = loop_times(loader(epoch([1.0], [1.0]), epoch([1.0], [1.0], began=10.0)))
    assert times.gaps.tolist() == [10.0]
    assert times.seconds == 4.0


def test_the_step_after_which_a_loop_was_left_is_not_known() -> None:
    left = replace(epoch([1.0, 1.0], [2.0, 2.0]), ended_s=None)
    times = loop_times(loader(left))
    assert times.is_whole.tolist() == [True, False]
    assert times.seconds == 4.0


def test_the_watchs_own_work_is_taken_out_of_the_step_that_it_lengthened() -> None:
    times = loop_times(loader(replace(epoch([1.0, 1.0], [2.0, 2.0]), own_work=((0, 0.5), (-1, 9.0)))))
    assert times.others.tolist() == [1.5, 2.0]


def test_a_typical_step_is_a_mean_without_what_happens_once() -> None:
    accumulated = [0.001, 0.001, 0.001, 0.037] * 50
    assert typical_step_s(loop_times(loader(epoch([0.01] * 200, [60.0, *accumulated[1:]])))) == pytest.approx(
        0.01, rel=0.05
    )
    assert typical_step_s(loop_times(loader(epoch([0.01], [0.3])))) == 0.3


def test_of_no_pass_there_is_no_time() -> None:
    times = loop_times(loader())
    assert (times.seconds, times.share, len(times.waits)) == (0.0, 0.0, 0)


def test_a_pass_without_a_batch_counts_by_its_end() -> None:
    times = loop_times(loader(epoch([], [], end_s=2.0)))
    assert (times.wait_s, len(times.waits)) == (2.0, 0)


def made(number: int, task: int, *events: float) -> MadeBatch:
    return MadeBatch(number, task, *events, 0.25, 4, 7, 0.5)


def test_a_wait_is_divided_by_what_its_batch_was_at() -> None:
    waited = stage_waits(
        loader(epoch([10.0, 1.0], [0.0, 0.0]), made=[made(0, 0, 1.0, 5.0, 7.0), made(0, 1, 0.0, 2.0, 3.0)])
    )
    assert {name: seconds for name, seconds in waited.items() if seconds} == {
        "begin": 1.0, "fetch": 4.0, "collate": 2.0, "transport": 4.0,
    }  # fmt: skip


@pytest.mark.parametrize("facts", [{"in_order": False}, {}])
def test_a_wait_for_a_batch_whose_stages_are_not_known_says_so(facts: dict[str, bool]) -> None:
    batches = [made(0, 0, 1.0, 2.0, 3.0)] if facts else []
    assert stage_waits(loader(epoch([4.0], [1.0]), made=batches, **facts))["unknown"] == 4.0


def test_what_batches_took_is_summed_over_the_processes_that_made_them() -> None:
    taken = making(loader(made=[made(0, 0, 1.0, 3.0, 4.0), made(0, 1, 2.0, 3.0, 4.0)]))
    assert taken is not None
    assert (taken.batches, taken.samples, taken.fetch_s, taken.collate_s) == (2, 8, 3.0, 2.0)
    assert np.isclose(taken.off_cpu_s, 3.0 + 2.0 - 2 * 0.25)
    assert making(loader()) is None


def test_the_slowest_samples_are_named_once_each() -> None:
    rows = [(5, 0.1), (9, 0.4), (5, 0.3), (-1, 0.9), (2, 0.2)]
    batches = [MadeBatch(0, task, 0.0, 1.0, 2.0, 0.0, 4, *row) for task, row in enumerate(rows)]
    named = [(sample.index, sample.seconds) for sample in slow_samples(loader(made=batches))]
    assert named == [(9, 0.4), (5, 0.3), (2, 0.2)]
