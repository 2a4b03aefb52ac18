"""A stream from tar shards: each sample once, for any number of ranks and workers."""

import io
import pickle
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from loaderbench.datasets import shards
from loaderbench.datasets.images import photo_crops
from loaderbench.datasets.shards import ShardDataset, photo_shards, share

SAMPLES = 23


def grey(image: Image.Image) -> Any:
    return image.getpixel((0, 0))[0]


@pytest.fixture(scope="module")
def tars(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four shards of unequal length, one of them empty; picture n is of brightness n and of class n modulo 3."""
    folder = tmp_path_factory.mktemp("tars")
    numbers = iter(range(SAMPLES))
    for name, length in zip("abcd", (10, 1, 0, 12), strict=True):
        with tarfile.open(folder / f"{name}.tar", "w") as tar:
            add(tar, "readme.txt", b"no picture")
            for _ in range(length):
                number = next(numbers)
                add(tar, f"class-{number % 3}/{number}.png", png(number))
    return sorted(folder.iterdir())


def png(brightness: int) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (2, 2), (brightness,) * 3).save(written, "PNG")
    return written.getvalue()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Sets the process group that torch reports: rank, world size."""

    def pretend(rank: int, world_size: int) -> None:
        monkeypatch.setattr(dist, "is_initialized", lambda: world_size > 0)
        monkeypatch.setattr(dist, "get_rank", lambda: rank)
        monkeypatch.setattr(dist, "get_world_size", lambda: world_size)

    return pretend


def numbers(dataset: ShardDataset) -> list[int]:
    return [number for number, _ in dataset]


def test_all_shards_are_read_in_order(tars: list[Path]) -> None:
    assert numbers(ShardDataset(tars, grey)) == list(range(SAMPLES))


def test_a_members_folder_is_its_class(tars: list[Path]) -> None:
    assert [label for _, label in ShardDataset(tars, grey)] == [number % 3 for number in range(SAMPLES)]


def test_its_length_is_the_number_of_pictures(tars: list[Path]) -> None:
    assert len(ShardDataset(tars, grey)) == SAMPLES


def test_every_epoch_begins_anew(tars: list[Path]) -> None:
    dataset = ShardDataset(tars, grey)
    assert numbers(dataset) == numbers(dataset)


@given(total=st.integers(0, 200), count=st.integers(1, 20))
def test_shares_follow_each_other_and_leave_nothing_out(total: int, count: int) -> None:
    shares = [share(range(total), number, count) for number in range(count)]
    assert [index for part in shares for index in part] == list(range(total))


@given(total=st.integers(0, 200), count=st.integers(1, 20))
def test_no_share_is_larger_than_another_by_more_than_one(total: int, count: int) -> None:
    lengths = [len(share(range(total), number, count)) for number in range(count)]
    assert max(lengths) - min(lengths) <= 1


def delivered(tars: list[Path], world_size: int, workers: int) -> Iterator[int]:
    """What all workers of all ranks read, each asked in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for rank in range(world_size):
            for number in range(workers):
                worker = SimpleNamespace(id=number, num_workers=workers)
                patch.setattr(shards, "get_worker_info", lambda worker=worker: worker)
                yield from numbers(ShardDataset(tars, grey, rank=rank, world_size=world_size))


@given(world_size=st.integers(1, 6), workers=st.integers(1, 9))
def test_ranks_and_workers_together_read_each_picture_once(tars: list[Path], world_size: int, workers: int) -> None:
    assert sorted(delivered(tars, world_size, workers)) == list(range(SAMPLES))


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_loader_delivers_each_picture_once(tars: list[Path], num_workers: int) -> None:
    dataset = ShardDataset(tars, grey)
    loader = DataLoader(dataset, batch_size=4, num_workers=num_workers, multiprocessing_context="fork")
    assert sorted(number for batch, _ in loader for number in batch.tolist()) == list(range(SAMPLES))


def test_ranks_lengths_add_up(tars: list[Path]) -> None:
    lengths = [len(ShardDataset(tars, grey, rank=rank, world_size=4)) for rank in range(4)]
    assert sum(lengths) == SAMPLES


def test_a_ranks_length_is_what_it_delivers(tars: list[Path]) -> None:
    dataset = ShardDataset(tars, grey, rank=1, world_size=3)
    assert len(dataset) == len(numbers(dataset))


def test_the_rank_is_that_of_the_process_group(tars: list[Path], group: Callable[[int, int], None]) -> None:
    group(1, 2)
    assert numbers(ShardDataset(tars, grey)) == list(range(SAMPLES // 2, SAMPLES))


def test_a_group_that_forms_later_counts_too(tars: list[Path], group: Callable[[int, int], None]) -> None:
    dataset = ShardDataset(tars, grey)
    group(0, 2)
    assert numbers(dataset) == list(range(SAMPLES // 2))


def test_a_given_rank_goes_before_the_group(tars: list[Path], group: Callable[[int, int], None]) -> None:
    group(1, 2)
    assert len(ShardDataset(tars, grey, rank=0, world_size=1)) == SAMPLES


def test_a_spawned_worker_is_told_the_rank_of_its_parent(tars: list[Path], group: Callable[[int, int], None]) -> None:
    group(1, 2)
    pickled = pickle.dumps(ShardDataset(tars))
    group(0, 0)  # in the spawned process there is no group
    assert len(pickle.loads(pickled)) == SAMPLES - SAMPLES // 2


def test_a_copy_made_before_the_group_formed_takes_no_rank(tars: list[Path], group: Callable[[int, int], None]) -> None:
    copy = pickle.loads(pickle.dumps(ShardDataset(tars)))
    group(1, 2)
    assert len(copy) == SAMPLES - SAMPLES // 2


@pytest.mark.parametrize(
    ("rank", "world_size", "fault"),
    [
        (1, None, "rank and world_size must be given together, got 1 and None"),
        (2, 2, "rank must be in 0..world_size-1, got 2 of 2"),
        (-1, 2, "rank must be in 0..world_size-1, got -1 of 2"),
    ],
)
def test_an_impossible_rank_is_refused(rank: int, world_size: int | None, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        ShardDataset([], rank=rank, world_size=world_size)


def test_the_photographs_shards_hold_the_crops_in_another_order() -> None:
    stream, crops = photo_shards(), photo_crops()
    labels = [label for _, label in stream]
    assert (sorted(labels), labels[:64] == [0] * 64) == (sorted(crops.labels.tolist()), False)


def test_they_are_eight_tars() -> None:
    assert len(photo_shards().shards) == 8
