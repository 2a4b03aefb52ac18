"""The scheduler of a block: two live processes measure the same cases in turns, and never at the same time.

Both revisions run the same benches unmodified. Whenever a process is about to set up a case, to measure a round or to
end a case, it asks for the turn (``harness/session/lockstep.py``) and waits. The one that is behind goes next; where
both stand at the same round, a drawn order decides, and the opposite order decides the round after: balanced, and
shuffled. What is not measured, both may do at once: half of a block was set-up. Not in the first block of a case, whose
warm-up decides how long its rounds are.
"""

import json
import math
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from socket import socketpair
from typing import Any, Self

from loaderbench.benches.gate.background_load import BackgroundLoad
from loaderbench.benches.gate.case_matching import MatchedCase
from loaderbench.benches.gate.fork_server import (
    BlockCutError,
    ForkedProcess,
    ForkServer,
    ProcessEndedError,
    telling_line,
)
from loaderbench.benches.gate.revisions import Revision
from loaderbench.benches.gate.telemetry import Counters
from loaderbench.benches.harness.session.turns import SET_UP, TEAR_DOWN

Message = dict[str, Any]
Position = tuple[int, int]  # which case, which of its rounds

END: Position = (1 << 30, 0)
_POLL_S = 0.2
_LEAVE_S = 30.0


@dataclass(slots=True)
class RevisionProcess:
    """The process that measures one revision, and where it stands in the block."""

    revision: Revision
    process: ForkedProcess
    connection: Connection
    log: Path
    limit_s: float = 300.0  # without a question: it hangs
    until: float = math.inf  # on the monotonic clock: what is under way then is cut
    cases: list[str] = field(default_factory=list)  # their names in this revision, in the order of the block
    case: int = 0  # the place of the one it is at
    position: Position | None = None  # the turn it waits for; None while it has it, or has not asked yet
    fault: str = ""  # why it is gone
    switches: Mapping[str, float] = field(default_factory=dict)  # of context, as it counted them when it left

    @classmethod
    def start(
        cls,
        revision: Revision,
        server: ForkServer,
        arguments: Sequence[str],
        log: Path,
        *,
        limit_s: float,
        until: float,
    ) -> Self:
        """Have it forked; it asks its questions through a socket that it inherits."""
        ours, theirs = socketpair()
        connection = Connection(ours.detach())
        with theirs:
            process = server.fork(revision, arguments, log, theirs.fileno(), until=until)
        return cls(revision=revision, process=process, connection=connection, log=log, limit_s=limit_s, until=until)

    @property
    def is_gone(self) -> bool:
        """Return whether nothing more is to come from it."""
        return bool(self.fault) or self.process.poll() is not None

    @property
    def is_waiting(self) -> bool:
        """Return whether it waits for its turn."""
        return self.position not in (None, END) and not self.is_gone

    @property
    def is_unmeasured(self) -> bool:
        """Return whether it waits for a turn in which nothing is measured."""
        return self.position is not None and self.position[1] in {SET_UP, TEAR_DOWN}

    def answer(self, value: Any) -> None:
        """Answer its question: it goes on."""
        self.position = None
        with suppress(OSError):  # it is gone, which shows when it is listened to
            self.connection.send_bytes(json.dumps(value).encode())

    def next_question(self) -> Message | None:
        """Return its next question, None where it has ended.

        Raises ProcessEndedError after `limit_s` without one, and BlockCutError at `until`.
        """
        deadline = min(time.monotonic() + self.limit_s, self.until)
        while time.monotonic() < deadline:
            try:
                if wait([self.connection], _POLL_S):
                    return dict(json.loads(self.connection.recv_bytes()))
            except (EOFError, OSError):
                return None
            if self.process.poll() is not None and not wait([self.connection], 0):
                return None
        if deadline == self.until:
            raise BlockCutError
        raise ProcessEndedError(f"{self.revision.name} asked for nothing in {self.limit_s:.0f} s: it hangs")

    def introduce(self, agreed: dict[str, int]) -> Message:
        """Return what it says of itself; raises ProcessEndedError where it does not start, or has no case."""
        named = f"{self.revision.name} ({self.revision.label})"
        while True:
            question = self.next_question()
            if question is None:
                raise ProcessEndedError(f"{named} does not start: {self.last_line()}")
            if "cases" in question:
                return question
            if "agree" in question:
                self.answer(agreed.setdefault(question["agree"], question["value"]))
                continue
            self.answer(True)  # it leaves without a case, and then says why
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=_LEAVE_S)
            raise ProcessEndedError(f"{named} has no case: {self.last_line()}")

    def note_end(self) -> None:
        """Note why it has ended before its time, where that is not known yet."""
        self.fault = self.fault or f"{self.revision.name} ended in the middle: {self.last_line()}"

    def end(self) -> None:
        """End it, and every process that it started: whatever it had to keep is on disk."""
        self.process.end()
        self.connection.close()

    def last_line(self) -> str:
        """Return the line of its log that tells most about why it ended."""
        return telling_line(self.log)


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A round that was granted."""

    revision: str
    case: int  # in the order of the block
    round: int
    began_s: float  # since the block began


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockSchedule:
    """How a block went: the cases in their order, which turns were granted, and how each process ended."""

    cases: tuple[MatchedCase, ...]
    turns: tuple[Turn, ...]
    faults: Mapping[str, str]
    telemetry: Mapping[str, Mapping[str, float]]
    seconds: float


@dataclass(kw_only=True)
class Scheduler:
    """Grants the turns of one block to two processes that were started.

    `arrange` gets what both say of themselves (base, head) and returns the cases to measure, in order. `agreed`
    outlives the block: the number of passes and rounds that both have agreed upon once, they keep.
    """

    processes: Sequence[RevisionProcess]
    arrange: Callable[[Message, Message], Sequence[MatchedCase]]
    rng: random.Random
    agreed: dict[str, int]
    on_turn: Callable[[], None]  # before each
    load: BackgroundLoad | None = None
    pairs: Mapping[str, int] = field(default_factory=dict)  # of rounds, by case, where that is decided here
    cases: Sequence[MatchedCase] = field(default=(), init=False)
    are_both_granted: bool = field(default=False, init=False)

    def run(self) -> BlockSchedule:
        """Run the block; raises ProcessEndedError where a process does not start, BlockCutError where time is over."""
        counters, began = Counters.read(), time.monotonic()
        turns = tuple(self._turns(began))
        return BlockSchedule(
            cases=tuple(self.cases),
            turns=turns,
            faults={process.revision.name: process.fault for process in self.processes if process.fault},
            telemetry={process.revision.name: {**counters.since(), **process.switches} for process in self.processes},
            seconds=time.monotonic() - began,
        )

    def _turns(self, began: float) -> Iterator[Turn]:
        """Grant turns until both processes have left or are gone; yield those of a round."""
        self._introduce()
        first = self._orders([process.revision.name for process in self.processes])
        while True:
            for process in self.processes:
                if process.position is None and not process.is_gone:
                    self._listen(process)
                elif process.is_gone and process.position != END:
                    process.note_end()
            waiting = [process for process in self.processes if process.is_waiting]
            if not waiting:
                return
            granted = self._next(waiting, first)
            self.are_both_granted = len(granted) > 1
            for process in granted:
                case, round_ = process.position or END
                if not process.is_unmeasured:
                    began_s = time.monotonic() - began
                    yield Turn(revision=process.revision.name, case=case, round=round_, began_s=began_s)
                self.on_turn()
                if self.load is not None:
                    self.load.before_turn(process.revision.name)
                process.answer(True)

    def _next(
        self, waiting: Sequence[RevisionProcess], first: Callable[[RevisionProcess], str]
    ) -> Sequence[RevisionProcess]:
        """Return whose turn it is: that of the process that is behind, or of both where nothing is measured."""
        known = (f"rounds of {self.cases[process.case].key}" in self.agreed for process in waiting)
        if self.load is None and all(process.is_unmeasured for process in waiting) and all(known):
            return self.rng.sample(waiting, len(waiting))
        return [min(waiting, key=lambda process: (process.position, process.revision.name != first(process)))]

    def _introduce(self) -> None:
        """Ask both which cases they have, and tell both which to measure. While they start, both may work."""
        base, head = (process.introduce(self.agreed) for process in self.processes)
        self.cases = self.arrange(base, head)
        for process in self.processes:
            process.cases = [case.names[process.revision.name] for case in self.cases]
            process.answer(process.cases)

    def _orders(self, names: Sequence[str]) -> Callable[[RevisionProcess], str]:
        """Return who goes first at a process's position: drawn for the even rounds, the other one for the odd ones."""
        drawn: dict[Position, str] = {}

        def first(process: RevisionProcess) -> str:
            case, round_ = process.position or END
            is_odd = round_ > 0 and round_ % 2 == 1
            chosen = drawn.setdefault((case, round_ - is_odd), self.rng.choice(names))
            return next(name for name in names if (name == chosen) is not is_odd)

        return first

    def _agree(self, what: str, case: int, value: int) -> int:
        """Return what the first to ask chose. Rounds that take the other one too long are fewer from the next block.

        Not where both are warmed up at once, in each other's way.
        """
        key = self.cases[case].key
        if what == "rounds" and key in self.pairs:
            return self.pairs[key]
        name = f"{what} of {key}"
        agreed = self.agreed.setdefault(name, value)
        if what == "rounds" and not self.are_both_granted:
            self.agreed[name] = min(agreed, value)
        return agreed

    def _listen(self, process: RevisionProcess) -> None:
        """Hear what a process asks until it waits for a turn, has left, or is gone."""
        while True:
            try:
                question = process.next_question()
            except ProcessEndedError as error:
                process.fault = str(error)
                process.end()
                return
            if question is None:
                process.note_end()
                return
            if "agree" in question:
                process.answer(self._agree(question["agree"], process.case, question["value"]))
                continue
            if "leave" in question:
                process.position = END
                process.switches = {name: count for name, count in question.items() if name != "leave"}
            else:
                process.case = process.cases.index(question["case"])
                process.position = (process.case, question["round"])
            return
