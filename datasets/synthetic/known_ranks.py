"""A dataset whose cost differs from rank to rank, and a training step of known length."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from torch import distributed
from torch.utils.data import Dataset

from loaderbench.datasets.synthetic.known_cost import sleep_until


@dataclass(frozen=True)
class SleepingRanks(Dataset[int]):
    """Each of `samples` samples, its own index, takes ``sleeps_s[rank]`` seconds; without ranks the first of these."""

    samples: int
    sleeps_s: Sequence[float]

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> int:
        began_s = perf_counter()
        rank = distributed.get_rank() if distributed.is_initialized() else 0
        sample = range(self.samples)[index]
        sleep_until(began_s + self.sleeps_s[rank])
        return sample


class SleepingStep:
    """A training step that takes `STEP_S` seconds."""

    STEP_S = 0.02

    def step(self, batch: object) -> None:  # noqa: ARG002 - whatever it is
        """Take the step."""
        sleep_until(perf_counter() + self.STEP_S)
