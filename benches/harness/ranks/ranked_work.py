"""Work for `measure` that many ranks do at once: the process of the case asks them, and puts their rounds together."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

from loaderbench.benches.harness.measuring.work import Metrics, Work
from loaderbench.benches.harness.ranks.combined import combined
from loaderbench.benches.harness.ranks.coverage import Coverage, covered
from loaderbench.benches.harness.ranks.requests import Coordinator, RankFailedError
from loaderbench.benches.harness.system.child import in_child

OF_A_RANK = (
    "seconds", "samples", "batches", "first_batch_s", "wait_s", "sync_wait_s", "compute_s", "cpu_s", "pss_bytes",
)  # fmt: skip
"""What the record keeps of each rank's rounds."""


class RankedWork(Work):
    """Passes that all ranks read at once, each its share."""

    def __init__(
        self,
        start: Callable[[ExitStack], Coordinator],
        *,
        steady: bool,
        follow: Callable[[], None] | None = None,
    ) -> None:
        self._start, self.steady, self.follow = start, steady, follow
        self._coverage: Coverage | None = None
        self._rounds: list[list[Metrics]] = []
        self._done = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._coordinator = self._start(stack)
            self._coordinator.greet()
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._coordinator.leave()
        failure = RankFailedError() if self._coordinator.has_failed else None
        self._opened.__exit__(type(failure) if failure else None, failure, None)  # they are then not waited for

    def before(self, passes: int) -> None:
        """Have every rank prepare a round."""
        self._coordinator.call("before", passes, phase="set-up" if self._coverage is None else self._phase)

    def run(self, passes: int) -> None:
        """Have every rank do the work of a round; it has ended when the slowest has."""
        self._coordinator.call("run", passes, phase=self._phase)

    def after(self) -> Metrics:
        """Return what all ranks show together."""
        ranks = self._coordinator.call("after", phase=self._phase)
        if self._coverage is None:
            identities = self._coordinator.call("identities", phase="first pass")
            self._coverage = covered(identities, int(sum(rank["samples"] for rank in ranks)))
            self._threads = self._coordinator.call("threads", phase="first pass")
        self._rounds.append([{name: rank[name] for name in OF_A_RANK if name in rank} for rank in ranks])
        self._done += 1
        return combined(ranks, self._coverage.unique_share)

    def facts(self) -> dict[str, Any]:
        """Return what is known of the ranks once they have read."""
        hosts = self._coordinator.hosts
        return {
            "world_size": len(hosts),
            "hosts": len(set(hosts)),
            "coverage": self._coverage.text if self._coverage else "",
            "rank_threads": max(self._threads),
        }

    def ranks(self, rounds: int) -> list[dict[str, Any]]:
        """Return the last `rounds` rounds of each rank: its number, its host, and the columns `OF_A_RANK`."""
        counted = self._rounds[-rounds:]
        return [
            {
                "rank": rank,
                "host": host,
                "rounds": {name: [metrics[rank][name] for metrics in counted] for name in counted[0][rank]},
            }
            for rank, host in enumerate(self._coordinator.hosts)
        ]

    @property
    def _phase(self) -> str:
        return f"round {self._done}" if self._done else "first pass"


@dataclass(frozen=True, kw_only=True, slots=True)
class Follow:
    """The `measure` fixture on a rank that another one asks: does its share of `Work`, and records nothing."""

    report_death: Callable[[str], None]

    def __call__(self, work: RankedWork, **_facts: Any) -> None:
        """Answer as this rank, in a process forked for it, until the rank that asks has ended the case."""
        if work.follow is None:
            return
        try:
            in_child(work.follow)
        except Exception as error:  # noqa: BLE001 - of any kind: the rank that asks says which
            self.report_death(str(error))
