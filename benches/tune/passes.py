"""How much a trial of a setting reads, and what it may take before one was measured."""

from dataclasses import dataclass

from loaderbench.benches.tune.space import Values
from loaderbench.benches.tune.trial import LEAST_TURNS

FORK_S, START_S, SPAWN_S = 0.3, 0.05, 3.0  # of a trial: its process and memory; of a worker that is forked, or is not


@dataclass(frozen=True, kw_only=True, slots=True)
class Passes:
    """How much a trial reads, of epochs of `samples`."""

    batches: int
    batch_samples: int
    batch_s: float  # in one process
    samples: int
    usual_size: int | None  # batch_size of the user's loader
    cpus: int

    def scale_of(self, values: Values) -> float:
        """Return the samples of a batch over those of the user's."""
        return 1.0 if self.usual_size is None else values["batch_size"] / self.usual_size

    def batches_of(self, values: Values) -> int:
        """Return the batches of a pass: of larger batches fewer, but some of each worker."""
        workers: int = values["num_workers"]
        return max(int(self.batches / self.scale_of(values)), LEAST_TURNS * max(1, workers))

    def expected_s(self, values: Values) -> float:
        """Return the seconds that a trial may take."""
        workers: int = values["num_workers"]
        batches = self.batches_of(values) + 2 * max(1, workers)
        making_s = batches * self.scale_of(values) * self.batch_s / max(1, min(workers, self.cpus))
        start_s = workers * (START_S if (values["start_method"] or "fork") == "fork" else SPAWN_S / self.cpus)
        return FORK_S + making_s + start_s * (1 if values["persistent_workers"] else 2)
