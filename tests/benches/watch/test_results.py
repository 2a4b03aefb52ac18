"""What was seen, as the record of a run."""

from made_up_watches import epoch, loader, steady, watched
from msgspec.structs import replace

from loaderbench.benches.watch.results import run_of


def test_each_loader_that_was_read_is_a_case_with_its_settings() -> None:
    run = run_of(watched(steady(0.4), loader()))
    (case,) = run["benchmarks"]
    settings = case["extra_info"]["settings"]
    assert case["name"] == "bench_watch[train:Train-2]"
    assert (settings["dataset"], settings["num_workers"], settings["device"], settings["script"]) == (
        "train:Train", 2, "cpu", "train.py",
    )  # fmt: skip
    assert "in_order" in settings


def test_two_loaders_alike_are_two_cases() -> None:
    run = run_of(watched(steady(0.4), steady(0.1)))
    assert [case["extra_info"]["settings"].get("loader") for case in run["benchmarks"]] == [None, 2]
    assert len(run["loaderbench"]["order"]) == 2


def test_an_iterable_goes_by_its_name() -> None:
    anything = replace(loader(epoch([1.0], [1.0])), name="lists", dataset="", facts={})
    (case,) = run_of(watched(anything))["benchmarks"]
    assert case["extra_info"]["settings"]["dataset"] == "lists"
