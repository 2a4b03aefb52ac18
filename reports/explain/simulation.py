"""The model: a loader as its queues, simulated, for settings and machines that were not run.

A batch takes its worker some reading that costs no CPU, some work that does, and the loop some work to take it.
Workers are given batches as torch gives them: in turn, `prefetch_factor` each, one more whenever the loop takes one.
Who needs a CPU shares those there are (processor sharing: L. Kleinrock, J. ACM 14, 1967), and so do all readers the
storage.

A batch's tensors are taken out of its worker by a thread of that worker's, which shares an interpreter with the thread
that works: while the worker works, its batches are taken at a slower `pace`.

What is left out: caches and memory bandwidth that more processes share, threads of native libraries.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

EVERLASTING = math.inf
MOST = 400  # batches that are simulated
FEWEST, ROUNDS = 100, 6  # batches of a pace: so many, and so many times what may be in flight
WARM = 0.25  # of them, that fill the queues
LEAST = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What one batch takes, in seconds with nothing else running."""

    read_s: float = 0.0  # of a worker's time, in which it needs no CPU
    work_s: float = 0.0  # of a worker's CPU: fetching, collating
    send_s: float = 0.0  # of a worker's CPU: pickling, its loop
    take_s: float = 0.0  # of the main process's CPU: unpickling, its loop, while the batch's worker rests
    pace: float = 1.0  # of taking it while that worker works; no seconds
    alone_s: float = 0.0  # of the main process where there are no workers: all of it
    storage_bytes: float = 0.0  # read from storage that all share

    def __post_init__(self) -> None:
        if not 0 < self.pace <= 1:
            raise ValueError(f"pace must be in (0, 1], got {self.pace}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Loaders and a machine: `ranks` processes, each with a device of its own and a loader like this."""

    num_workers: int
    cpus: float
    prefetch_factor: int = 2
    step_s: float = 0.0
    step_on_cpu: bool = False  # else a device takes it, beside the loop
    in_order: bool = True
    ranks: int = 1
    begin_s: float = 0.0  # from iter(loader) until its workers begin
    storage_bytes_per_s: float = EVERLASTING

    def __post_init__(self) -> None:
        if self.num_workers < 0 or self.ranks < 1 or self.prefetch_factor < 1:
            raise ValueError(
                f"num_workers must be >= 0, ranks and prefetch_factor >= 1, got {self.num_workers}, {self.ranks}, "
                f"{self.prefetch_factor}"
            )
        if not self.cpus > 0 or self.step_s < 0:
            raise ValueError(f"cpus must be > 0 and step_s >= 0, got {self.cpus}, {self.step_s}")


@dataclass(slots=True)
class Task:
    """What a process is at: what is left of it, and what that needs."""

    left: float = 0.0
    needs: str = ""  # cpu, interpreter (and a CPU), storage, time; nothing of one that waits


@dataclass(slots=True)
class Worker:
    """A worker of the simulation: batches it was given, and what is left of the one it is at."""

    given: deque[int] = field(default_factory=deque)
    phases: deque[Task] = field(default_factory=deque)

    @property
    def works(self) -> bool:
        """Whether its interpreter is in use."""
        return bool(self.phases) and self.phases[0].needs == "interpreter"


@dataclass(slots=True)
class Loop:
    """A rank's loop: batches that were made and not yet taken, those taken out of turn, the one it needs next."""

    workers: list[Worker]
    queue: deque[int] = field(default_factory=deque)
    held: set[int] = field(default_factory=set)
    next: int = 0
    drawn: int = 0
    turn: int = 0
    at: str = "wanting"  # taking, stepping, ended
    taking: int = -1
    makers: dict[int, Worker] = field(default_factory=dict)  # of batches that were not taken yet
    task: Task = field(default_factory=Task)
    free: float = 0.0  # when the device has done all that it was given
    ends: list[float] = field(default_factory=list)  # of steps


def pass_seconds(costs: Sequence[Costs], setting: Setting, batches: int) -> float:
    """Seconds of a pass of so many batches, workers running; batch i takes ``costs[i % len(costs)]``.

    Of a long one `MOST` batches are simulated, and the pace of their later part is that of the rest.
    """
    count = min(batches, MOST)
    ends = Simulation(costs=costs, setting=setting, count=count).run()
    return max(each[-1] + (batches - count) * (_pace(each) if batches > count else 0.0) for each in ends)


def batch_seconds(costs: Sequence[Costs], setting: Setting) -> float:
    """Seconds from batch to batch of one rank in a long pass, its beginning not counted."""
    count = max(FEWEST, ROUNDS * setting.num_workers * setting.prefetch_factor)
    ends = Simulation(costs=costs, setting=setting, count=count).run()
    return sum(map(_pace, ends)) / len(ends)


def _pace(ends: Sequence[float]) -> float:
    first = int(WARM * len(ends))
    return (ends[-1] - ends[first]) / (len(ends) - 1 - first)


@dataclass(kw_only=True)
class Simulation:
    """`count` batches of each rank, from empty queues."""

    costs: Sequence[Costs]
    setting: Setting
    count: int
    now: float = 0.0  # seconds since iter(loader)

    def run(self) -> list[list[float]]:
        """When each batch of each rank was done with, in seconds."""
        self.now = self.setting.begin_s
        self.loops = [Loop([Worker() for _ in range(self.setting.num_workers)]) for _ in range(self.setting.ranks)]
        for loop in self.loops:
            for _ in range(self.setting.prefetch_factor * self.setting.num_workers):
                self._give(loop)
        for loop in self.loops:
            self._settle(loop)
        while any(loop.at != "ended" for loop in self.loops):
            self._advance()
        return [loop.ends for loop in self.loops]

    def _advance(self) -> None:
        tasks = [(loop, worker, task) for loop in self.loops for worker, task in _busy(loop)]
        speeds = self._speeds([(task.needs, self._pace(loop, worker)) for loop, worker, task in tasks])
        passed = min(task.left / speed for (*_, task), speed in zip(tasks, speeds, strict=True))
        self.now += passed
        touched = []
        for (loop, worker, task), speed in zip(tasks, speeds, strict=True):
            task.left -= passed * speed
            if task.left <= LEAST:
                self._done(loop, worker)
                touched.append(loop)
        for loop in touched:
            self._settle(loop)

    def _speeds(self, needs: Sequence[tuple[str, float]]) -> list[float]:
        """Of each task, from what it needs and its pace: one that is held up needs less of a CPU."""
        working = sum(pace for need, pace in needs if need in ("cpu", "interpreter"))
        reading = sum(need == "storage" for need, _ in needs)
        cpu = min(1.0, self.setting.cpus / working) if working else 1.0
        storage = self.setting.storage_bytes_per_s / reading if reading else 1.0
        shares = {"time": 1.0, "cpu": cpu, "interpreter": cpu, "storage": storage}
        return [pace * shares[need] for need, pace in needs]

    def _pace(self, loop: Loop, worker: Worker | None) -> float:
        is_held = worker is None and loop.at == "taking" and loop.workers and loop.makers[loop.taking].works
        return self._cost(loop.taking).pace if is_held else 1.0

    def _done(self, loop: Loop, worker: Worker | None) -> None:
        if worker is not None:
            worker.phases.popleft()
            if not worker.phases:
                made = worker.given.popleft()
                loop.makers[made] = worker
                loop.queue.append(made)
        elif loop.at == "taking":
            loop.held.add(loop.taking)
            loop.makers.pop(loop.taking, None)
            loop.at, loop.task = "wanting", Task()
        else:
            loop.free = self.now + (0.0 if self.setting.step_on_cpu else self.setting.step_s)
            loop.ends.append(loop.free)
            loop.next += 1
            loop.at, loop.task = ("ended" if loop.next == self.count else "wanting"), Task()

    def _settle(self, loop: Loop) -> None:
        """Everyone of `loop` who can begin something begins it."""
        self._begin(loop)
        if loop.at == "wanting":
            self._want(loop)

    def _begin(self, loop: Loop) -> None:
        for worker in loop.workers:
            if not worker.phases and worker.given:
                worker.phases.extend(self._phases(worker.given[0]))

    def _want(self, loop: Loop) -> None:
        ready = loop.next if loop.next in loop.held else next(iter(loop.held), None)
        if ready is not None and (ready == loop.next or not self.setting.in_order):
            loop.held.discard(ready)
            self._give(loop)
            self._begin(loop)
            loop.at = "stepping"
            loop.task = self._step(loop)
        elif not loop.workers:
            loop.at, loop.taking = "taking", loop.next
            loop.task = Task(self._cost(loop.next).alone_s + LEAST, "cpu")
        elif loop.queue:
            loop.at, loop.taking = "taking", loop.queue.popleft()
            loop.task = Task(self._cost(loop.taking).take_s + LEAST, "cpu")

    def _step(self, loop: Loop) -> Task:
        """On the CPU, the step itself; else the wait for a device that is busy: then the loop goes on beside it."""
        if self.setting.step_on_cpu:
            return Task(self.setting.step_s + LEAST, "cpu")
        return Task(max(loop.free - self.now, 0.0) + LEAST, "time")

    def _give(self, loop: Loop) -> None:
        """The next batch goes to the next worker in turn or, where order does not matter, to the least busy one."""
        if not loop.workers or loop.drawn >= self.count:
            return
        if self.setting.in_order:
            chosen = loop.workers[loop.turn % len(loop.workers)]
            loop.turn += 1
        else:
            chosen = min(loop.workers, key=lambda worker: len(worker.given))
        chosen.given.append(loop.drawn)
        loop.drawn += 1

    def _phases(self, batch: int) -> list[Task]:
        cost = self._cost(batch)
        wanted = (
            Task(cost.storage_bytes, "storage"),
            Task(cost.read_s, "time"),
            Task(cost.work_s + LEAST, "interpreter"),
            Task(cost.send_s, "cpu"),
        )
        is_bounded = math.isfinite(self.setting.storage_bytes_per_s)
        return [task for task in wanted if task.left > 0 and (task.needs != "storage" or is_bounded)]

    def _cost(self, batch: int) -> Costs:
        return self.costs[batch % len(self.costs)]


def _busy(loop: Loop) -> list[tuple[Worker | None, Task]]:
    found: list[tuple[Worker | None, Task]] = [(worker, worker.phases[0]) for worker in loop.workers if worker.phases]
    if loop.at in ("taking", "stepping"):
        found.append((None, loop.task))
    return found
