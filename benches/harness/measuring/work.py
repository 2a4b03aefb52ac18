"""What a bench measures: the base of everything that the fixture `measure` times."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from loaderbench.reports.records.slow_samples import SlowSample

Metrics = dict[str, float]


class Work:
    """Made in pytest's process, opened once for a case in its own, then asked for rounds there.

    Making it must read no sample and touch no accelerator: that is for ``__enter__``. A subclass states what it has to
    open, to prepare and to close, if anything.
    """

    steady: bool  # whether a round may be made of several passes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Close what was opened."""

    def before(self, passes: int) -> None:
        """Prepare a round of `passes` passes; not timed."""

    def run(self, passes: int) -> None:
        """Do the work of a round; timed."""
        raise NotImplementedError

    def after(self) -> Metrics:
        """Return the metrics of the round in SI units, ``seconds`` among them; not timed."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """Return what the record is to say of the case that only the work itself knows, once it is done."""
        return {}

    def slow_samples(self) -> tuple[SlowSample, ...]:
        """Return the samples that take longest, read once more when all rounds have ended; none where it cannot say."""
        return ()

    def ranks(self, rounds: int) -> list[dict[str, Any]]:  # noqa: ARG002 - for works of many ranks
        """Return the last `rounds` rounds of each rank: its number and host, and columns of metrics."""
        return []


def columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float | None]]:
    """Return rows of metrics as columns; a metric that a row lacks is None."""
    names: Iterator[str] = (name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(names)}
