"""Which case a few words mean."""

from typing import Any

import pytest

from loaderbench.reports.history.case_search import NamedCase, search


def case(name: str, bench: str = "epoch", **settings: Any) -> NamedCase:
    return NamedCase(identity=f"{name} {settings}", name=f"bench_{bench}[{name}]", bench=bench, settings=settings)


# As `make bench` names them.
CASES = [
    *(
        case(
            f"{dataset}-workers={workers}-batch={batch}-{collate}",
            dataset=dataset, num_workers=workers, batch_size=batch, collate_fn=collate,
            persistent_workers=workers > 0, prefetch_factor=2 if workers else None,
        )
        for dataset, collates in (("images", ("default", "stack_into")), ("shards", ("default",)))
        for workers in (0, 1, 2, 24)
        for batch in (32, 256)
        for collate in collates
    ),
    case("images", bench="memory", dataset="images", num_workers=2),
    case("images-workers=2", bench="training", dataset="images", num_workers=2, pin_memory=False),
    case("images-workers=2-pinned", bench="training", dataset="images", num_workers=2, pin_memory=True),
]  # fmt: skip


def meant(words: str, cases: list[NamedCase] = CASES) -> str:
    case = search(words, cases).meant
    return case.name if case else ""


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("bench_epoch[images-workers=2-batch=32-default]", "bench_epoch[images-workers=2-batch=32-default]"),
        ("epoch images workers=2", "bench_epoch[images-workers=2-batch=32-default]"),
        ("workers=2 EPOCH Images batch=256", "bench_epoch[images-workers=2-batch=256-default]"),
        ("epoch images workers=2 stack_into", "bench_epoch[images-workers=2-batch=32-stack_into]"),
        ("epoch shards", "bench_epoch[shards-workers=0-batch=32-default]"),
        ("training images workers=2", "bench_training[images-workers=2]"),
        ("training pinned", "bench_training[images-workers=2-pinned]"),
        ("memory", "bench_memory[images]"),
        ("train", "bench_training[images-workers=2]"),
    ],
)
def test_words_mean_the_case_with_these_words_alone_or_the_one_at_the_defaults(words: str, name: str) -> None:
    assert meant(words) == name


def test_a_word_that_is_whole_in_some_name_is_no_part_of_others() -> None:
    matching = search("epoch images workers=2", CASES).matching
    assert {case.settings["num_workers"] for case in matching} == {2}


@pytest.mark.parametrize("words", ["images", "epoch", "images workers=2", "epoch workers=2", "bench"])
def test_a_dataset_and_a_bench_have_no_default(words: str) -> None:
    result = search(words, CASES)
    assert result.meant is None
    assert len(result.matching) > 1


def test_a_setting_that_is_not_known_has_no_default() -> None:
    cases = [case(f"x-{zeal}", zeal=zeal) for zeal in (1, 2)]
    assert meant("x", cases) == ""


def test_of_cases_that_have_one_name_the_last_run_is_meant() -> None:
    cases = [case("x", samples=samples) for samples in (1, 2)]
    assert search("x", cases).meant == cases[-1]


def test_what_fits_no_case_means_none() -> None:
    assert search("zeal", CASES).matching == []
