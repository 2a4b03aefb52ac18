"""Cases: the product of a bench's axes, less what cannot matter and what cannot be."""

from collections.abc import Callable

import pytest

from loaderbench.benches.harness.cases.grid import combinations

Names = Callable[..., list[str]]
Suite = Callable[..., pytest.RunResult]

PLAIN = "def bench_own(measure, dataset, loader, device): ..."
SWEPT = """
import pytest

from loaderbench.benches.harness.cases.grid import combinations

@pytest.mark.sweep({axes})
def bench_own(measure, dataset, loader, device): ...
"""
MINE = ("--dataset", "mine:Numbers", "--device", "cpu")


@pytest.fixture
def plain(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_own=PLAIN)


@pytest.fixture
def swept(pytester: pytest.Pytester) -> Callable[[str], None]:
    return lambda axes: pytester.makepyfile(bench_own=SWEPT.format(axes=axes)) and None


@pytest.mark.usefixtures("plain")
def test_cases_are_the_product_of_what_is_asked(names: Names) -> None:
    assert set(names(*MINE, "--num-workers", "1,2", "--batch-size", "8,16")) == {
        "bench_own[mine.Numbers-workers=1-batch=8]",
        "bench_own[mine.Numbers-workers=1-batch=16]",
        "bench_own[mine.Numbers-workers=2-batch=8]",
        "bench_own[mine.Numbers-workers=2-batch=16]",
    }


@pytest.mark.usefixtures("plain")
def test_settings_of_workers_make_no_cases_where_there_are_none(names: Names) -> None:
    sweeps = ("--prefetch-factor", "2,8", "--persistent-workers", "on,off", "--start-method", "fork,spawn")
    one = ("--num-workers", "0", "--batch-size", "8", "--in-order", "on,off")
    assert len(names(*MINE, *sweeps, *one)) == 1


@pytest.mark.usefixtures("plain")
def test_settings_of_workers_are_swept_where_there_are_some(names: Names) -> None:
    sweeps = ("--prefetch-factor", "2,8", "--persistent-workers", "on,off", "--start-method", "fork,spawn")
    assert len(names(*MINE, *sweeps, "--num-workers", "0,1", "--batch-size", "8")) == 1 + 2 * 2 * 2


@pytest.mark.usefixtures("plain")
def test_a_value_given_twice_is_one_case(names: Names) -> None:
    assert len(names(*MINE, "--num-workers", "0,0", "--batch-size", "8,8")) == 1


@pytest.mark.usefixtures("plain")
def test_pinning_without_an_accelerator_is_no_case(names: Names) -> None:
    assert names(*MINE, "--num-workers", "0", "--batch-size", "8", "--pin-memory", "off,on") == [
        "bench_own[mine.Numbers]"
    ]


@pytest.mark.usefixtures("plain")
def test_a_bench_with_no_feasible_case_is_skipped_and_says_why(suite: Suite) -> None:
    result = suite(*MINE, "--num-workers", "0", "--batch-size", "8,16", "--pin-memory", "on")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*bench_own?none? skipped: pin_memory needs an accelerator"])


def test_a_bench_of_transfers_is_skipped_on_a_cpu(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_own="def bench_own(measure, dataset, loader, accelerator): ...")
    suite(*MINE).stdout.fnmatch_lines(["*bench_own?none? skipped: needs an accelerator: *"])


@pytest.mark.usefixtures("plain")
def test_a_stream_has_one_sampling(names: Names) -> None:
    brief = ("--device", "cpu", "--num-workers", "0", "--batch-size", "8")
    assert len(names("--dataset", "mine:Stream", "--sampling", "sequential,shuffle,weighted", *brief)) == 1


@pytest.mark.usefixtures("plain")
def test_a_dataset_without_getitems_has_one_way_to_be_fetched(names: Names) -> None:
    brief = ("--num-workers", "0", "--batch-size", "8")
    assert len(names(*MINE, "--fetch", "getitem,getitems", *brief)) == 1


def test_a_bench_sweeps_its_own_axes_where_the_command_line_is_silent(
    names: Names, swept: Callable[[str], None]
) -> None:
    swept("batch_size=(4, 6), num_workers=(0,)")
    assert set(names(*MINE)) == {"bench_own[mine.Numbers-batch=4]", "bench_own[mine.Numbers-batch=6]"}


def test_the_command_line_beats_a_bench_s_own_axes(names: Names, swept: Callable[[str], None]) -> None:
    swept("batch_size=(4, 6), num_workers=(0,)")
    assert set(names(*MINE, "--batch-size", "10,12")) == {
        "bench_own[mine.Numbers-batch=10]",
        "bench_own[mine.Numbers-batch=12]",
    }


def test_a_bench_may_take_the_usual_value_alone(names: Names, swept: Callable[[str], None]) -> None:
    swept("num_workers='first', batch_size='first'")
    assert names(*MINE) == ["bench_own[mine.Numbers]"]


def test_the_quick_set_varies_one_setting_at_a_time(names: Names, swept: Callable[[str], None]) -> None:
    swept("num_workers=(2, 0), batch_size=(8, 16, 32)")
    assert set(names(*MINE)) == {
        "bench_own[mine.Numbers-workers=2-batch=8]",
        "bench_own[mine.Numbers-workers=0-batch=8]",
        "bench_own[mine.Numbers-workers=2-batch=16]",
        "bench_own[mine.Numbers-workers=2-batch=32]",
    }


def test_the_full_set_is_every_combination(names: Names, swept: Callable[[str], None]) -> None:
    swept("num_workers=(2, 0), batch_size=(8, 16, 32), prefetch_factor=(2,)")
    assert len(names(*MINE, "--full")) == 2 * 3


def test_what_is_asked_is_combined_and_what_is_not_varies_around_it() -> None:
    values = {"dataset": ("text",), "num_workers": (0, 2), "batch_size": (32, 256), "pin_memory": (False, True)}
    cases = [tuple(case.values()) for case in combinations(values, {"dataset", "num_workers", "batch_size"})]
    assert len(cases) == 2 * 2 * 2
    cases = [tuple(case.values()) for case in combinations(values, {"dataset", "num_workers"})]
    assert cases == [
        ("text", 0, 32, False), ("text", 0, 256, False), ("text", 0, 32, True),
        ("text", 2, 32, False), ("text", 2, 256, False), ("text", 2, 32, True),
    ]  # fmt: skip


def test_a_sweep_over_an_unknown_axis_names_those_there_are(suite: Suite, swept: Callable[[str], None]) -> None:
    swept("workers=(1, 2)")
    suite(*MINE).stdout.fnmatch_lines(["*sweep has no setting 'workers'; it has dataset, device, *num_workers, *"])


def test_settings_that_are_off_are_not_in_a_name(names: Names, swept: Callable[[str], None]) -> None:
    swept("num_workers=(1,), batch_size=(8,), persistent_workers=(False, True)")
    assert set(names(*MINE)) == {"bench_own[mine.Numbers]", "bench_own[mine.Numbers-persistent]"}


@pytest.mark.parametrize("size", ["--quick", "--full"])
def test_no_two_cases_of_the_suite_have_one_name(names: Names, size: str) -> None:
    cases = names("--pyargs", "loaderbench.benches", size)
    assert len(cases) > 30
    assert len(set(cases)) == len(cases)
