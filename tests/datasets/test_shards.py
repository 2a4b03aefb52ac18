"""A stream of images from tar shards: each sample once, for any number of ranks and workers."""

import io
import pickle
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch.distributed as dist
from hypothesis import given, settings
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
    """Four shards of different lengths, one without images; image n has brightness n and class n modulo 3."""
    folder = tmp_path_factory.mktemp("tars")
    numbers = iter(range(SAMPLES))
    for name, length in zip("abcd", (10, 1, 0, 12), strict=True):
        with tarfile.open(folder / f"{name}.tar", "w") as tar:
            add(tar, "readme.txt", b"not an image")
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
    """Set the rank and world size of the process group that torch reports; a world size of 0 is no group."""

    def pretend(rank: int, world_size: int) -> None:
        monkeypatch.setattr(dist, "is_initialized", lambda: world_size > 0)
        monkeypatch.setattr(dist, "get_rank", lambda: rank)
        monkeypatch.setattr(dist, "get_world_size", lambda: world_size)

    return pretend


def numbers(dataset: ShardDataset) -> list[int]:
    return [number for number, _ in dataset]


def test_every_epoch_reads_all_shards_in_order_and_a_members_folder_is_its_class(tars: list[Path]) -> None:
    dataset = ShardDataset(tars, grey)
    expected = [(number, number % 3) for number in range(SAMPLES)]
    assert (list(dataset), list(dataset), len(dataset)) == (expected, expected, SAMPLES)


@given(total=st.integers(0, 200), count=st.integers(1, 20))
def test_parts_are_contiguous_complete_and_equal_up_to_one(total: int, count: int) -> None:
    parts = [share(range(total), number, count) for number in range(count)]
    assert [index for part in parts for index in part] == list(range(total))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def delivered(tars: list[Path], world_size: int, workers: int) -> Iterator[int]:
    """Yield what all workers of all ranks read, one after the other in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for rank in range(world_size):
            for number in range(workers):
                worker = SimpleNamespace(id=number, num_workers=workers)
                patch.setattr(shards, "get_worker_info", lambda worker=worker: worker)
                yield from numbers(ShardDataset(tars, grey, rank=rank, world_size=world_size))


@settings(max_examples=10)
@given(world_size=st.integers(1, 6), workers=st.integers(1, 9))
def test_ranks_and_workers_together_read_each_image_once(tars: list[Path], world_size: int, workers: int) -> None:
    assert sorted(delivered(tars, world_size, workers)) == list(range(SAMPLES))


def test_a_loader_with_workers_delivers_each_image_once(tars: list[Path]) -> None:
    loader = DataLoader(ShardDataset(tars, grey), batch_size=4, num_workers=2, multiprocessing_context="fork")
    assert sorted(number for batch, _ in loader for number in batch.tolist()) == list(range(SAMPLES))


def test_the_length_is_that_of_the_rank(tars: list[Path]) -> None:
    ranks = [ShardDataset(tars, grey, rank=rank, world_size=4) for rank in range(4)]
    assert [len(rank) for rank in ranks] == [len(numbers(rank)) for rank in ranks]
    assert sum(map(len, ranks)) == SAMPLES


def test_the_rank_defaults_to_that_of_the_process_group(tars: list[Path], group: Callable[[int, int], None]) -> None:
    group(1, 2)
    assert numbers(ShardDataset(tars, grey)) == list(range(SAMPLES // 2, SAMPLES))


def test_a_group_that_is_initialized_later_counts_too(tars: list[Path], group: Callable[[int, int], None]) -> None:
    dataset = ShardDataset(tars, grey)
    group(0, 2)
    assert numbers(dataset) == list(range(SAMPLES // 2))


def test_the_rank_argument_takes_precedence_over_the_group(tars: list[Path], group: Callable[[int, int], None]) -> None:
    group(1, 2)
    assert len(ShardDataset(tars, grey, rank=0, world_size=1)) == SAMPLES


def test_the_pickle_for_a_spawned_worker_has_the_rank(tars: list[Path], group: Callable[[int, int], None]) -> None:
    group(1, 2)
    pickled = pickle.dumps(ShardDataset(tars))
    group(0, 0)  # in the spawned process there is no group
    assert len(pickle.loads(pickled)) == SAMPLES - SAMPLES // 2


def test_a_copy_made_before_there_is_a_group_has_no_rank(tars: list[Path], group: Callable[[int, int], None]) -> None:
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


def test_the_photographs_crops_are_in_eight_shards_in_another_order() -> None:
    stream, crops = photo_shards(size=8), photo_crops()
    labels = [label for _, label in stream]
    assert len(stream.shards) == 8
    assert sorted(labels) == crops.labels.tolist()
    assert labels[:64] != [0] * 64
