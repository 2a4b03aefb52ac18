"""Count what arrives: a loader that repeats or loses samples is never called fast."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch.utils.data import Dataset, IterableDataset

from loaderbench.benches.harness.loader import LoaderConfig, without_workers
from loaderbench.datasets.pytree import fingerprint


class DeliveryError(Exception):
    """The loader delivered other samples than its dataset holds."""


@dataclass(slots=True)
class CountingSampler:
    """A sampler or ``batch_sampler`` that counts what it draws; `first_pass` holds the indices while it is a list.

    To keep every index of every pass would slow a loader of cheap samples by some 5 %: integers that live on cannot
    be allocated where others have just died. So only the first pass, which is never timed, keeps them.
    """

    indices: Iterable[Any]
    batched: bool
    counts: list[int] = field(default_factory=list)
    first_pass: list[Any] | None = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.indices)  # type: ignore[arg-type]  # raises where a sampler has no length, as it would alone

    def __iter__(self) -> Iterator[Any]:
        for index in self.indices:
            self.counts.append(len(index) if self.batched else 1)
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

    def samples(self, passes: Sequence[int]) -> int:
        """Return the samples that `passes` delivered (batches of each); raises DeliveryError if one was not whole."""
        counts, first_pass = self._sampler.counts[:], self._sampler.first_pass
        self._sampler.counts.clear()
        self._sampler.first_pass = None
        if sum(passes) != len(counts):
            raise DeliveryError(
                f"the loader delivered {sum(passes)} batches of the {len(counts)} that its sampler drew"
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

    Identity is checked once, by content hashes taken inside the workers before anything is timed; each timed pass must
    then deliver as many batches as that survey did. Where samples differ from pass to pass (`deterministic` is false)
    hashes say nothing, and only their number is checked.
    """

    def __init__(self, config: LoaderConfig, dataset: Dataset[Any], *, deterministic: bool) -> None:
        self.loader = config.build(dataset)
        self._batches, delivered = _hashes(config, dataset)
        self._samples = delivered.total()
        if config.num_workers:
            _, alone = _hashes(without_workers(config), dataset)
            _check_same(delivered, alone, config, deterministic=deterministic)

    def samples(self, passes: Sequence[int]) -> int:
        """Return the samples that `passes` delivered (batches of each); raises DeliveryError if one was not whole."""
        for batches in passes:
            if batches != self._batches:
                raise DeliveryError(f"the stream delivered {batches} batches, {self._batches} when surveyed")
        return self._samples * len(passes)


def audit(config: LoaderConfig, dataset: Dataset[Any], *, deterministic: bool = True) -> SamplerAudit | StreamAudit:
    """Return a loader built from `config`, with the means to count what it delivers."""
    if isinstance(dataset, IterableDataset):
        return StreamAudit(config, dataset, deterministic=deterministic)
    return SamplerAudit(config, dataset)


def fingerprints(samples: list[Any]) -> list[bytes]:
    """A ``collate_fn`` that keeps each sample's content hash and drops the sample."""
    return [fingerprint(sample) for sample in samples]


def fingerprint_alone(sample: Any) -> list[bytes]:
    """The same where batching is off (``batch_size=None``)."""
    return [fingerprint(sample)]


def _hashes(config: LoaderConfig, dataset: Dataset[Any]) -> tuple[int, Counter[bytes]]:
    collate_fn = fingerprint_alone if config.batch_size is None else fingerprints
    return _counted(replace(config, collate_fn=collate_fn, pin_memory=False), dataset)


# A survey reads the whole stream: once for all cases that differ only in what they make of a batch. A dataset need not
# be hashable; it is kept with its survey, so that no other object gets its id.
_SURVEYS: dict[tuple[LoaderConfig, int], tuple[Dataset[Any], int, Counter[bytes]]] = {}


def _counted(config: LoaderConfig, dataset: Dataset[Any]) -> tuple[int, Counter[bytes]]:
    key = (config, id(dataset))
    if key not in _SURVEYS:
        batches = list(config.build(dataset))
        hashes = Counter(digest for batch in batches for digest in batch)
        _SURVEYS[key] = (dataset, len(batches), hashes)
    return _SURVEYS[key][1:]


def _check_same(workers: Counter[bytes], alone: Counter[bytes], config: LoaderConfig, *, deterministic: bool) -> None:
    same = workers == alone if deterministic else workers.total() == alone.total()
    if same or (config.drop_last and workers.total() <= alone.total()):
        return
    raise DeliveryError(
        f"{config.num_workers} workers delivered {workers.total()} samples, {len(workers)} of them unique, where one "
        f"process alone delivers {alone.total()}, {len(alone)} unique: split the stream among workers by "
        "torch.utils.data.get_worker_info() in its __iter__"
    )
