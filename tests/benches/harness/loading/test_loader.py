"""LoaderConfig: every argument of DataLoader, checked before anything is started; and ways of drawing samples."""

import inspect
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import multiprocessing
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from loaderbench.benches.harness.failures.failure_line import CaseFailedError
from loaderbench.benches.harness.loading.loader import (
    LoaderConfig,
    as_dataset,
    batch_facts,
    without_workers,
)

TEN = list(range(10))


def listed(samples: list[Any]) -> list[Any]:
    return samples


def drawn(loader: "DataLoader[Any]") -> list[Any]:
    return [sample for batch in loader for sample in (batch if isinstance(batch, list) else [batch])]


class Endless(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(TEN)


ARGUMENTS: dict[str, Any] = {
    "batch_size": 3,
    "num_workers": 2,
    "collate_fn": listed,
    "pin_memory": True,
    "drop_last": True,
    "timeout": 7,
    "prefetch_factor": 5,
    "persistent_workers": True,
    "in_order": False,
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_reaches_the_dataloader(name: str) -> None:
    loader = LoaderConfig(**ARGUMENTS).build(TEN)
    assert getattr(loader, name) == ARGUMENTS[name]


def numbered(worker_id: int) -> None:
    os.environ["WORKER_NUMBER"] = str(worker_id)


class Numbered(IterableDataset[str]):
    """What each worker knows of its number."""

    def __iter__(self) -> Iterator[str]:
        yield os.environ["WORKER_NUMBER"]


def test_the_user_s_worker_init_fn_is_called_in_every_worker(no_strays: None) -> None:
    config = LoaderConfig(batch_size=None, num_workers=2, worker_init_fn=numbered, multiprocessing_context="fork")
    assert sorted(drawn(config.build(Numbered()))) == ["0", "1"]


def test_the_start_method_reaches_the_dataloader() -> None:
    loader = LoaderConfig(num_workers=1, multiprocessing_context="spawn").build(TEN)
    assert loader.multiprocessing_context.get_start_method() == "spawn"


def test_the_seed_reaches_the_dataloader_as_a_generator() -> None:
    loader = LoaderConfig(seed=7).build(TEN)
    assert loader.generator.initial_seed() == 7


def test_a_sampler_may_be_a_function_of_the_dataset() -> None:
    config = LoaderConfig(sampler=lambda dataset: range(0, len(dataset), 5), collate_fn=listed)
    assert drawn(config.build(TEN)) == [0, 5]


def test_a_batch_sampler_may_be_a_function_of_the_dataset() -> None:
    config = LoaderConfig(batch_sampler=lambda _: [[1, 2], [9]], collate_fn=listed)
    assert list(config.build(TEN)) == [[1, 2], [9]]


def test_without_a_batch_size_samples_come_one_by_one() -> None:
    assert list(LoaderConfig(batch_size=None).build(TEN)) == TEN


def test_a_stream_is_built_without_a_word_on_shuffling() -> None:
    assert drawn(LoaderConfig(batch_size=4, collate_fn=listed).build(Endless())) == TEN


def test_defaults_are_those_of_torch() -> None:
    torchs = inspect.signature(DataLoader).parameters
    ours = {
        field.name: field.default
        for field in fields(LoaderConfig)
        if field.name not in ("seed", "shuffle", "loader_class")
    }
    assert {name: torchs[name].default for name in ours} == ours


def test_a_config_says_everything_that_a_dataloader_takes() -> None:
    takes = set(inspect.signature(DataLoader).parameters) - {"dataset", "generator", "pin_memory_device"}
    assert takes == {field.name for field in fields(LoaderConfig)} - {"seed", "loader_class"}


NEEDS_WORKERS = "{name} needs num_workers > 0, got {name}={value!r} with num_workers=0"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"num_workers": -1}, "num_workers must be >= 0, got -1"),
    ({"batch_size": 0}, "batch_size must be >= 1, or None for single samples, got 0"),
    ({"prefetch_factor": 0, "num_workers": 1}, "prefetch_factor must be >= 1, got 0"),
    ({"timeout": -2, "num_workers": 1}, "timeout must be >= 0 seconds, got -2"),
    (
        {"multiprocessing_context": "thread", "num_workers": 1},
        (
            f"multiprocessing_context must be one of {', '.join(multiprocessing.get_all_start_methods())} here, "
            "got 'thread'"
        ),
    ),
    ({"prefetch_factor": 4}, NEEDS_WORKERS.format(name="prefetch_factor", value=4)),
    ({"persistent_workers": True}, NEEDS_WORKERS.format(name="persistent_workers", value=True)),
    ({"multiprocessing_context": "fork"}, NEEDS_WORKERS.format(name="multiprocessing_context", value="fork")),
    ({"timeout": 3}, NEEDS_WORKERS.format(name="timeout", value=3)),
    ({"in_order": False}, NEEDS_WORKERS.format(name="in_order", value=False)),
    (
        {"shuffle": True, "sampler": TEN},
        "shuffle cannot go with a sampler or batch_sampler: the sampler decides the order",
    ),
    (
        {"shuffle": True, "batch_sampler": [TEN]},
        "shuffle cannot go with a sampler or batch_sampler: the sampler decides the order",
    ),
    (
        {"batch_sampler": [TEN], "drop_last": True},
        "batch_sampler cannot go with batch_size, sampler or drop_last: it decides what a batch is",
    ),
    (
        {"batch_sampler": [TEN], "batch_size": 4},
        "batch_sampler cannot go with batch_size, sampler or drop_last: it decides what a batch is",
    ),
    (
        {"batch_size": None, "drop_last": True},
        "drop_last needs a batch_size: with batch_size=None there is no last batch to drop",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[", ".join(arguments) for arguments, _ in REFUSED])
def test_what_dataloader_would_refuse_or_ignore_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the whole message is compared below
        LoaderConfig(**arguments)
    assert str(refused.value) == message


CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "batch_size": st.none() | st.integers(-1, 12),
        "shuffle": st.booleans(),
        "sampler": st.none() | st.permutations(TEN),
        "batch_sampler": st.none() | st.just([TEN[:5], TEN[5:]]),
        "num_workers": st.integers(-1, 3),
        "collate_fn": st.none() | st.just(listed),
        "drop_last": st.booleans(),
        "timeout": st.sampled_from([-1, 0, 5]),
        "worker_init_fn": st.none() | st.just(print),
        "multiprocessing_context": st.sampled_from([None, "fork", "spawn", "nosuch"]),
        "seed": st.none() | st.integers(0, 9),
        "prefetch_factor": st.none() | st.integers(-1, 4),
        "persistent_workers": st.booleans(),
        "in_order": st.booleans(),
    },
)
OF_THE_LOADER = ("num_workers", "drop_last", "timeout", "persistent_workers", "in_order")


@settings(max_examples=200, deadline=None)
@given(arguments=CONFIGS)
def test_a_config_is_refused_in_a_line_or_builds_the_loader_that_it_says(arguments: dict[str, Any]) -> None:
    try:
        config = LoaderConfig(**arguments)
    except ValueError as refused:
        assert len(str(refused).splitlines()) == 1  # noqa: PT017  the other way out is a loader
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's advice on how many workers this machine has
        loader = config.build(TEN)
    assert {name: getattr(loader, name) for name in OF_THE_LOADER} == {
        name: getattr(config, name) for name in OF_THE_LOADER
    }
    assert loader.batch_size == (None if config.batch_sampler else config.batch_size)


@settings(max_examples=200, deadline=None)
@given(arguments=CONFIGS)
def test_whatever_the_config_each_sample_comes_once(arguments: dict[str, Any]) -> None:
    try:
        config = without_workers(LoaderConfig(**arguments | {"collate_fn": listed, "drop_last": False}))
    except ValueError:
        return
    assert Counter(drawn(config.build(TEN))) == Counter(TEN)


def test_a_map_style_object_is_left_as_it_is() -> None:
    assert as_dataset(TEN) is TEN


def test_an_iterable_object_is_given_torch_s_base_class() -> None:
    class Theirs:
        def __iter__(self) -> Iterator[int]:
            return iter(TEN)

    stream = as_dataset(Theirs())
    assert isinstance(stream, IterableDataset)
    assert list(stream) == TEN


def test_a_batch_s_tensors_and_bytes_are_counted_without_starting_workers(no_strays: None) -> None:
    rows = TensorDataset(torch.zeros(8, 5), torch.zeros(8, dtype=torch.int64))
    facts = batch_facts(rows, LoaderConfig(batch_size=4, num_workers=2, persistent_workers=True, timeout=180))
    assert facts == {"batch_tensors": 2, "batch_objects": 0, "batch_bytes": 4 * 5 * 4 + 4 * 8}


def test_a_loader_that_delivers_no_batch_says_so() -> None:
    with pytest.raises(CaseFailedError, match=r"^it delivers no batch of 64$"):
        batch_facts(TensorDataset(torch.zeros(8, 5)), LoaderConfig(batch_size=64, drop_last=True))


def test_building_a_loader_starts_no_worker() -> None:
    before = set(multiprocessing.active_children())
    LoaderConfig(num_workers=2, persistent_workers=True).build(TEN)
    assert set(multiprocessing.active_children()) == before
