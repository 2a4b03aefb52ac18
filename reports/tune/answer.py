"""The answer of ``loaderbench tune``: what is recommended, what it gains, and how every setting compares with it."""

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from loaderbench.reports.tune.block_costs import BlockCosts, CostRatio
from loaderbench.reports.tune.race import LEVEL_AT_A_STOP
from loaderbench.reports.tune.tune_record import Trial, TriedSetting, Tuned


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingSummary:
    """What the trials of a setting showed."""

    setting: TriedSetting
    blocks: int
    cost_s: float
    """The geometric mean of what the objective makes small; NaN where nothing was measured."""
    over_recommended: CostRatio
    samples_per_s: float
    pss_bytes: float
    """The most of any trial."""
    busy_cpus: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """What the recommended setting gains over a baseline: `ratio` is the cost of that over its own."""

    over: str
    setting: str
    ratio: CostRatio


@dataclass(frozen=True, kw_only=True)
class TuneAnswer:
    """What a record says, worked out from its trials."""

    tuned: Tuned

    @property
    def recommended(self) -> TriedSetting | None:
        """Return the setting that is recommended; None where every trial was lost."""
        return self.tuned.setting(self.tuned.recommended) if self.tuned.recommended else None

    @property
    def gains(self) -> list[Gain]:
        """Return the gains over torch's defaults and over the user's own setting, where these were measured."""
        names = filter(None, (self.tuned.torchs, self.tuned.own))
        baselines = dict.fromkeys(name for name in names if name != self.tuned.recommended)
        named = {self.tuned.own: "your own setting", self.tuned.torchs: "torch's defaults"}
        gains = [Gain(over=named[name], setting=name, ratio=self._over_recommended(name)) for name in baselines]
        return [gain for gain in gains if gain.ratio.blocks]

    @property
    def open_ones(self) -> list[str]:
        """Return other settings that are shown neither to be worse nor not to be needed."""
        return [
            setting.name
            for setting in self.tuned.settings
            if setting.status in ("open", "not pursued") and setting.name != self.tuned.recommended
        ]

    @cached_property
    def summaries(self) -> list[SettingSummary]:
        """Return every setting that was measured, that which costs least first."""
        by_name: dict[str, list[Trial]] = {}
        for trial in self.tuned.trials:
            by_name.setdefault(trial.setting, []).append(trial)
        summaries = [
            self._summary(setting, by_name[setting.name]) for setting in self.tuned.settings if setting.name in by_name
        ]
        return sorted(summaries, key=lambda summary: summary.cost_s)

    def summary(self, name: str) -> SettingSummary:
        """Return what the trials of this setting showed."""
        return next(summary for summary in self.summaries if summary.setting.name == name)

    def _summary(self, setting: TriedSetting, trials: list[Trial]) -> SettingSummary:
        return SettingSummary(
            setting=setting,
            blocks=len(trials),
            cost_s=self._costs.cost(setting.name),
            over_recommended=self._over_recommended(setting.name),
            samples_per_s=math.exp(fmean(math.log(trial.samples_per_s) for trial in trials)),
            pss_bytes=max(trial.pss_bytes for trial in trials),
            busy_cpus=fmean(trial.busy_cpus for trial in trials),
        )

    def _over_recommended(self, name: str) -> CostRatio:
        spread = self._costs.spread(list(self._costs.logs))
        return self._costs.compare(name, self.tuned.recommended, spread, level=LEVEL_AT_A_STOP)

    @cached_property
    def _costs(self) -> BlockCosts:
        costs = BlockCosts()
        for trial in self.tuned.trials:
            costs.add(trial.block, trial.setting, trial.cost(self.tuned.objective))
        return costs
