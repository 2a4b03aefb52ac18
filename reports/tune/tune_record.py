"""The file ``tune.json``: what ``loaderbench tune`` measured, and what came of it."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from loaderbench.reports.records.command_record import CommandRecord
from loaderbench.reports.tune.race import RaceEnding, Status
from loaderbench.reports.units import percent, quantity

DIFFERS = 0.02  # memory of a setting from trial to trial: twice the standard deviation of large samples

Objective = Literal["epoch", "throughput", "first-batch", "cpu"]
# By objective: the field of a trial that is to be small, and the words after its seconds.
COSTS: Mapping[Objective, tuple[str, str]] = {
    "epoch": ("epoch_s", "for an epoch"),
    "throughput": ("sample_s", "for a sample"),
    "first-batch": ("first_batch_s", "to the first batch of an epoch"),
    "cpu": ("cpu_s", "of CPU time for an epoch"),
}

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Bytes = Annotated[float, msgspec.Meta(ge=0)]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What one trial of a setting showed, in a process of its own."""

    setting: str
    block: int
    epoch_s: Seconds  # of the whole dataset, start of workers included unless they are persistent
    sample_s: Seconds  # from sample to sample, once batches flow
    first_batch_s: Seconds  # from iter() on
    cpu_s: Seconds  # of an epoch, of all processes
    pss_bytes: Bytes  # of all processes
    shm_bytes: Bytes  # of shared memory, added
    passes: int  # timed
    seconds: float  # that the trial took

    def cost(self, objective: Objective) -> float:
        """Return what is to be small."""
        return float(getattr(self, COSTS[objective][0]))

    @property
    def samples_per_s(self) -> float:
        """Return the throughput once batches flow."""
        return 1 / self.sample_s

    @property
    def busy_cpus(self) -> float:
        """Return how many cores all processes keep busy, over an epoch."""
        return self.cpu_s / self.epoch_s


class TriedSetting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting, how it is written in code, and where the race left it."""

    name: str
    values: dict[str, Any]
    call: str  # of DataLoader
    imports: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    status: Status = "open"
    reason: str = ""  # why it was lost


class RuledOut(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that was not tried, and the reason."""

    name: str
    reason: str


class TuneLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a setting may take; None: what the machine has."""

    memory_bytes: float | None = None
    shm_bytes: float | None = None
    cpus: int | None = None
    workers: int | None = None

    def exceeded_by(self, trial: Trial) -> str:
        """Return which of the limits a trial exceeded, and by what; "" where it kept to all of them.

        A trial that comes as close to a limit as trials of a setting differ has exceeded it: the next one may.
        """
        for option, measured, most in (
            ("--max-memory", trial.pss_bytes, self.memory_bytes),
            ("--max-shm", trial.shm_bytes, self.shm_bytes),
        ):
            if most is not None and measured > (1 - DIFFERS) * most:
                how = "more than" if measured > most else f"within {percent(DIFFERS)} of"
                return f"it takes {quantity(measured, 'bytes')}, {how} {option} {quantity(most, 'bytes')}"
        return ""


class Tuned(CommandRecord, frozen=True, kw_only=True):
    """Everything that was measured, and the setting that is recommended."""

    COMMAND = "tune"
    SCHEMA = 1

    seed: int
    subject: dict[str, Any]  # what must be the same for trials to be used again
    dataset: str
    samples: int  # of an epoch
    batches: int  # of a pass, and more of many workers
    batch_samples: int
    is_length_known: bool = True  # a stream may not say how long an epoch is
    objective: Objective
    limits: TuneLimits
    fixed: dict[str, Any]
    budget_s: float
    spent_s: float
    torchs: str = ""  # the setting that has torch's defaults; "" where it is ruled out
    own: str = ""  # the user's own, likewise
    recommended: str = ""  # "" where every trial was lost
    is_shown: bool = False  # to be as good as every other one
    settings: tuple[TriedSetting, ...]
    ruled_out: tuple[RuledOut, ...] = ()
    trials: tuple[Trial, ...] = ()
    ending: RaceEnding = ""
    earlier: str = ""  # the record from which it started
    earlier_trials: int = 0
    interrupted: bool = False

    def __post_init__(self) -> None:
        names = {setting.name for setting in self.settings}
        wanted = (*(trial.setting for trial in self.trials), *filter(None, (self.recommended, self.torchs, self.own)))
        if unknown := [name for name in wanted if name not in names]:
            raise ValueError(f"{unknown[0]!r} is none of the settings")
        if any(not math.isfinite(trial.cost(self.objective)) for trial in self.trials):
            raise ValueError("a trial has no finite cost")

    def setting(self, name: str) -> TriedSetting:
        """Return the setting of this name."""
        return next(setting for setting in self.settings if setting.name == name)
