"""Which of the ranks a process is."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True, slots=True)
class RankPlace:
    """One rank of `world_size`, the `local_rank`-th on its host. Raises ValueError where a number is out of range."""

    rank: int
    world_size: int
    local_rank: int
    local_world_size: int
    host: str

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise ValueError(f"rank must be in 0..world_size-1, got {self.rank} of {self.world_size}")
        if not 0 <= self.local_rank < self.local_world_size:
            raise ValueError(
                f"local_rank must be in 0..local_world_size-1, got {self.local_rank} of {self.local_world_size}"
            )

    @classmethod
    def of_torchrun(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the place that torch's elastic launcher wrote into the environment."""
        return cls(
            rank=int(environment["RANK"]),
            world_size=int(environment["WORLD_SIZE"]),
            local_rank=int(environment["LOCAL_RANK"]),
            local_world_size=int(environment["LOCAL_WORLD_SIZE"]),
            host=platform.node(),
        )

    @property
    def is_alone_on_host(self) -> bool:
        """Return whether all ranks are on this host."""
        return self.local_world_size == self.world_size

    def __str__(self) -> str:
        return f"rank {self.rank} on {self.host}"
