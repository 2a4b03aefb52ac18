"""A setting in the race."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class RacedSetting:
    """A setting by its name; of two, that whose `size` compares as smaller is preferred where both are as good."""

    name: str
    size: tuple[Any, ...]
    expected_s: float
    """What a trial of it may take, before one was measured."""
    is_candidate: bool = True
    """Whether it may be recommended: else it is only compared with what is."""
