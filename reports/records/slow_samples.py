"""The samples that took longest, each by its index once: what the time breakdown and `watch` know of them."""

from typing import Annotated, Any

from msgspec import Meta, Struct

MOST_SAMPLES = 5


class SlowSample(Struct, frozen=True, kw_only=True):
    """One sample, and the longest that it took."""

    index: Annotated[int, Meta(ge=0)]
    """In the user's own dataset; of a stream, its place."""
    seconds: Annotated[float, Meta(ge=0)]
    share: Annotated[float, Meta(ge=0, le=1)] | None = None
    """Of the time of all samples, each read once; None where that is not known."""


class SlowestSamples:
    """Keeps the `most` samples that took longest of any number: nothing grows with it."""

    def __init__(self, most: int = MOST_SAMPLES) -> None:
        self.most = most
        self._seconds: dict[int, float] = {}

    def add(self, index: int, seconds: float) -> None:
        """Note that a sample took so long: the longest time of each index counts."""
        if seconds <= self._seconds.get(index, -1.0):
            return
        self._seconds[index] = seconds
        if len(self._seconds) > self.most:
            del self._seconds[min(self._seconds, key=lambda kept: (self._seconds[kept], -kept))]

    def samples(self, total_s: float | None = None) -> tuple[SlowSample, ...]:
        """Return the samples that took longest, the longest first, each with its share of `total_s`.

        >>> slowest = SlowestSamples(most=2)
        >>> for index, seconds in ((7, 0.1), (8, 0.3), (9, 0.2), (7, 0.4)):
        ...     slowest.add(index, seconds)
        >>> [(sample.index, sample.share) for sample in slowest.samples(total_s=1.0)]
        [(7, 0.4), (8, 0.3)]
        """
        ranked = sorted(self._seconds.items(), key=lambda entry: (-entry[1], entry[0]))
        return tuple(
            SlowSample(index=index, seconds=seconds, share=seconds / total_s if total_s else None)
            for index, seconds in ranked
        )


def as_entry(samples: tuple[SlowSample, ...]) -> list[dict[str, Any]]:
    """Return samples as a record has them."""
    return [{"index": sample.index, "seconds": sample.seconds, "share": sample.share} for sample in samples]
