"""Images streamed from tar shards, each read once whatever the number of ranks and workers."""

import random
import tarfile
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import accumulate, islice
from pathlib import Path, PurePosixPath
from typing import Any

import torch.distributed as dist
from PIL import Image
from torch.utils.data import IterableDataset, get_worker_info

from loaderbench.datasets.cache import make_once
from loaderbench.datasets.images import SUFFIXES, ToTensor, crop_folder

_SHARDS = 8


class ShardDataset(IterableDataset[tuple[Any, int]]):
    """The images in tar `shards`, in order: (``transform(image)``, class number). A member's folder is its class.

    Each rank reads a contiguous part of the samples, and each of its workers a contiguous part of that. Together they
    read each sample once, and no two parts differ by more than one sample, whatever the number of shards. As the
    lengths of ranks may differ by one, distributed training needs ``drop_last`` or ``Join``.

    `rank` and `world_size` default to those of torch's process group, or to 0 and 1 without a group. ``len()`` is the
    number of samples of this rank.
    """

    def __init__(
        self,
        shards: Sequence[str | Path],
        transform: Callable[[Image.Image], Any] | None = None,
        *,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        if (rank is None) != (world_size is None):
            raise ValueError(f"rank and world_size must be given together, got {rank} and {world_size}")
        if rank is not None and world_size is not None and not 0 <= rank < world_size:
            raise ValueError(f"rank must be in 0..world_size-1, got {rank} of {world_size}")
        self.shards = [Path(shard) for shard in shards]
        self.transform = transform or ToTensor()
        self.rank, self.world_size = rank, world_size
        names = [_names(shard) for shard in self.shards]
        self.classes = tuple(sorted({_class(name) for shard in names for name in shard}))
        self.lengths = [len(shard) for shard in names]

    def __len__(self) -> int:
        return len(share(range(sum(self.lengths)), *self._rank_and_world_size()))

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        worker = get_worker_info()
        part = share(range(sum(self.lengths)), *self._rank_and_world_size())
        if worker is not None:
            part = share(part, worker.id, worker.num_workers)
        numbers = {name: number for number, name in enumerate(self.classes)}
        for name, content in self._members(part):
            with Image.open(BytesIO(content)) as image:
                yield self.transform(image.convert("RGB")), numbers[_class(name)]

    def _rank_and_world_size(self) -> tuple[int, int]:
        if self.rank is not None and self.world_size is not None:
            return self.rank, self.world_size
        if _grouped():
            return dist.get_rank(), dist.get_world_size()
        return 0, 1

    def _members(self, wanted: range) -> Iterator[tuple[str, bytes]]:
        starts = accumulate(self.lengths, initial=0)
        for shard, start, length in zip(self.shards, starts, self.lengths, strict=False):
            first, last = max(wanted.start - start, 0), min(wanted.stop - start, length)
            if first < last:
                yield from _read(shard, first, last)

    def __getstate__(self) -> dict[str, Any]:
        if not _grouped():
            return self.__dict__
        # A spawned worker has no process group: it gets the rank with the pickle.
        rank, world_size = self._rank_and_world_size()
        return self.__dict__ | {"rank": rank, "world_size": world_size}


def share(whole: range, number: int, count: int) -> range:
    """Return part `number` of `count` parts of `whole`: contiguous, and equal in length up to one.

    >>> [share(range(10), number, 4) for number in range(4)]
    [range(0, 2), range(2, 5), range(5, 7), range(7, 10)]
    """
    return whole[len(whole) * number // count : len(whole) * (number + 1) // count]


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()


def _class(name: str) -> str:
    return PurePosixPath(name).parent.name


def _images(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members of `tar` that are images; only headers are read."""
    return (member for member in tar if member.isfile() and PurePosixPath(member.name).suffix.lower() in SUFFIXES)


def _names(shard: Path) -> list[str]:
    with tarfile.open(shard) as tar:
        return [member.name for member in _images(tar)]


def _read(shard: Path, first: int, last: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the images `first` to `last` - 1 of `shard`."""
    with tarfile.open(shard) as tar:
        for member in islice(_images(tar), first, last):
            content = tar.extractfile(member)
            if content is not None:  # for a regular file it never is
                yield member.name, content.read()


def shard_folder() -> Path:
    """Return a folder of 8 tar files, made once, with the images of `crop_folder` in random order."""
    crops = crop_folder()

    def make(folder: Path) -> None:
        files = sorted(crops.rglob("*.jpg"))
        random.Random(0).shuffle(files)  # noqa: S311  a fixed order, not a secret
        for number in range(_SHARDS):
            part = share(range(len(files)), number, _SHARDS)
            with tarfile.open(folder / f"crops-{number:02}.tar", "w") as tar:
                for file in files[part.start : part.stop]:
                    tar.add(file, file.relative_to(crops).as_posix())

    return make_once(crops.name.replace("images", "shards"), make)


def photo_shards(*, size: int = 160, rank: int | None = None, world_size: int | None = None) -> ShardDataset:
    """Return a stream of the crops, in a fixed random order: float32 (3, `size`, `size`) and the class."""
    return ShardDataset(sorted(shard_folder().glob("*.tar")), ToTensor(size), rank=rank, world_size=world_size)
