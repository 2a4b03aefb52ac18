"""The share of one rank: which samples of the dataset it loads."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from torch.utils.data import Dataset, DistributedSampler, Sampler

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.loader import LoaderConfig, WrappedIterable
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.ranks.rank_place import RankPlace
from loaderbench.benches.harness.samples.parts import StreamPart, Wrapper

_SHUFFLED = {"shuffle": True, "sequential": False}


def share_of(
    subject: Subject, config: LoaderConfig, place: RankPlace, *, sampling: str | None, pad: bool
) -> tuple[Subject, LoaderConfig]:
    """Return the dataset and the loader of one rank.

    A map-style dataset is shared by torch's DistributedSampler, a stream of Hugging Face's ``datasets`` by its
    ``split_dataset_by_node``. Other streams, loaders that are read as they are, and samplers of the user's own
    (`sampling` is then None) are taken as given: they may ask torch.distributed which rank this is. Raises RefusedError
    for a way of sampling that ranks cannot share.
    """
    if config.is_as_is:
        return subject, config
    if subject.is_stream:
        return replace(subject, dataset=_split(subject.dataset, place)), config
    if sampling is None:
        return subject, config
    if sampling not in _SHUFFLED:
        ways = " or ".join(_SHUFFLED)
        raise RefusedError(f"--sampling {sampling}: ranks share samples by DistributedSampler, which takes {ways}")
    make = partial(_distributed, place=place, shuffle=_SHUFFLED[sampling], seed=config.seed or 0, pad=pad)
    return subject, replace(config, shuffle=False, sampler=make)


def _distributed(dataset: Dataset[Any], *, place: RankPlace, shuffle: bool, seed: int, pad: bool) -> Sampler[Any]:
    return DistributedSampler(
        dataset, num_replicas=place.world_size, rank=place.rank, shuffle=shuffle, seed=seed, drop_last=not pad
    )


def _split(dataset: Any, place: RankPlace) -> Any:
    """Return the stream of this rank, where the library that it is of knows how to share it."""
    if isinstance(dataset, StreamPart):
        samples = max(1, dataset.samples // place.world_size)
        return StreamPart(_split(dataset.dataset, place), samples)
    inner = dataset.dataset if isinstance(dataset, Wrapper) else dataset
    if type(inner).__module__.partition(".")[0] != "datasets" or not hasattr(inner, "_distributed"):
        return WrappedIterable(dataset)  # anew: what was read of it without ranks is no answer here
    from datasets.distributed import split_dataset_by_node  # type: ignore[import-not-found]  # noqa: PLC0415 - theirs

    return WrappedIterable(split_dataset_by_node(inner, rank=place.rank, world_size=place.world_size))


class EpochByEpoch:
    """A loader each of whose passes is a new epoch: ``set_epoch`` is called on all that has it before each."""

    def __init__(self, loader: Any) -> None:
        self._loader, self._epoch = loader, 0
        self._targets = list(_with_set_epoch(loader))

    def __iter__(self) -> Iterator[Any]:
        for target in self._targets:
            target.set_epoch(self._epoch)
        self._epoch += 1
        return iter(self._loader)


def _with_set_epoch(loader: Any) -> Iterable[Any]:
    """Yield the samplers and the dataset of a loader that have ``set_epoch``, however deep they are wrapped."""
    reached: list[Any] = []
    left = [getattr(loader, name, None) for name in ("sampler", "batch_sampler", "dataset")]
    while left:
        target = left.pop()
        if target is None or any(target is known for known in reached):
            continue
        reached.append(target)
        if callable(getattr(target, "set_epoch", None)):
            yield target
        inner = ("dataset",) if isinstance(target, Wrapper) else ("sampler", "indices")
        left += [getattr(target, name, None) for name in inner if not isinstance(target, (list, tuple))]
