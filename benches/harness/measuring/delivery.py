"""Count what arrives: a loader that repeats or loses samples is never called fast."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch.utils.data import Dataset, IterableDataset

from loaderbench.benches.harness.loading.loader import LoaderConfig, without_workers
from loaderbench.benches.harness.samples.parts import StreamPart
from loaderbench.benches.harness.samples.sampling import indices_in
from loaderbench.benches.harness.system.child import once_in_child
from loaderbench.datasets.pytree import fingerprint, tree_leaves


class DeliveryError(Exception):
    """The loader delivered other samples than its dataset holds."""


@dataclass(slots=True)
class CountingSampler:
    """A sampler or ``batch_sampler`` that counts what it draws; `first_pass` holds the indices while it is a list.

    Keeping every index of every pass would slow a loader of cheap samples by some 5 %, as the memory of an integer that
    is kept cannot be used for the next one. So only the first pass, which is never timed, keeps them.
    """

    indices: Iterable[Any]
    batched: bool
    counts: list[int] = field(default_factory=list)
    first_pass: list[Any] | None = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.indices)  # type: ignore[arg-type]  # raises where a sampler has no length, as it would alone

    def __iter__(self) -> Iterator[Any]:
        for index in self.indices:
            self.counts.append(len(index) if self.batched else indices_in(index))
            if self.first_pass is not None:
                self.first_pass.append(index)
            yield index


class SamplerAudit:
    """The audit of a map-style loader.

    Every pass must deliver as many batches as its sampler drew, holding as many samples as the dataset; the first pass,
    a warm-up, must draw each index once. Where the user's own sampler chooses, only batches are counted.
    """

    def __init__(self, config: LoaderConfig, dataset: Dataset[Any]) -> None:
        plain = config.build(dataset)
        batched = plain.batch_sampler is not None
        chosen: Any = plain.batch_sampler if batched else plain.sampler
        self._sampler = CountingSampler(chosen, batched)
        self._whole = _whole(config, dataset)
        self.loader = _with_sampler(config, self._sampler, batched=batched).build(dataset)

    def identities(self) -> Counter[Any] | None:
        """Return how often each index was drawn in the first pass, until its samples are counted; then None."""
        first_pass = self._sampler.first_pass
        return None if first_pass is None else Counter(np.hstack(first_pass).tolist() if first_pass else ())

    def samples(self, passes: Sequence[int]) -> int:
        """Return the samples that `passes` delivered (batches of each); raises DeliveryError if one was not whole."""
        counts, first_pass = self._sampler.counts[:], self._sampler.first_pass
        self._sampler.counts.clear()
        self._sampler.first_pass = None
        if sum(passes) != len(counts):
            raise DeliveryError(
                f"the loader delivered {sum(passes)} batches of the {len(counts)} that its sampler drew: "
                "a dataset whose __getitem__ raises StopIteration, as next() does at an end, ends the pass there"
            )
        if self._whole is not None:
            self._check(counts, passes, first_pass)
        return sum(counts)

    def _check(self, counts: list[int], passes: Sequence[int], first_pass: list[Any] | None) -> None:
        ends = np.cumsum(passes)
        drawn = [sum(counts[end - batches : end]) for end, batches in zip(ends, passes, strict=True)]
        unique = self._whole if first_pass is None else len(np.unique(np.hstack(first_pass)))
        if unique != self._whole or any(count != self._whole for count in drawn):
            raise DeliveryError(
                f"the sampler drew {drawn[0]} indices, {unique} of them unique, for {self._whole} samples"
            )


def _whole(config: LoaderConfig, dataset: Any) -> int | None:
    """Return the samples of one pass, where torch draws them; None where the user's own sampler decides."""
    if config.sampler is not None or config.batch_sampler is not None:
        return None
    batch = config.batch_size or 1
    return len(dataset) // batch * batch if config.drop_last else len(dataset)


def _with_sampler(config: LoaderConfig, sampler: CountingSampler, *, batched: bool) -> LoaderConfig:
    bare = replace(config, shuffle=False, sampler=None, batch_sampler=None, drop_last=False, batch_size=None)
    return replace(bare, batch_sampler=sampler) if batched else replace(bare, sampler=sampler)


class StreamAudit:
    """The audit of a stream: its workers together must deliver what one process alone would.

    Identity is checked once, by a survey before anything is timed; each timed pass must then deliver as many batches
    as that survey did.
    """

    def __init__(self, config: LoaderConfig, dataset: Dataset[Any], *, deterministic: bool) -> None:
        self.loader = config.build(dataset)
        survey = surveyed(config, dataset, deterministic=deterministic)
        self._batches, self._samples = survey.batches, survey.samples
        self._hashes = survey.hashes if deterministic else None

    def identities(self) -> Counter[Any] | None:
        """Return how often each content was delivered, by its hash; None where samples differ from pass to pass."""
        return self._hashes

    def samples(self, passes: Sequence[int]) -> int:
        """Return the samples that `passes` delivered (batches of each); raises DeliveryError if one was not whole."""
        for batches in passes:
            if batches != self._batches:
                raise DeliveryError(
                    f"the stream delivered {batches} batches, {self._batches} when surveyed: "
                    "its __iter__ must begin anew for every epoch"
                )
        return self._samples * len(passes)


class AsIsAudit:
    """The audit of a loader that is read as it is: every pass must deliver as many batches as the first one did.

    The samples of the first pass, which is never timed, are counted in its batches.
    """

    def __init__(self, config: LoaderConfig, dataset: Dataset[Any]) -> None:
        self.loader = FirstPassCount(config.build(dataset))
        self._batches = 0

    def identities(self) -> Counter[Any] | None:
        """Return None: what a batch is made of is not known."""
        return None

    def samples(self, passes: Sequence[int]) -> int:
        """Return the samples that `passes` delivered (batches of each); raises DeliveryError if one was not whole."""
        self._batches = self._batches or passes[0]
        for batches in passes:
            if batches != self._batches:
                raise DeliveryError(f"the loader delivered {batches} batches, {self._batches} in its first pass")
        return self.loader.samples * len(passes)


class FirstPassCount:
    """A loader whose first pass counts samples: the length of the first thing in a batch that has one."""

    def __init__(self, loader: Any) -> None:
        self.loader, self.samples = loader, 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self.loader) if self.samples else self._counted()

    def _counted(self) -> Iterator[Any]:
        for batch in self.loader:
            lengths = (samples_in(leaf) for leaf in tree_leaves(batch))
            self.samples += next((length for length in lengths if length), 1)
            yield batch


def samples_in(leaf: Any) -> int:
    """Return the length of a tensor or an array, 0 of anything else."""
    shape: Sequence[int] = getattr(leaf, "shape", ())
    return int(shape[0]) if len(shape) else 0


def audit(
    config: LoaderConfig, dataset: Dataset[Any], *, deterministic: bool = True
) -> SamplerAudit | StreamAudit | AsIsAudit:
    """Return a loader built from `config`, with the means to count what it delivers."""
    if config.is_as_is:
        return AsIsAudit(config, dataset)
    if isinstance(dataset, IterableDataset):
        return StreamAudit(config, dataset, deterministic=deterministic)
    return SamplerAudit(config, dataset)


def prepare_audit(config: LoaderConfig, dataset: Dataset[Any], *, deterministic: bool) -> None:
    """Take the survey that an audit of this loader needs, if any: once for all processes forked from this one."""
    if isinstance(dataset, IterableDataset) and not config.is_as_is:
        surveyed(config, dataset, deterministic=deterministic)


def fingerprints(samples: list[Any]) -> list[bytes]:
    """A ``collate_fn`` that keeps each sample's content hash and drops the sample."""
    return [fingerprint(sample) for sample in samples]


def fingerprint_alone(sample: Any) -> list[bytes]:
    """The same where batching is off (``batch_size=None``)."""
    return [fingerprint(sample)]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one pass over a stream delivered: its batches, and the content hashes of its samples."""

    batches: int
    hashes: Counter[bytes]

    @property
    def samples(self) -> int:
        """Return the number of samples."""
        return self.hashes.total()

    @property
    def unique(self) -> int:
        """Return the number of samples that differ."""
        return len(self.hashes)


def surveyed(config: LoaderConfig, dataset: Dataset[Any], *, deterministic: bool) -> Delivered:
    """Return what a pass over the stream delivers, read in a process of its own; raises what reading raises there.

    Where samples differ from pass to pass (`deterministic` is false) hashes say nothing, and only their number is
    checked. Raises DeliveryError where workers deliver other samples than one process alone.
    """
    collate_fn = fingerprint_alone if config.batch_size is None else fingerprints
    config = replace(config, collate_fn=collate_fn, pin_memory=False)
    survey = _survey(config, dataset)
    if config.num_workers:
        alone = _survey(without_workers(config), dataset)
        is_part = isinstance(dataset, StreamPart)
        fault = stream_fault(survey, alone, config, deterministic=deterministic, is_part=is_part)
        if fault is not None:
            raise DeliveryError(fault)
    return survey


# It reads all that a pass reads: once for all cases that differ only in what they make of a batch.
@once_in_child
def _survey(config: LoaderConfig, dataset: Dataset[Any]) -> Delivered:
    batches, hashes = 0, Counter[bytes]()
    for batch in config.build(dataset):
        batches += 1
        hashes.update(batch)
    return Delivered(batches, hashes)


def stream_fault(
    workers: Delivered, alone: Delivered, config: LoaderConfig, *, deterministic: bool, is_part: bool
) -> str | None:
    """Return what is wrong where `workers` deliver other samples than one process alone; None if nothing is.

    The parts of a stream that workers and a process alone read are seldom the same samples. There, workers may deliver
    fewer samples, as the share of one may end early, but not more; and no worker may repeat the samples of another.
    """
    if is_part:
        unique_share = alone.unique / alone.samples * workers.samples
        is_repeated = (
            deterministic
            and config.num_workers > 1
            and (workers.unique < unique_share * (1 + 1 / config.num_workers) / 2)
        )
        is_same = workers.samples <= alone.samples and not is_repeated
    elif deterministic:
        is_same = workers.hashes == alone.hashes
    else:
        is_same = workers.samples == alone.samples
    if is_same or (config.drop_last and not is_part and workers.samples <= alone.samples):
        return None
    return (
        f"{config.num_workers} workers delivered {workers.samples} samples, {workers.unique} of them unique, where one "
        f"process alone delivers {alone.samples}, {alone.unique} unique: split the stream among workers by "
        "torch.utils.data.get_worker_info() in its __iter__"
    )
