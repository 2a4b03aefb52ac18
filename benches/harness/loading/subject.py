"""What is measured: a dataset, checked, with its collate functions; and objects that the command line names.

A dataset is built in this process and read in others alone: it is forked and pickled as its constructor left it.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from typing import Any, TypeVar

from torch.utils.data import Dataset, IterableDataset

from loaderbench.benches.harness.loading.loader import as_dataset
from loaderbench.benches.harness.loading.named_object import NamedObject
from loaderbench.benches.harness.samples.parts import Part, StreamPart, part_of, samples_of
from loaderbench.benches.harness.samples.pass_length import UnreadableSampleError, affordable_samples
from loaderbench.benches.harness.system.child import ChildError, LateChildError, in_child
from loaderbench.datasets.catalog import CATALOG
from loaderbench.datasets.validation import DatasetProperties, InvalidDatasetError, check_dataset

Result = TypeVar("Result")

LONGEST_LOOK_S = 600.0  # that reading the first samples may take
LONGEST_LOOK_WITHOUT_THREADS_S = 30.0  # the same in a process that lacks threads, which it may wait for
_LEAST_SAMPLES_PER_S = 512  # of a part, for each second that a pass may take


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A dataset under its name, checked, with the collate functions that fit it (the first is its default)."""

    name: str
    dataset: Dataset[Any]
    source: Any  # the object as it was made: `dataset` may be a part of it
    properties: DatasetProperties
    collate_fns: tuple[str, ...]

    @property
    def is_stream(self) -> bool:
        """Return whether it is read by ``iter()``, so that no sampler can choose."""
        return isinstance(self.dataset, IterableDataset)

    @property
    def is_batched(self) -> bool:
        """Return whether it offers ``__getitems__``: a whole batch of indices in one call."""
        return callable(getattr(self.source, "__getitems__", None))  # torch's Subset, of a part, always has it

    def part(self, samples: int) -> "Subject":
        """Return the same with the dataset cut to `samples` of it (see `parts`)."""
        return replace(self, dataset=part_of(self.dataset, samples))

    def whole(self) -> "Subject":
        """Return the same with the whole dataset; itself where it has no other part."""
        return self if self.dataset is self.source else replace(self, dataset=self.source)

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a record says of it: samples in one pass, bytes pickled, and the make-up of a sample."""
        part = {"part": str(self.dataset)} if isinstance(self.dataset, (Part, StreamPart)) else {}
        return {"dataset_samples": samples_of(self.dataset), **part, **asdict(self.properties)}


def subject_of(dataset: Any) -> Subject:
    """Return a dataset that a bench made itself as a subject, checked like any other."""
    name = type(dataset).__name__.lower()
    return Subject(
        name=name,
        dataset=dataset,
        source=dataset,
        properties=in_child(lambda: check_dataset(dataset)),
        collate_fns=("default",),
    )


def own_choice(what: str, value: int) -> int:  # noqa: ARG001 - there is no one to agree with
    """Return `value`: no other process reads the same part of a dataset."""
    return value


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GivenDataset:
    """A dataset that is there already: the one of a loader of the user's."""

    named: NamedObject
    """The loader, which gives it its name."""
    dataset: Any
    collate_fns: tuple[str, ...]
    is_read_whole: bool
    """Whether a pass reads all of it, as its loader cannot read a part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetChoice:
    """The user's dataset, or one of ours: ``--dataset-args``, ``--samples`` and what a pass may take."""

    given: GivenDataset | None = None

    dataset_args: str = ""
    samples: str = "auto"
    pass_s: float = 2.0  # what a pass may take in one process before `samples` "auto" takes a part of the dataset
    least_samples: int = 1  # of such a part
    fewest_samples: int = 1  # of one that would otherwise take longer than `longest_s` in one process
    longest_s: float = math.inf
    is_quick: bool = False  # whether a pass over a dataset of ours reads a part of it too
    agree: Callable[[str, int], int] = field(default=own_choice, compare=False)
    """Settles how many samples such a part has with another process that reads it too."""

    def subject(self, name: str) -> Subject:
        """Return the dataset called `name`, built and checked once; raises RefusedError where it is broken."""
        return _subject(self, name)


@cache
def _subject(choice: DatasetChoice, name: str) -> Subject:
    if choice.given is not None and name == choice.given.named.target:
        return _given_subject(choice, choice.given)
    named = NamedObject(option="--dataset", target=name)
    entry = CATALOG.get(name)
    if entry is None and ":" not in name:
        raise named.refuse(f"not one of {', '.join(CATALOG)}, nor module:attribute")
    made = entry.build() if entry else named.call(choice.dataset_args)
    properties = _properties(made, named)
    dataset = as_dataset(made)
    collate_fns = entry.collate_fns if entry else ("default",)
    if entry and choice.samples == "auto" and (not choice.is_quick or isinstance(dataset, IterableDataset)):
        part = dataset
    elif entry and choice.samples == "auto":
        part = part_of(dataset, entry.quick_samples)
    else:
        part = _part(dataset, choice, named)
    return Subject(name=name, dataset=part, source=dataset, properties=properties, collate_fns=collate_fns)


def _given_subject(choice: DatasetChoice, given: GivenDataset) -> Subject:
    properties = _properties(given.dataset, given.named)
    dataset = given.dataset if given.is_read_whole else _part(given.dataset, choice, given.named)
    return Subject(
        name=given.named.target,
        dataset=dataset,
        source=given.dataset,
        properties=properties,
        collate_fns=given.collate_fns,
    )


def _properties(dataset: Any, named: NamedObject) -> DatasetProperties:
    try:
        return _look(lambda: check_dataset(dataset))
    except (InvalidDatasetError, ChildError) as error:
        raise named.refuse(str(error)) from error


def _look(work: Callable[[], Result]) -> Result:
    """Return what `work` returns in a process of its own; raises ChildError naming the threads it lacks, if late."""
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    longest_s = LONGEST_LOOK_WITHOUT_THREADS_S if threads else LONGEST_LOOK_S
    try:
        return in_child(work, timeout_s=longest_s)
    except LateChildError as error:
        why = f"its first samples were not read within {longest_s:g} s"
        if threads:
            why += f" in a forked process, as a worker is one: it lacks the threads started here ({', '.join(threads)})"
            why += ". Start threads when the first sample is read, not in __init__"
        raise ChildError(why) from error


def _part(dataset: Any, choice: DatasetChoice, named: NamedObject) -> Dataset[Any]:
    """Return what a pass reads of `dataset`: contiguous blocks of it, the beginning of a stream, or all of it."""
    return part_of(dataset, _wanted(dataset, choice, named))  # type: ignore[no-any-return]


def _wanted(dataset: Any, choice: DatasetChoice, named: NamedObject) -> int | None:
    """Return how many samples a pass reads; None: all of them."""
    samples, least = choice.samples, choice.least_samples or math.ceil(_LEAST_SAMPLES_PER_S * choice.pass_s)
    if samples == "all":
        return None
    if samples != "auto":
        if not samples.isdigit() or int(samples) < 1:
            raise named.refuse(f"--samples must be auto, all or a number >= 1, got {samples}")
        return int(samples)
    short = least if choice.longest_s == math.inf else choice.fewest_samples
    if not isinstance(dataset, IterableDataset) and len(dataset) <= short:
        return None
    try:
        affordable = _look(
            partial(
                affordable_samples,
                dataset,
                choice.pass_s,
                least,
                fewest=choice.fewest_samples,
                longest_s=choice.longest_s,
            )
        )
    except (ChildError, UnreadableSampleError) as error:
        raise named.refuse(str(error)) from error
    return choice.agree(f"samples of {named.target}", affordable) or None
