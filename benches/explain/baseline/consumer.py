"""The consumer of a loader's batches, and the clock around a whole pass."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import torch

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.measuring import clock
from loaderbench.benches.harness.system.devices import place, synchronise


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumer:
    """What the loop does with a batch: place it on the device, and give it to `step`."""

    device: torch.device
    step: Callable[[Any], object] = clock.keep
    make_step: Callable[[], Callable[[Any], object]] | None = None
    """Makes `step`, in the process that takes it: a device is initialised in no process that others are forked from."""

    def ready(self) -> "Consumer":
        """Return the consumer with its step made."""
        return self if self.make_step is None else replace(self, step=self.make_step(), make_step=None)

    def pass_s(self, loader: Any, config: LoaderConfig) -> float:
        """Return the seconds of a whole pass, the device synchronised at both edges of the clock."""
        synchronise(self.device)
        began = perf_counter()
        clock.read(loader, self.on_device(config))
        synchronise(self.device)
        return perf_counter() - began

    def on_device(self, config: LoaderConfig) -> Callable[[Any], object]:
        """Return what is done with each batch."""
        if self.device.type == "cpu":
            return self.step
        return lambda batch: self.step(place(batch, self.device, non_blocking=config.pin_memory))
