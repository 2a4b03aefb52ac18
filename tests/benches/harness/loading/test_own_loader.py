"""The user's own loader: taken apart and varied, or read as it is."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from torch.utils.data import DataLoader

from loaderbench.benches.harness.errors import NotRebuiltError, RefusedError
from loaderbench.benches.harness.loading.case_loader import case_loader
from loaderbench.benches.harness.loading.loader import in_process
from loaderbench.benches.harness.loading.own_loader import OwnLoader, check_variation, load_own_loader, varied_settings
from loaderbench.benches.harness.loading.subject import DatasetChoice
from loaderbench.benches.harness.measuring.delivery import AsIsAudit, DeliveryError

THEIRS = """
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler

class Rows(Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, index):
        return torch.full((3,), float(range(40)[index]))

class Backwards:
    def __iter__(self):
        return iter(range(39, -1, -1))
    def __len__(self):
        return 40

def listed(samples):
    return torch.stack(samples), len(samples)

def make_loader():
    return DataLoader(Rows(), batch_size=8, shuffle=True, drop_last=True, collate_fn=listed)

ready = DataLoader(Rows(), batch_size=16, sampler=Backwards(), collate_fn=lambda samples: torch.stack(samples) + 1)

def in_batches():
    return DataLoader(Rows(), batch_sampler=BatchSampler(SequentialSampler(range(40)), 5, False), num_workers=1)

class Renamed(DataLoader):
    def __init__(self, dataset, size, **more):
        super().__init__(dataset, batch_size=size, **more)

class Counted(DataLoader):
    def batches(self):
        return len(self)

class Twice(DataLoader):
    def __init__(self, dataset):
        super().__init__(dataset, batch_size=16)

    def __iter__(self):
        for batch in super().__iter__():
            yield batch
            yield batch

def renamed():
    return Renamed(Rows(), 8)

def counted():
    return Counted(Rows(), batch_size=8)

def twice():
    return Twice(Rows())

def rows():
    return Rows()
"""
Measured = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _theirs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(theirs_own=THEIRS)
    pytester.syspathinsert()
    load_own_loader.cache_clear()


def own_of(name: str) -> OwnLoader:
    return load_own_loader(f"theirs_own:{name}")


def built(own: OwnLoader, **asked: Any) -> "DataLoader[Any]":
    subject = DatasetChoice(given=own.given_dataset, samples="all").subject(own.named.target)
    settings = {**varied_settings(own, asked), **asked}
    loaded, config = case_loader(subject, settings, seed=0, timeout_s=9, own_loader=own)
    return config.build(loaded.dataset)


def test_its_arguments_are_the_case_s_settings() -> None:
    settings = own_of("make_loader").settings
    assert {name: settings[name] for name in ("dataset", "batch_size", "sampling", "drop_last", "num_workers")} == {
        "dataset": "theirs_own:make_loader", "batch_size": 8, "sampling": "shuffle", "drop_last": True,
        "num_workers": 0,
    }  # fmt: skip
    assert settings["collate_fn"] == "theirs_own:listed"


def test_an_object_that_cannot_be_imported_is_named_after_the_loader_and_used() -> None:
    own = own_of("ready")
    assert own.settings["collate_fn"] == "theirs_own:ready.collate_fn"
    assert own.settings["sampler"] == "theirs_own:ready.sampler"
    assert [batch[0, 0].item() for batch in built(own)] == [40, 24, 8]


def test_it_is_varied_around_its_own_arguments() -> None:
    loader = built(own_of("make_loader"), num_workers=2, batch_size=4)
    assert (loader.num_workers, loader.batch_size, loader.drop_last) == (2, 4, True)
    assert loader.collate_fn.__name__ == "listed"


def test_another_way_of_drawing_replaces_its_own() -> None:
    loader = built(own_of("in_batches"), sampling="sequential", num_workers=0)
    assert [len(batch) for batch in loader] == [32, 8]
    assert [len(batch) for batch in built(own_of("in_batches"), num_workers=0)] == [5] * 8


@pytest.mark.parametrize(("name", "kind"), [("renamed", "DataLoader"), ("counted", "Counted")])
def test_a_subclass_is_rebuilt_where_its_arguments_are_all_of_it(name: str, kind: str) -> None:
    loader = built(own_of(name), batch_size=4)
    assert (type(loader).__name__, loader.batch_size) == (kind, 4)


def test_a_subclass_with_an_init_and_methods_is_read_as_it_is_and_nothing_else() -> None:
    own = own_of("twice")
    assert own.is_as_is
    assert len(list(built(own))) == 6
    with pytest.raises(NotRebuiltError, match=r"^--from-loader theirs_own:twice: .* Twice has an __init__ and methods"):
        check_variation(own, {"num_workers": (0, 2)}, "auto")
    with pytest.raises(NotRebuiltError, match="pin_memory cannot be varied"):
        replace(own.config_as_is(), pin_memory=True)
    assert in_process(own.config_as_is()).is_as_is


def test_what_it_delivers_as_it_is_is_counted_once_and_compared() -> None:
    audited = AsIsAudit(own_of("twice").config_as_is(), None)  # type: ignore[arg-type]  # it has its own
    assert len(list(audited.loader)) == 6
    assert audited.samples([6]) == 2 * 40
    assert len(list(audited.loader)) == 6
    assert audited.samples([6, 6]) == 4 * 40
    with pytest.raises(DeliveryError, match="^the loader delivered 5 batches, 6 in its first pass$"):
        audited.samples([5])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("rows", "it is a Rows, neither a torch.utils.data.DataLoader nor a function that returns one"),
        ("nothing", "module 'theirs_own' has no attribute 'nothing'. Name it as module:attribute"),
    ],
)
def test_what_is_no_loader_is_refused(name: str, why: str) -> None:
    with pytest.raises(RefusedError, match=f"^--from-loader theirs_own:{name}: {why}$"):
        own_of(name)


@pytest.mark.parametrize(
    ("asked", "why"), [({"dataset": ("text",)}, "leave out --dataset"), ({"batch_size": (8,)}, "give --sampling too$")]
)
def test_what_contradicts_the_loader_is_refused(asked: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        check_variation(own_of("in_batches"), asked, "auto")


def test_a_run_measures_it_as_it_is_or_varied(
    suite: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    def settings(into: str, *arguments: str) -> list[dict[str, Any]]:
        brief = ("--rounds", "1", "--round-time", "0", "--device", "cpu", "--run-dir", into)
        suite("--pyargs", "loaderbench.benches.bench_epoch", *brief, *arguments)
        record = json.loads((pytester.path / into / "run.json").read_text())
        assert not record["loaderbench"]["failed"]
        return [case["extra_info"] for case in record["benchmarks"]]

    (as_it_is,) = settings("own", "--from-loader", "theirs_own:make_loader")
    assert as_it_is["rounds"]["samples"] == [40]
    assert as_it_is["settings"]["dataset"] == "theirs_own:make_loader"
    varied = settings("varied", "--from-loader", "theirs_own:make_loader", "--batch-size", "8,20")
    assert {case["settings"]["batch_size"] for case in varied} == {8, 20}
    (twice,) = settings("twice", "--from-loader", "theirs_own:twice")
    assert (twice["rounds"]["samples"], twice["rounds"]["batches"]) == ([80], [6])


def test_a_bench_that_would_need_another_loader_is_skipped_and_says_so(suite: Callable[..., pytest.RunResult]) -> None:
    result = suite(
        "--pyargs", "loaderbench.benches.bench_breakdown", "--from-loader", "theirs_own:twice", "--device", "cpu"
    )
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["*skipped: --from-loader theirs_own:twice: *Twice has an __init__ and methods of its own*"]
    )
