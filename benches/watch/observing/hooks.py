"""Where torch tells us of its loaders: four methods of its classes, replaced while something is watched.

The wrappers are no frame of a traceback (`drop_frame`), and are transparent to ``inspect.signature``. A loader is noted
when its ``__init__`` ends, by way of ``__setattr__``: so no frame of ours stands between ``DataLoader`` and the line
that a warning of it names.
"""

import importlib.machinery
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from time import perf_counter
from types import ModuleType
from typing import Any

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.watch.observing.carrier import carried
from loaderbench.benches.watch.observing.recorder import EnoughError, WatchRecorder
from loaderbench.benches.watch.observing.stages import counted_fetcher, drop_frame, time_stages, timed_fetch

MODULE = "torch.utils.data.dataloader"
_INITIALISED = "__initialized"  # what a DataLoader sets last


@contextmanager
def watched(recorder: WatchRecorder) -> Iterator[None]:
    """Tell `recorder` of every loader that is made or read within the block, once torch has been imported.

    Raises RefusedError where another watch is under way.
    """
    hooks = Hooks(recorder)
    hooks.put()
    try:
        yield
    finally:
        hooks.take_away()


class Hooks:
    """The replaced methods, and what they were."""

    active: "Hooks | None" = None

    def __init__(self, recorder: WatchRecorder) -> None:
        self.recorder = recorder
        self._originals: list[tuple[Any, str, Any, Any]] = []
        self._finder: WhenImported | None = None

    def put(self) -> None:
        """Replace the methods, now or when torch is imported."""
        if Hooks.active is not None:
            raise RefusedError("watch(): this process is watched already; leave out the inner one")
        Hooks.active = self
        time_stages(self.recorder.sink)
        if MODULE in sys.modules:
            self._replace(sys.modules[MODULE])
        else:
            self._finder = WhenImported(self._replace)
            sys.meta_path.insert(0, self._finder)

    def take_away(self) -> None:
        """Put back what was replaced, unless somebody has replaced it since."""
        Hooks.active = None
        time_stages(None)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        for owner, name, original, ours in reversed(self._originals):
            if vars(owner).get(name) is ours:
                setattr(owner, name, original)
        self._originals.clear()

    def _replace(self, dataloader: ModuleType) -> None:
        from torch.utils.data._utils import fetch  # noqa: PLC0415 - torch is imported now, and not before

        loader: Any = dataloader.DataLoader
        iterator: Any = dataloader._BaseDataLoaderIter  # noqa: SLF001 - there is no public place
        workers: Any = dataloader._MultiProcessingDataLoaderIter  # noqa: SLF001
        self._set(loader, "__setattr__", noting_loader(loader.__setattr__, self._made))
        self._set(loader, "_get_iterator", noting_pass(loader._get_iterator, self.recorder))  # noqa: SLF001
        self._set(iterator, "_reset", noting_reset(iterator._reset, self.recorder))  # noqa: SLF001
        self._set(workers, "_reset", noting_start(workers._reset, self.recorder))  # noqa: SLF001
        self._set(iterator, "__next__", noting_batch(iterator.__next__, self.recorder))
        base: Any = fetch._BaseDatasetFetcher  # noqa: SLF001
        self._set(base, "__init__", counted_fetcher(base.__init__))
        for cls in (fetch._MapDatasetFetcher, fetch._IterableDatasetFetcher):  # noqa: SLF001
            self._set(cls, "fetch", timed_fetch(cls.fetch))

    def _made(self, loader: Any) -> None:
        """Note a loader; a subclass whose iterators are its own (torchdata's) is covered from then on."""
        for cls in type(loader).__mro__:
            if "_get_iterator" in vars(cls) and cls not in [owner for owner, *_ in self._originals]:
                self._set(cls, "_get_iterator", noting_pass(vars(cls)["_get_iterator"], self.recorder))
        self.recorder.loader_made(loader)

    def _set(self, owner: Any, name: str, ours: Any) -> None:
        self._originals.append((owner, name, vars(owner)[name], ours))
        setattr(owner, name, ours)


def noting_loader(setattr_of: Callable[..., None], made: Callable[[Any], None]) -> Callable[..., None]:
    """Return ``DataLoader.__setattr__``, which calls `made` with a loader once it is whole."""

    @wraps(setattr_of)
    def __setattr__(self: Any, attr: str, val: Any) -> None:  # noqa: N807 - as torch calls it
        try:
            setattr_of(self, attr, val)
        except BaseException as error:
            drop_frame(error)
            raise
        if attr.endswith(_INITIALISED) and val:
            made(self)

    return __setattr__


def noting_pass(get_iterator: Callable[..., Any], recorder: WatchRecorder) -> Callable[..., Any]:
    """Return ``DataLoader._get_iterator``, which tells of a new pass."""

    @wraps(get_iterator)
    def _get_iterator(self: Any) -> Any:
        began = perf_counter()
        try:
            with carried(recorder.sink):
                iterator = get_iterator(self)
        except BaseException as error:
            drop_frame(error)
            raise
        recorder.pass_begun(self, iterator, began, perf_counter())
        return iterator

    return _get_iterator


def noting_reset(reset: Callable[..., None], recorder: WatchRecorder) -> Callable[..., None]:
    """Return the ``_reset`` of an iterator, by which persistent workers begin their next pass."""

    @wraps(reset)
    def _reset(self: Any, loader: Any, first_iter: bool = False) -> None:
        if not first_iter:
            began = perf_counter()
            recorder.pass_begun(loader, self, began, began)
        try:
            reset(self, loader, first_iter)
        except BaseException as error:
            drop_frame(error)
            raise

    return _reset


def noting_start(reset: Callable[..., None], recorder: WatchRecorder) -> Callable[..., None]:
    """Return the ``_reset`` of an iterator with workers, which tells when persistent ones are ready for the pass."""

    @wraps(reset)
    def _reset(self: Any, loader: Any, first_iter: bool = False) -> None:
        try:
            reset(self, loader, first_iter)
        except BaseException as error:
            drop_frame(error)
            raise
        if not first_iter:
            recorder.pass_started(self)

    return _reset


def noting_batch(next_of: Callable[..., Any], recorder: WatchRecorder) -> Callable[..., Any]:
    """Return the ``__next__`` of an iterator, which tells when a batch was asked for and when it came."""

    @wraps(next_of)
    def __next__(self: Any) -> Any:  # noqa: N807 - as torch calls it
        epoch = recorder.epoch_of(self)
        if epoch is None or recorder.owner != os.getpid():
            try:
                return next_of(self)
            except BaseException as error:
                drop_frame(error)
                raise
        if recorder.is_enough:
            raise EnoughError
        begun = recorder.device_waits.begin()
        requested = perf_counter()
        try:
            batch = next_of(self)
        except BaseException as error:
            recorder.pass_ended(epoch, requested, perf_counter(), error, self)
            drop_frame(error)
            raise
        recorder.batch_received(epoch, requested, perf_counter(), begun)
        return batch

    return __next__


class WhenImported:
    """Finds torch's module of loaders as Python does, and calls `then` with it once it has been imported."""

    def __init__(self, then: Callable[[ModuleType], None]) -> None:
        self._then = then

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the module's spec, whose loader calls `then` at its end; None for any other module."""
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._then(module)

            loader.exec_module = exec_module
        return spec
