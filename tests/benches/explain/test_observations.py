"""What is seen without A/B passes: on datasets with one pitfall each, and on one without."""

from collections.abc import Callable
from typing import Any

import pytest
from torch.utils.data import Dataset

from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.explain.observations import observations_of, parts_of
from loaderbench.benches.harness.loading.subject import Subject, subject_of
from loaderbench.datasets.synthetic.pitfalls import SharedGenerator

Made = Callable[..., Baseline]
MOST_S = 60.0  # these datasets are read to their end long before, on a busy machine too


def seen(dataset: Any, baseline: Baseline) -> dict[str, str]:
    """What is seen of a dataset, with the evidence."""
    observations = observations_of(subject_of(dataset), baseline.config, most_s=MOST_S)
    return {observation.what: observation.evidence for observation in observations}


def test_a_generator_alike_in_all_workers_is_named(baseline: Made, no_leaks: None) -> None:
    what = "random numbers alike in all workers"
    assert "dataset.rng is in the same state" in seen(SharedGenerator(), baseline(config={"num_workers": 2}))[what]
    assert seen(SharedGenerator(), baseline(config={"num_workers": 1})) == {}


def reseed(worker_id: int) -> None:
    from torch.utils.data import get_worker_info  # noqa: PLC0415 - in the worker

    worker = get_worker_info()
    assert worker is not None
    worker.dataset.rng.bit_generator.advance(1 + worker_id)  # type: ignore[attr-defined]


def test_a_generator_that_each_worker_seeds_is_not(baseline: Made) -> None:
    assert seen(SharedGenerator(), baseline(config={"num_workers": 2, "worker_init_fn": reseed})) == {}


class Stored(Dataset[int]):
    """Numbers from 0 to 63."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> int:
        return range(64)[index]


def test_of_a_dataset_without_a_pitfall_nothing_is_said(baseline: Made) -> None:
    assert seen(Stored(), baseline()) == {}


class Curriculum(Stored):
    def set_epoch(self, epoch: int) -> None: ...


@pytest.mark.parametrize(("persistent", "number"), [(True, 1), (False, 0)])
def test_an_epoch_that_workers_never_hear_of_is_named(baseline: Made, persistent: bool, number: int) -> None:
    assert len(seen(Curriculum(), baseline(config={"persistent_workers": persistent}))) == number


class Selected(Stored):
    """Like a Hugging Face dataset after select()."""

    def __init__(self) -> None:
        super().__init__()
        self._indices = [0, 2, 4]


class Around(Dataset[int]):
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, index: int) -> int:
        return int(self.inner[index])


def test_an_indices_mapping_is_named_by_the_way_to_it(baseline: Made) -> None:
    (evidence,) = seen(Around(Selected()), baseline()).values()
    assert evidence.startswith("dataset.inner._indices has 3 rows")


def test_parts_are_found_without_the_object_s_own_code() -> None:
    class Guarded(Around):
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    names = [name for name, _ in parts_of(Guarded(Around(Stored())))]
    assert names == ["dataset", "dataset.inner", "dataset.inner.inner"]


class Failing(Stored):
    """It works in the loader, and not where it is looked at."""

    def __getitem__(self, index: int) -> int:
        if index:
            raise SystemExit
        return 0


def test_a_look_that_fails_shows_nothing(baseline: Made, subject: Subject) -> None:
    failing = Failing()
    given = Subject(
        name="failing", dataset=failing, source=failing, properties=subject.properties, collate_fns=("default",)
    )
    assert observations_of(given, baseline().config, most_s=MOST_S) == []
