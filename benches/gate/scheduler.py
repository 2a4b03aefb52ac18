"""The conductor: two live processes measure the same cases in turns, and never at the same time.

Both sides run the same benches unmodified. Whenever a side is about to set up a case or to measure a round it asks for
the turn (``harness/lockstep.py``) and waits. The side that is behind goes next; where both stand at the same round, a
drawn order decides, and the opposite order decides the round after: balanced, and shuffled.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from socket import socketpair
from typing import Any

from loaderbench.benches.gate.background_load import Load
from loaderbench.benches.gate.case_matching import Matched
from loaderbench.benches.gate.revisions import Side
from loaderbench.benches.gate.telemetry import Telemetry

Message = dict[str, Any]
Position = tuple[int, int]  # which case, which of its rounds

END: Position = (1 << 30, 0)
_POLL_S = 0.2
_LEAVE_S = 30.0


class PlayerError(Exception):
    """A side that did not start, or that ended before its time: one line that says how."""


@dataclass(slots=True)
class Player:
    """The process of one side."""

    side: Side
    process: subprocess.Popen[bytes]
    connection: Connection
    log: Path
    introduction: Message | None = None
    cases: list[str] = field(default_factory=list)  # their names on this side, in the order of the block
    case: int = 0  # the place of the one it is at
    position: Position | None = None  # the turn it waits for; None while it has it, or has not asked yet
    fault: str = ""  # why it is gone

    @property
    def gone(self) -> bool:
        """Whether nothing more is to come from it."""
        return bool(self.fault) or self.process.poll() is not None

    def send(self, answer: Any) -> None:
        """Answer its question: it goes on."""
        self.position = None
        with suppress(OSError):  # it is gone, which is seen when it is listened to
            self.connection.send_bytes(json.dumps(answer).encode())

    def hear(self, limit_s: float) -> Message | None:
        """Its next question, or None where it has ended; PlayerError where it asks nothing for `limit_s` seconds."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            try:
                if wait([self.connection], _POLL_S):
                    return dict(json.loads(self.connection.recv_bytes()))
            except (EOFError, OSError):
                return None
            if self.process.poll() is not None and not wait([self.connection], 0):
                return None
        raise PlayerError(f"{self.side.name} asked for nothing in {limit_s:.0f} s: it hangs")

    def end(self) -> None:
        """End it, and every process that it started: whatever it had to keep is on disk."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()

    def last_words(self) -> str:
        """The line of its log that says most about why it ended."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("ERROR", "E  ")) or "Error" in line]
        return (telling or lines or ["it said nothing"])[-1][:500]


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A round that was granted."""

    side: str
    case: int  # in the order of the block
    round: int
    began_s: float  # since the block began


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What a block showed: the cases in their order, which turns were granted, and how each side ended."""

    cases: tuple[Matched, ...]
    turns: tuple[Turn, ...]
    faults: Mapping[str, str]
    telemetry: Mapping[str, Mapping[str, float]]
    seconds: float


@dataclass(kw_only=True)
class Conductor:
    """Plays one block: starts both sides, grants their turns, and ends them.

    `arrange` gets what both sides say of themselves (base, head) and returns the cases to play, in order. `agreed`
    outlives the block: what the sides have agreed upon once, holds.
    """

    commands: Mapping[str, tuple[Side, Sequence[str], Mapping[str, str]]]  # side's name: side, command, environment
    arrange: Callable[[Message, Message], Sequence[Matched]]
    folder: Path
    rng: random.Random
    agreed: dict[str, int]
    tell: Callable[[int, int], None]  # which case of how many is under way
    limit_s: float = 300.0  # without a word from a side: it hangs
    load: Load | None = None
    cases: Sequence[Matched] = field(default=(), init=False)

    def play(self) -> Played:
        """The block. Raises PlayerError where a side does not start or hangs; whatever happens, both are ended."""
        began = time.monotonic()
        players: list[Player] = []
        try:
            players.extend(self._start(name) for name in self.commands)
            telemetry = Telemetry.begin()
            turns = list(self._conduct(players, began))
            readings = {player.side.name: telemetry.of(player.process.pid) for player in players}
        finally:
            for player in players:
                player.end()
        return Played(
            cases=tuple(self.cases),
            turns=tuple(turns),
            faults={player.side.name: player.fault for player in players if player.fault},
            telemetry=readings,
            seconds=time.monotonic() - began,
        )

    def _start(self, name: str) -> Player:
        side, command, environment = self.commands[name]
        ours, theirs = socketpair()
        log = self.folder / f"{name}.log"
        with theirs, log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - the user's own interpreter
                [*command, f"--lockstep={theirs.fileno()}"],
                cwd=side.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is ours to handle: it reaches us alone
            )
        return Player(side=side, process=process, connection=Connection(ours.detach()), log=log)

    def _conduct(self, players: Sequence[Player], began: float) -> Iterator[Turn]:
        """Grant turns until both sides have left or are gone."""
        self._introduce(players)
        first = self._orders(players)
        while True:
            for player in players:
                if player.position is None and not player.gone:
                    self._listen(player)
            playing = [player for player in players if player.position not in (None, END) and not player.gone]
            if not playing:
                return
            player = min(playing, key=lambda each: (each.position, each.side.name != first(each.position)))
            case, round_ = player.position or END
            if round_ >= 0:
                yield Turn(side=player.side.name, case=case, round=round_, began_s=time.monotonic() - began)
            self.tell(case, len(self.cases))
            if self.load is not None:
                self.load.turn(player.side.name)
            player.send(True)

    def _introduce(self, players: Sequence[Player]) -> None:
        """Hear from both which cases they have, and tell both what to play. While they start, both may work."""
        for player in players:
            while player.introduction is None:
                question = player.hear(self.limit_s)
                if question is None:
                    raise PlayerError(f"{player.side.name} ({player.side.label}) does not start: {player.last_words()}")
                if "agree" in question:
                    player.send(self.agreed.setdefault(question["agree"], question["value"]))
                elif "cases" in question:
                    player.introduction = question
                else:  # it leaves without a case, and then says why
                    player.send(True)
                    with suppress(subprocess.TimeoutExpired):
                        player.process.wait(timeout=_LEAVE_S)
                    raise PlayerError(f"{player.side.name} ({player.side.label}) has no case: {player.last_words()}")
        base, head = players
        self.cases = self.arrange(base.introduction or {}, head.introduction or {})
        for player in players:
            player.cases = [case.names[player.side.name] for case in self.cases]
            player.send(player.cases)

    def _orders(self, players: Sequence[Player]) -> Callable[[Position | None], str]:
        """Which side goes first at a round: drawn for the even ones, the other for the odd ones."""
        names = [player.side.name for player in players]
        drawn: dict[Position, str] = {}

        def first(position: Position | None) -> str:
            case, round_ = position or END
            pair = (case, round_ - round_ % 2 if round_ >= 0 else -1)
            chosen = drawn.setdefault(pair, self.rng.choice(names))
            return chosen if round_ <= pair[1] else next(name for name in names if name != chosen)

        return first

    def _agreed(self, what: str, case: int, value: int) -> int:
        """What the first to ask chose. Rounds that take the other side too long are fewer from the next block on."""
        name = f"{what} of {self.cases[case].key}"
        agreed = self.agreed.setdefault(name, value)
        if what == "rounds":
            self.agreed[name] = min(agreed, value)
        return agreed

    def _listen(self, player: Player) -> None:
        """Hear what a side asks until it waits for a turn, has left, or is gone."""
        while True:
            try:
                question = player.hear(self.limit_s)
            except PlayerError as error:
                player.fault = str(error)
                player.end()
                return
            if question is None:
                player.fault = f"{player.side.name} ended in the middle: {player.last_words()}"
                return
            if "agree" in question:
                player.send(self._agreed(question["agree"], player.case, question["value"]))
                continue
            if "leave" in question:
                player.position = END
            else:
                player.case = player.cases.index(question["case"])
                player.position = (player.case, question["round"])
            return
