"""Requests to all ranks and their answers, through a TCPStore: never through a collective, which one rank could stop.

The coordinator writes ``request/<number>``, on which every rank is waiting, and reads ``answer/<number>/<rank>`` of
each. Nothing is exchanged within a request, so that nothing disturbs a pass. No answer within the time limit is an
answer too: the coordinator names the rank that has not given it, and where that rank is.
"""

import faulthandler
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import Any, Protocol

import psutil
from torch import distributed
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from loaderbench.benches.harness.failures.diagnosis import as_case_failure
from loaderbench.benches.harness.failures.failure_line import CaseFailedError, shortened
from loaderbench.benches.harness.failures.position import dump_folder, dump_on_signal, place_of
from loaderbench.benches.harness.ranks.rank_place import RankPlace

CONNECTS_WITHIN_S = 60.0
_SHORTEST_LOOK_S, _LONGEST_LOOK_S = 0.002, 0.02  # between two looks at the store: at most 0.3 % of a core
_OTHERS_FAIL_WITHIN_S = 1.0  # once a rank has failed: those that waited for it fail too, and are not to blame
_LONGEST_IDLE = timedelta(days=7)  # that a rank waits for its next request: the connection ends with the coordinator
_SAYS_SO_WITHIN_S = 1.0  # TCPStore, after its own timeout
_GIVEN_UP_AFTER_S = 10.0  # a rank that has no parent to end it, once its coordinator has given up
LEAVE = "leave"
# What a rank says that fails because another one has gone.
_CONSEQUENCES = ("Connection closed by peer", "Connection reset by peer", "DistBackendError", "Broken pipe")


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where the store of one case is: `prefix` keeps the keys of cases apart."""

    host: str
    port: int
    prefix: str = ""

    def connect(self, timeout_s: float = CONNECTS_WITHIN_S) -> Store:
        """Return a connection of this process's own; raises CaseFailedError where the store cannot be reached."""
        try:
            store = connected_store(self.host, self.port, timeout_s)
        except distributed.DistError as error:
            why = shortened(str(error), 200)
            raise CaseFailedError(f"the store at {self.host}:{self.port} cannot be reached: {why}") from error
        return PrefixStore(self.prefix, store) if self.prefix else store


def connected_store(host: str, port: int, timeout_s: float) -> TCPStore:
    """Return the store at `host`, `port`; raises torch's DistError where it has not answered within `timeout_s`.

    TCPStore has a timeout for connecting, but waits for ever for the answer of a program that is no store: in a thread,
    which this process then leaves behind.
    """
    outcome: SimpleQueue[TCPStore | Exception] = SimpleQueue()

    def connect() -> None:
        try:
            outcome.put(TCPStore(host, port, is_master=False, timeout=timedelta(seconds=timeout_s)))
        except Exception as error:  # noqa: BLE001 - raised below
            outcome.put(error)

    Thread(target=connect, daemon=True).start()
    try:
        result = outcome.get(timeout=timeout_s + _SAYS_SO_WITHIN_S)
    except Empty:
        raise distributed.DistStoreError(f"what listens there has not answered within {timeout_s:g} s") from None
    if isinstance(result, Exception):
        raise result
    return result


class Processes(Protocol):
    """The processes of a case's ranks, as their coordinator sees them."""

    def death(self) -> "tuple[int | None, str] | None":
        """Return which rank has died, where that is known, and how; None while all live."""

    def is_here(self, rank: int) -> bool:
        """Return whether a rank is on this host, so that it can be asked where it is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rank answers to a request."""

    is_done: bool
    outcome: Any
    """What was returned; where it is not done, one line that says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Greeting:
    """What a rank says when it has started."""

    host: str
    pid: int
    dumps: str
    """The folder of its host where it and its workers write which line they are at, when they are asked."""


class RankFailedError(CaseFailedError):
    """A rank failed: the message names rank, host and phase, and says why."""


@dataclass(slots=True)
class Coordinator:
    """Asks all ranks to do the same at once, and collects what each returns."""

    store: Store
    processes: Processes
    world_size: int
    timeout_s: float
    """That one request may take."""
    has_failed: bool = False
    """Whether a rank has: it may never answer again."""
    _requests: int = 0
    _ranks: Sequence[Greeting] = ()  # once they have said where they are

    def greet(self, timeout_s: float = CONNECTS_WITHIN_S) -> None:
        """Wait until every rank has started; raises RankFailedError naming those that have not."""
        answers = self._collect("hello", "start", timeout_s)
        self._ranks = [answer.outcome for answer in answers]

    @property
    def hosts(self) -> list[str]:
        """Return the host of each rank."""
        return [rank.host for rank in self._ranks]

    def call(self, method: str, *arguments: Any, phase: str) -> list[Any]:
        """Return what `method` returns on each rank, by rank; raises RankFailedError."""
        number = self._request(method, *arguments)
        return [answer.outcome for answer in self._collect(f"answer/{number}", phase, self.timeout_s)]

    def leave(self) -> None:
        """Tell every rank that it may end."""
        self._request(LEAVE)

    def _request(self, method: str, *arguments: Any) -> int:
        number, self._requests = self._requests, self._requests + 1
        self.store.set(f"request/{number}", pickle.dumps((method, arguments)))  # type: ignore[arg-type]  # bytes go too
        return number

    def _collect(self, key: str, phase: str, timeout_s: float) -> list[Answer]:
        keys = [f"{key}/{rank}" for rank in range(self.world_size)]
        began, look_s = monotonic(), _SHORTEST_LOOK_S
        while not self.store.check(keys):
            if (death := self.processes.death()) is not None:
                self._fail(keys, phase, death)
            if any(self.store.check([one]) and not _read(self.store, one).is_done for one in keys):
                self._fail(keys, phase, None)
            if monotonic() - began > timeout_s:
                self._fail_late(keys, phase, timeout_s)
            sleep(look_s)
            look_s = min(2 * look_s, _LONGEST_LOOK_S)
        answers = [_read(self.store, one) for one in keys]
        if not all(answer.is_done for answer in answers):
            self._fail(keys, phase, None)
        return answers

    def _fail(self, keys: Sequence[str], phase: str, death: tuple[int | None, str] | None) -> None:
        """Raise for the rank that is to blame: not for one that failed because it waited for another."""
        self.has_failed = True
        end = monotonic() + _OTHERS_FAIL_WITHIN_S
        while death is None and monotonic() < end and not self.store.check(list(keys)):
            sleep(_LONGEST_LOOK_S)
            death = self.processes.death()
        reasons = {
            rank: str(answer.outcome)
            for rank, key in enumerate(keys)
            if self.store.check([key]) and not (answer := _read(self.store, key)).is_done
        }
        rank, why = to_blame(reasons, death)
        raise RankFailedError(f"{self._named(rank)} ({phase}): {why}")

    def _fail_late(self, keys: Sequence[str], phase: str, timeout_s: float) -> None:
        self.has_failed = True
        late = [rank for rank, key in enumerate(keys) if not self.store.check([key])]
        can_ask = bool(self._ranks) and self.processes.is_here(late[0])
        place = rank_position(self._ranks[late[0]]) if can_ask else ""
        where = f" ({place})" if place else ""
        others = f", nor {len(late) - 1} others" if len(late) > 1 else ""
        raise RankFailedError(
            f"{self._named(late[0])} ({phase}): not done after {timeout_s:g} s{where}{others}; "
            "--rank-timeout allows more"
        )

    def _named(self, rank: int | None) -> str:
        if rank is None:
            return "a rank"
        return f"rank {rank} on {self._ranks[rank].host}" if self._ranks else f"rank {rank}"


def to_blame(reasons: Mapping[int, str], death: tuple[int | None, str] | None) -> tuple[int | None, str]:
    """Return the rank to blame, and why it failed, of those that failed with `reasons` and perhaps one that died.

    >>> to_blame({0: "RuntimeError: Connection closed by peer [127.0.0.1]:4711", 1: "ValueError: no"}, None)
    (1, 'ValueError: no')
    >>> to_blame({0: "RuntimeError: Connection closed by peer [127.0.0.1]:4711"}, (1, "killed by SIGKILL"))
    (1, 'killed by SIGKILL')
    """
    own = {rank: why for rank, why in reasons.items() if not any(words in why for words in _CONSEQUENCES)}
    if own:
        return min(own.items())
    return death if death is not None else min(reasons.items())


def rank_position(rank: Greeting) -> str:
    """Return file and line of the user's code where a rank of this host is, or else one of its workers."""
    if place := place_of(rank.pid, __file__, rank.dumps):
        return place
    with suppress(psutil.NoSuchProcess):
        workers = psutil.Process(rank.pid).children(recursive=True)
        return next(filter(None, (place_of(worker.pid, folder=rank.dumps) for worker in workers)), "")
    return ""


def _read(store: Store, key: str) -> Answer:
    return pickle.loads(store.get(key))  # type: ignore[no-any-return]  # noqa: S301 - our own ranks wrote it


def release(store: Store) -> None:
    """Tell the ranks of a case to leave, whatever has become of its coordinator."""
    number = next(number for number in count() if not store.check([f"request/{number}"]))
    store.set(f"request/{number}", pickle.dumps((LEAVE, ())))  # type: ignore[arg-type]  # bytes go too


def serve(store: Store, place: RankPlace, make: Callable[[], Any], timeout_s: float | None = None) -> None:
    """Answer as the rank `place`: enter what `make` returns, call its methods as asked, leave it at the end.

    Whatever is raised becomes an answer. Returns when the request to leave has come. A request that takes longer than
    `timeout_s` ends the process, from a thread that sleeps in C: no one else may be there to do it.
    """
    greeting = Greeting(host=place.host, pid=os.getpid(), dumps=dump_folder())
    dump_on_signal(greeting.dumps)
    store.set(f"hello/{place.rank}", pickle.dumps(Answer(True, greeting)))  # type: ignore[arg-type]  # bytes go too
    target: Any = None
    for number in count():
        store.wait([f"request/{number}"], _LONGEST_IDLE)
        method, arguments = pickle.loads(store.get(f"request/{number}"))  # noqa: S301 - our own coordinator's
        if method == LEAVE:
            if target is not None:
                target.__exit__(None, None, None)
            return
        if timeout_s is not None:
            faulthandler.dump_traceback_later(timeout_s + _GIVEN_UP_AFTER_S, exit=True, file=2)
        try:
            with as_case_failure():
                if target is None:
                    target = make().__enter__()
                answer = Answer(True, getattr(target, method)(*arguments))
        except BaseException as error:  # noqa: BLE001 - of any kind: the coordinator says which
            answer = Answer(False, str(error) or type(error).__name__)
        faulthandler.cancel_dump_traceback_later()
        store.set(f"answer/{number}/{place.rank}", pickle.dumps(answer))  # type: ignore[arg-type]  # bytes go too
