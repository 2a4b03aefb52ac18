"""Case matching: which case of base is which of head."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loaderbench.reports.vocabulary import CONTROL_BENCH, FIDELITY_BENCH, case_identity, of_workers

Described = Mapping[str, Any]  # a case as a revision's process introduces it: name, bench, settings

# Settings that follow from the dataset: one that lost its ``__getitems__`` is still the same case.
_FOLLOWING = frozenset({"fetch", "sampling"})


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchedCase:
    """A case that base and head both have, and what each calls it."""

    key: str
    bench: str
    settings: Mapping[str, Any]  # head's
    names: Mapping[str, str]  # by revision

    @property
    def is_control(self) -> bool:
        """Return whether it is there to show that the machine did not change."""
        return self.bench == CONTROL_BENCH


@dataclass(frozen=True, kw_only=True, slots=True)
class Matching:
    """All cases of base and head: those to compare, and those that one of them lacks, by name."""

    matched: tuple[MatchedCase, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]

    def in_random_order(
        self, keys: Collection[str] | None, rng: random.Random, *, has_all_controls: bool = True
    ) -> list[MatchedCase]:
        """Return the cases called `keys` (None: all) and the controls, or one that is drawn, shuffled."""
        cases = [case for case in self.matched if not case.is_control and (keys is None or case.key in keys)]
        controls = [case for case in self.matched if case.is_control]
        cases += controls if has_all_controls else rng.sample(controls, min(1, len(controls)))
        rng.shuffle(cases)
        return cases


def match(base: Sequence[Described], head: Sequence[Described], differing: frozenset[str] = frozenset()) -> Matching:
    """Match by bench and settings, less the settings called `differing`, in which base and head differ on purpose.

    What is left of both is matched again without the settings that follow from the dataset or, where base and head have
    different numbers of workers, from whether there are any.
    """
    following = _FOLLOWING | (of_workers().keys() if "num_workers" in differing else frozenset())
    left, right = ([case for case in cases if case["bench"] != FIDELITY_BENCH] for cases in (base, head))
    pairs = []
    for ignored in (differing, differing | following):
        alike = _pairs(left, right, ignored)
        pairs += alike
        left = [case for case in left if all(case is not pair[0] for pair in alike)]
        right = [case for case in right if all(case is not pair[1] for pair in alike)]
    return Matching(
        matched=tuple(_matched(*pair) for pair in pairs),
        new=tuple(str(case["name"]) for case in right),
        gone=tuple(str(case["name"]) for case in left),
    )


def _pairs(left: Sequence[Described], right: Sequence[Described], ignored: frozenset[str]) -> list[tuple[Any, Any]]:
    known: dict[str, list[Described]] = {}
    for case in left:
        known.setdefault(_identity(case, ignored), []).append(case)
    candidates = ((known.get(_identity(case, ignored)), case) for case in right)
    return [(same.pop(0), case) for same, case in candidates if same]


def _identity(case: Described, ignored: frozenset[str]) -> str:
    return case_identity(case["bench"], case["settings"], ignored)


def _matched(base: Described, head: Described) -> MatchedCase:
    return MatchedCase(
        key=str(head["name"]).removeprefix("bench_"),
        bench=str(head["bench"]),
        settings=dict(head["settings"]),
        names={"base": str(base["name"]), "head": str(head["name"])},
    )
