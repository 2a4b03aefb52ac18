"""What all ranks together delivered in one pass: each sample once, some twice, or all of them on every rank."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

Identities = Mapping[Hashable, int]
"""How often a rank delivered each sample of a pass, by its index or the hash of its content."""
# The share of a rank's samples that it repeats itself, beyond which it says nothing that others have them too: they are
# drawn with replacement, or alike. Ranks that all have the very same ones are unsharded up to a half.
_OWN_REPEATS, _OWN_REPEATS_UNSHARDED = 0.1, 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """The samples of one pass over all ranks."""

    delivered: int
    ranks: int
    repeated: int
    """Samples of a rank that another has delivered too: DistributedSampler's padding, or shares that overlap."""
    is_unsharded: bool
    """Whether every rank delivers the samples of all others."""
    is_known: bool = True
    """Whether samples could be told apart."""

    @property
    def unique_share(self) -> float:
        """Return the share of what is delivered that counts: of a sample that came twice, one."""
        return (self.delivered - self.repeated) / self.delivered if self.delivered else 1.0

    @property
    def text(self) -> str:
        """Return it in words."""
        if not self.is_known:
            return "unknown: samples cannot be told apart"
        if self.is_unsharded:
            return "unsharded: every rank delivers all samples"
        if not self.repeated:
            return "each sample once"
        if self.repeated < self.ranks:  # DistributedSampler adds no more
            return f"each sample once, {self.repeated} twice (padding)"
        return f"overlapping: {self.repeated} of {self.delivered} samples are another rank's too"


def covered(ranks: Sequence[Identities | None], delivered: int) -> Coverage:
    """Return what `ranks` delivered together: `delivered` samples; None of a rank that cannot tell samples apart.

    >>> covered([{0: 1, 2: 1}, {1: 1, 0: 1}], 4)
    Coverage(delivered=4, ranks=2, repeated=1, is_unsharded=False, is_known=True)
    >>> covered([{0: 1, 1: 1}, {0: 1, 1: 1}], 4).text
    'unsharded: every rank delivers all samples'
    """
    known = [rank for rank in ranks if rank is not None]
    total: Counter[Hashable] = Counter()
    for rank in known:
        total.update(rank)
    # Of content hashes, samples of one rank that are alike are different samples: only other ranks can repeat them.
    repeated = sum(
        count - max(rank.get(identity, 0) for rank in known) for identity, count in total.items() if count > 1
    )
    is_unsharded = len(known) > 1 and len(total) > 1 and all(rank == known[0] for rank in known)
    own_repeats = max((1 - len(rank) / sum(rank.values()) for rank in known if rank), default=0.0)
    most_repeats = _OWN_REPEATS_UNSHARDED if is_unsharded else _OWN_REPEATS
    is_known = len(known) == len(ranks) and (not repeated or own_repeats <= most_repeats)
    return Coverage(
        delivered=delivered,
        ranks=len(ranks),
        repeated=repeated if is_known else 0,
        is_unsharded=is_unsharded and is_known,
        is_known=is_known,
    )
