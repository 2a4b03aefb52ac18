"""What is measured: a dataset, checked, with its collate functions; and objects that the command line names.

A dataset is built in this process and read in others alone: it is forked and pickled as its constructor left it.
"""

import io
import json
import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, TypeVar

from torch.utils.data import Dataset, IterableDataset

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.loader import as_dataset
from loaderbench.benches.harness.loading.pass_length import UnreadableSampleError, affordable_samples
from loaderbench.benches.harness.parts import Part, StreamPart, part_of, samples_of
from loaderbench.benches.harness.system.child import ChildError, LateChildError, in_child
from loaderbench.datasets.catalog import CATALOG
from loaderbench.datasets.collate import COLLATE_FNS
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


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedObject:
    """An option and the object it named, so that an error can say which."""

    option: str
    target: str

    def load(self) -> Any:
        """Return the object that `target` names; raises RefusedError saying what is missing and what to do."""
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.insert(0, here)  # as `python -m pytest` would: the user's modules lie in the current folder
        try:
            with without_arguments():
                return resolve_name(self.target)
        except ModuleNotFoundError as error:
            raise self.refuse(f"no module {error.name!r}. Run from its folder, or install it") from error
        except (AttributeError, ValueError) as error:
            raise self.refuse(f"{error}. Name it as module:attribute") from error
        except SystemExit as error:
            why = f"importing it ended the program (SystemExit: {error.code})"
            raise self.refuse(f"{why}. Move what it runs below `if __name__ == '__main__':`") from error
        except Exception as error:
            raise self.refuse(f"importing it raised {type(error).__name__}: {error}") from error

    def call(self, arguments: str) -> Any:
        """Return the object that `target` names or, where that is a class or a function, what it returns."""
        made = self.load()
        if not isinstance(made, type) and (hasattr(made, "__getitem__") or hasattr(made, "__iter__")):
            return made
        args, kwargs = _arguments(arguments, f"{self.option}-args")
        try:
            return made(*args, **kwargs)
        except SystemExit as error:
            raise self.refuse(f"calling it ended the program (SystemExit: {error.code})") from error
        except Exception as error:
            raise self.refuse(f"calling it raised {type(error).__name__}: {error}") from error

    def refuse(self, why: str) -> RefusedError:
        """Return the error for this option, in one line."""
        return RefusedError(f"{self.option} {self.target}: {' '.join(why.split())}")


@contextmanager
def without_arguments() -> Iterator[None]:
    """Hide our command line from a module that parses it when it is imported, and keep its usage message from ours."""
    arguments, sys.argv, shown = sys.argv, sys.argv[:1], io.StringIO()
    try:
        with redirect_stderr(shown):
            yield
    except SystemExit:
        shown = io.StringIO()  # its usage, as if it were ours
        raise
    finally:
        sys.argv = arguments
        sys.stderr.write(shown.getvalue())


def _arguments(text: str, option: str) -> tuple[list[Any], dict[str, Any]]:
    try:
        given = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise RefusedError(f"{option} must be JSON, got {text!r}: {error}") from error
    if isinstance(given, list):
        return given, {}
    if isinstance(given, dict):
        return [], given
    raise RefusedError(f"{option} must be a JSON object of keywords or an array, got {text!r}")


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
    """Whether a pass reads all of it, as its loader cannot be told otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetChoice:
    """The user's dataset, or one of ours: ``--dataset-args``, ``--samples`` and what a pass may take."""

    given: GivenDataset | None = None

    dataset_args: str = ""
    samples: str = "auto"
    pass_s: float = 2.0  # what a pass may take in one process before `samples` "auto" takes a part of the dataset
    least_samples: int = 1  # of such a part
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
    if not isinstance(dataset, IterableDataset) and len(dataset) <= least:
        return None
    try:
        affordable = _look(partial(affordable_samples, dataset, choice.pass_s, least))
    except (ChildError, UnreadableSampleError) as error:
        raise named.refuse(str(error)) from error
    return choice.agree(f"samples of {named.target}", affordable) or None


@cache
def collate_fn(name: str) -> Callable[[list[Any]], Any]:
    """Return the collate function called `name`: one of ours, or ``module:attribute``."""
    if name in COLLATE_FNS:
        return COLLATE_FNS[name]
    named = NamedObject(option="--collate-fn", target=name)
    if ":" not in name:
        raise named.refuse(f"not one of {', '.join(COLLATE_FNS)}, nor module:attribute")
    function: Callable[[list[Any]], Any] = named.load()
    if not callable(function):
        raise named.refuse(f"it is a {type(function).__name__}, which cannot be called")
    return _made_collator(function, named) if _makes_collators(function) else function


def _makes_collators(function: Any) -> bool:
    """Return whether it is a class whose objects are called with the samples, rather than the class itself."""
    return isinstance(function, type) and "__call__" in dir(function)  # not that of its own class


def _made_collator(collator_class: Any, named: NamedObject) -> Callable[[list[Any]], Any]:
    try:
        collator: Callable[[list[Any]], Any] = collator_class()
    except Exception as error:
        made = f"{named.target.rpartition(':')[0]}:collate = {collator_class.__name__}(…)"
        why = f"it is a class, and cannot be made without arguments ({type(error).__name__}: {error})"
        raise named.refuse(f"{why}: name an object of it, such as {made}") from error
    return collator
