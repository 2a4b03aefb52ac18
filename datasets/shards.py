"""A stream of pictures from tar shards, each read once however many ranks and workers share it."""

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
    """The pictures in tar `shards`, in order: (`transform(picture)`, class). A member's folder is its class.

    Each rank reads one stretch of the sequence, and each of its workers one stretch of that: read forward, no
    sample twice, none left out, and no two shares differ by more than one sample, however many shards there
    are. Ranks' lengths may differ by one: to train on them in step, use ``drop_last`` or `torch`'s ``Join``.

    `rank` and `world_size` are the arguments if given, else those of torch's process group if there is one,
    else 0 of 1. `len()` is what this rank delivers.
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
        return len(share(range(sum(self.lengths)), *self._place()))

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        worker = get_worker_info()
        mine = share(range(sum(self.lengths)), *self._place())
        if worker is not None:
            mine = share(mine, worker.id, worker.num_workers)
        numbers = {name: number for number, name in enumerate(self.classes)}
        for name, picture in self._members(mine):
            with Image.open(BytesIO(picture)) as image:
                yield self.transform(image.convert("RGB")), numbers[_class(name)]

    def _place(self) -> tuple[int, int]:
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
        # A spawned worker has no process group to ask: it is told its rank as it is pickled.
        rank, world_size = self._place()
        return self.__dict__ | {"rank": rank, "world_size": world_size}


def share(whole: range, number: int, count: int) -> range:
    """The stretch of `whole` that is `number`'s of `count`: they meet, and differ by at most one in length.

    >>> [share(range(10), number, 4) for number in range(4)]
    [range(0, 2), range(2, 5), range(5, 7), range(7, 10)]
    """
    return whole[len(whole) * number // count : len(whole) * (number + 1) // count]


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()


def _class(name: str) -> str:
    return PurePosixPath(name).parent.name


def _pictures(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of `tar` that are pictures: headers alone are read, and what lies between is skipped."""
    return (member for member in tar if member.isfile() and PurePosixPath(member.name).suffix.lower() in SUFFIXES)


def _names(shard: Path) -> list[str]:
    with tarfile.open(shard) as tar:
        return [member.name for member in _pictures(tar)]


def _read(shard: Path, first: int, last: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of the pictures `first` to `last` - 1 of `shard`."""
    with tarfile.open(shard) as tar:
        for member in islice(_pictures(tar), first, last):
            content = tar.extractfile(member)
            assert content is not None  # a regular file has content
            yield member.name, content.read()


def shard_folder() -> Path:
    """The pictures of `crop_folder`, shuffled once and packed into 8 tars, made once."""
    crops = crop_folder()

    def make(folder: Path) -> None:
        files = sorted(crops.rglob("*.jpg"))
        random.Random(0).shuffle(files)  # noqa: S311  no secret: the same order everywhere
        for number in range(_SHARDS):
            stretch = share(range(len(files)), number, _SHARDS)
            with tarfile.open(folder / f"crops-{number:02}.tar", "w") as tar:
                for file in files[stretch.start : stretch.stop]:
                    tar.add(file, file.relative_to(crops).as_posix())

    return make_once(crops.name.replace("images", "shards"), make)


def photo_shards(*, size: int = 160, rank: int | None = None, world_size: int | None = None) -> ShardDataset:
    """The photograph's crops as a stream, in shuffled order: float32 (3, `size`, `size`) and the class."""
    return ShardDataset(sorted(shard_folder().glob("*.tar")), ToTensor(size), rank=rank, world_size=world_size)
