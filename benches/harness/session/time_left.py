"""How long the rest of a run takes, estimated from its cases so far; benches and datasets differ in cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SWEEPS = 3  # over benches and datasets, until their factors hardly move


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseCost:
    """What is expected of a case before anything is measured."""

    bench: str
    dataset: str  # "": the bench has one of its own
    expected_s: float


@dataclass(slots=True)
class TimeLeft:
    """The cases of a run, by name, and the seconds that those which have ended took.

    A case is taken to cost ``expected_s`` times the factor of its bench times the factor of its dataset. A factor is
    the mean of what the cases that have ended took over what they would have taken without it, drawn towards the
    factor of the whole run (of a bench) or 1 (of a dataset), where few have.
    """

    planned: Mapping[str, CaseCost]
    taken_s: dict[str, float] = field(default_factory=dict)

    def ended(self, name: str, seconds: float) -> None:
        """Record what a case took, from the end of the one before to its own."""
        if name in self.planned:
            self.taken_s[name] = seconds

    def seconds(self, under_way_s: float = 0.0) -> float:
        """Return the seconds that are left, where the case under way has taken `under_way_s` so far."""
        benches, datasets = self._factors()
        left = [case for name, case in self.planned.items() if name not in self.taken_s]
        whole_s = sum(case.expected_s * benches[case.bench] * datasets[case.dataset] for case in left)
        return max(0.0, whole_s - under_way_s)

    def _factors(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return a factor for each bench and each dataset."""
        ended = [
            (self.planned[name], seconds / self.planned[name].expected_s) for name, seconds in self.taken_s.items()
        ]
        overall = (1.0 + sum(self.taken_s.values())) / (1.0 + sum(case.expected_s for case, _ in ended))
        benches = {case.bench: overall for case in self.planned.values()}
        datasets = {case.dataset: 1.0 for case in self.planned.values()}
        for _ in range(_SWEEPS):
            for bench in benches:
                ratios = (ratio / datasets[case.dataset] for case, ratio in ended if case.bench == bench)
                benches[bench] = _mean(ratios, towards=overall, weight=1.0)
            for dataset in datasets:
                ratios = (ratio / benches[case.bench] for case, ratio in ended if case.dataset == dataset)
                datasets[dataset] = _mean(ratios, towards=1.0, weight=0.5)
        return benches, datasets


def _mean(ratios: Iterable[float], *, towards: float, weight: float) -> float:
    """Return the mean of `ratios` and of `towards`, which counts as `weight` of them."""
    values = list(ratios)
    return (weight * towards + sum(values)) / (weight + len(values))
