"""The model of a loader, against what can be worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loaderbench.reports.whatif.simulation import Costs, Scenario, batch_seconds, pass_seconds


def seconds(costs: Costs, batches: int = 100, **scenario: float | bool) -> float:
    return pass_seconds([costs], Scenario(**{"num_workers": 0, "cpus": 64, **scenario}), batches)  # type: ignore[arg-type]


def test_without_workers_a_pass_takes_what_its_batches_and_steps_take() -> None:
    assert seconds(Costs(alone_s=0.01), step_s=0.02, step_on_cpu=True) == pytest.approx(100 * 0.03)


def test_a_device_s_step_runs_beside_the_loop() -> None:
    assert seconds(Costs(alone_s=0.01), step_s=0.02) == pytest.approx(100 * 0.02 + 0.01)


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_workers_share_the_batches_while_there_are_cpus(workers: int) -> None:
    assert seconds(Costs(work_s=0.01), 400, num_workers=workers) == pytest.approx(400 * 0.01 / workers, rel=0.05)


def test_more_workers_than_cpus_make_nothing_faster() -> None:
    two, eight = (seconds(Costs(work_s=0.01), 400, num_workers=workers, cpus=2) for workers in (2, 8))
    assert eight == pytest.approx(two, rel=0.05)


def test_waiting_for_a_disk_needs_no_cpu() -> None:
    assert seconds(Costs(read_s=0.01), 400, num_workers=8, cpus=1) == pytest.approx(400 * 0.01 / 8, rel=0.05)


def test_a_slow_step_hides_the_loader() -> None:
    assert seconds(Costs(work_s=0.01, take_s=0.001), num_workers=4, step_s=0.02) == pytest.approx(100 * 0.02, rel=0.05)


def test_what_the_loop_does_itself_bounds_any_number_of_workers() -> None:
    assert seconds(Costs(work_s=0.01, take_s=0.005), num_workers=32) == pytest.approx(100 * 0.005, rel=0.1)


def test_ranks_share_the_cpus() -> None:
    one, four = (seconds(Costs(work_s=0.01), 200, num_workers=2, cpus=2, ranks=ranks) for ranks in (1, 4))
    assert four == pytest.approx(4 * one, rel=0.05)


def test_all_readers_share_the_storage() -> None:
    costs = Costs(storage_bytes=1e6, work_s=1e-6)
    assert seconds(costs, 200, num_workers=8, storage_bytes_per_s=1e8) == pytest.approx(200 * 0.01, rel=0.05)


def test_a_straggler_holds_back_the_others_unless_order_does_not_matter() -> None:
    costs = [Costs(work_s=0.2), *[Costs(work_s=0.01)] * 39]
    kept, free = (
        pass_seconds(costs, Scenario(num_workers=2, cpus=2, in_order=in_order), 40) for in_order in (True, False)
    )
    assert free < kept


def test_a_long_pass_goes_on_at_the_pace_of_its_part() -> None:
    short, long = (seconds(Costs(work_s=0.01), batches, num_workers=2) for batches in (400, 4000))
    assert long == pytest.approx(10 * short, rel=0.02)


def test_the_pace_of_a_long_pass_does_not_count_its_beginning() -> None:
    scenario = Scenario(num_workers=2, cpus=2, begin_s=5.0)
    assert batch_seconds([Costs(work_s=0.01)], scenario) == pytest.approx(0.005, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(
    work_s=st.floats(1e-5, 0.1),
    read_s=st.floats(0, 0.1),
    take_s=st.floats(0, 0.01),
    workers=st.integers(1, 6),
    cpus=st.integers(1, 6),
    step_s=st.floats(0, 0.05),
)
def test_no_pass_beats_its_bounds(
    work_s: float, read_s: float, take_s: float, workers: int, cpus: int, step_s: float
) -> None:
    costs = Costs(work_s=work_s, read_s=read_s, take_s=take_s)
    result = seconds(costs, 30, num_workers=workers, cpus=cpus, step_s=step_s)
    by_loop, by_cpu, by_worker = (
        30 * max(take_s, step_s),
        30 * (work_s + take_s) / cpus,
        30 * (work_s + read_s) / workers,
    )
    assert result >= max(by_loop, by_cpu, by_worker) * (1 - 1e-6)
    assert result <= 30 * (take_s + step_s + work_s + read_s) * max(1, workers / cpus, 1) + 1e-6


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"num_workers": -1}, "num_workers"),
        ({"cpus": 0}, "cpus"),
        ({"step_s": -1.0}, "step_s"),
        ({"ranks": 0}, "ranks"),
    ],
    ids=["workers", "cpus", "step", "ranks"],
)
def test_a_machine_that_cannot_be_is_refused(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Scenario(**{"num_workers": 1, "cpus": 1, **wrong})  # type: ignore[arg-type]


def test_a_batch_is_taken_more_slowly_from_a_worker_that_works() -> None:
    costs = {"work_s": 0.002, "take_s": 0.002}
    free, slowed = (seconds(Costs(**costs, speed_while_making=speed), num_workers=1) for speed in (1.0, 0.1))
    assert slowed > 1.2 * free


def test_taking_from_a_worker_that_rests_is_not_held_up() -> None:
    costs = {"read_s": 0.002, "take_s": 0.002}  # it waits for a file, and its interpreter is free
    free, slowed = (seconds(Costs(**costs, speed_while_making=speed), num_workers=1) for speed in (1.0, 0.1))
    assert slowed == pytest.approx(free)


def test_processes_on_all_cpus_slow_each_other_and_one_alone_is_not_slowed() -> None:
    costs = Costs(work_s=0.01, alone_s=0.01, contended_speed=0.6)
    alone, one, two = (seconds(costs, num_workers=workers, cpus=2) for workers in (0, 1, 2))
    assert alone == pytest.approx(100 * 0.01)
    assert one == pytest.approx(100 * 0.01)
    assert two == pytest.approx(100 * 0.01 / 2 / 0.6, rel=0.03)


def test_processes_on_some_of_the_cpus_slow_each_other_less() -> None:
    costs = Costs(work_s=0.01, contended_speed=0.6)
    some, all_of_them = (seconds(costs, 400, num_workers=workers, cpus=9) * workers for workers in (5, 9))
    assert some == pytest.approx(400 * 0.01 / 0.8, rel=0.05)
    assert all_of_them == pytest.approx(400 * 0.01 / 0.6, rel=0.05)


@pytest.mark.parametrize("speed", [0.0, 1.1])
def test_a_speed_beside_others_is_a_share(speed: float) -> None:
    with pytest.raises(ValueError, match=r"contended_speed must be in \(0, 1\]"):
        Costs(contended_speed=speed)


@pytest.mark.parametrize("speed", [0.0, -1.0, 1.5])
def test_a_speed_is_a_share(speed: float) -> None:
    with pytest.raises(ValueError, match=r"speed_while_making must be in \(0, 1\]"):
        Costs(speed_while_making=speed)
