"""The other processes that measure the same cases: another revision's, other ranks', or none.

`Lockstep` is one revision beside another, in turns; `RankMember` is one rank beside others, at the same time. `Session`
holds the one `Peers` of a process; nothing else knows of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pytest

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.session.lockstep import Lockstep
from loaderbench.benches.harness.session.rank_member import RankMember
from loaderbench.reports.vocabulary import SETTINGS


class Peers(Protocol):
    """What a session asks of the other processes, if there are any."""

    def agree(self, what: str, value: int) -> int:
        """Return the number that all processes use for `what`, where this one would choose `value`."""

    def introduce(self, cases: Sequence[Mapping[str, Any]]) -> list[str] | None:
        """Return the names of the cases to measure, in order; None: all of `cases`, as they stand."""

    def wait(self, case: str, round_: int) -> None:
        """Return when it is this process's turn for round `round_` of `case`, for `SET_UP` or for `TEAR_DOWN`."""

    def leave(self) -> None:
        """Announce that all is done, and on disk."""


class NoPeers:
    """No other process: every turn is this one's."""

    def agree(self, what: str, value: int) -> int:  # noqa: ARG002 - there is no one to agree with
        """Return `value`."""
        return value

    def introduce(self, cases: Sequence[Mapping[str, Any]]) -> list[str] | None:  # noqa: ARG002
        """Return None: all cases, as they stand."""
        return None

    def wait(self, case: str, round_: int) -> None:
        """Return at once."""

    def leave(self) -> None:
        """Return at once."""


def connect(config: pytest.Config) -> Peers:
    """Return what this process measures together with: the other ranks of a launch, another revision, or nothing.

    Raises RefusedError where there are other ranks, and the options say how many to start.
    """
    if (member := RankMember.of_launcher()) is None:
        descriptor = config.getoption("lockstep")
        return NoPeers() if descriptor is None else Lockstep(int(descriptor))
    for option in ("nproc_per_node", "launcher"):
        if config.getoption(option):
            flag = SETTINGS[option].option
            raise RefusedError(f"{flag}: {member.launcher} has started the ranks already; leave it out")
    config.option.nproc_per_node = str(member.agree("nproc_per_node", member.place.local_world_size))
    return member
