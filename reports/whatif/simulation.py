"""A simulation of a loader, for settings and machines on which it was not run.

A batch costs its worker some reading that needs no CPU and some work that does, and costs the main process some CPU to
take it. Batches are assigned as torch assigns them: to the workers in turn, `prefetch_factor` to each, one more
whenever the loop takes one. Everything that needs a CPU shares the CPUs equally (processor sharing: L. Kleinrock,
J. ACM 14, 1967), and so do all readers the storage.

A batch's tensors are sent by a thread of its worker, which shares an interpreter with the thread that makes batches:
while the worker is making one, its batches are taken more slowly (`speed_while_making`). Processes on all CPUs at once
slow each other (two hyperthreads of a core, memory bandwidth, caches): each goes at the `contended_speed` of its costs
then, and with fewer of them at a speed in between.

Not simulated: threads of native libraries.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

MOST_BATCHES = 200  # that are simulated of a long pass
FEWEST_BATCHES, QUEUES = 100, 6  # of a steady state: the fewest, and a multiple of the batches in flight
WARM_UP = 0.25  # of the simulated batches: they fill the queues
EPSILON_S = 1e-12

Need = Literal["cpu", "interpreter", "storage", "time", "nothing"]  # an interpreter needs a CPU too


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What one batch costs, in seconds with nothing else running."""

    read_s: float = 0.0  # of a worker, without a CPU
    work_s: float = 0.0  # of a worker's CPU: fetching, collating
    send_s: float = 0.0  # of a worker's CPU: pickling, its loop
    take_s: float = 0.0  # of the main process's CPU: unpickling, its loop, while the batch's worker is idle
    speed_while_making: float = 1.0  # of taking it while that worker makes another one: a share of the speed
    alone_s: float = 0.0  # of the main process, all together, where there are no workers
    contended_speed: float = 1.0  # of what needs a CPU, while all CPUs are busy: a share of the speed of one alone
    storage_bytes: float = 0.0  # read from storage that all share

    def __post_init__(self) -> None:
        for name in ("speed_while_making", "contended_speed"):
            if not 0 < (value := getattr(self, name)) <= 1:
                raise ValueError(f"{name} must be in (0, 1], got {value}")


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Loaders and a machine: `ranks` processes, each with a device of its own and a loader like this."""

    num_workers: int
    cpus: float
    prefetch_factor: int = 2
    step_s: float = 0.0
    step_on_cpu: bool = False  # False: a device takes the step while the loop goes on
    in_order: bool = True
    ranks: int = 1
    begin_s: float = 0.0  # from iter(loader) until its workers begin
    storage_bytes_per_s: float | None = None  # None: the storage is no limit

    def __post_init__(self) -> None:
        for name, least in (("num_workers", 0), ("ranks", 1), ("prefetch_factor", 1), ("step_s", 0)):
            if (value := getattr(self, name)) < least:
                raise ValueError(f"{name} must be >= {least}, got {value}")
        if not self.cpus > 0:
            raise ValueError(f"cpus must be > 0, got {self.cpus}")


@dataclass(slots=True)
class Activity:
    """What a process is doing: how much of it is left, and what it needs."""

    left: float = 0.0
    needs: Need = "nothing"


@dataclass(slots=True)
class SimulatedWorker:
    """A worker: the batches assigned to it, and what is left of the first of them."""

    batches: deque[int] = field(default_factory=deque)
    activities: deque[Activity] = field(default_factory=deque)

    @property
    def is_making(self) -> bool:
        """Return whether its interpreter is in use."""
        return bool(self.activities) and self.activities[0].needs == "interpreter"


@dataclass(slots=True)
class SimulatedRank:
    """The main process of a rank: its workers, the batches on their way, and where its loop is."""

    workers: list[SimulatedWorker]
    sent: deque[int] = field(default_factory=deque)  # by workers, and not taken yet
    taken: set[int] = field(default_factory=set)  # and not delivered yet: an earlier one is missing
    makers: dict[int, SimulatedWorker] = field(default_factory=dict)  # of the batches in `sent`
    next_batch: int = 0  # that the loop needs
    assigned: int = 0  # batches, to workers
    turn: int = 0  # of the workers
    state: Literal["waiting", "taking", "stepping", "ended"] = "waiting"
    taking: int = -1  # the batch
    activity: Activity = field(default_factory=Activity)
    device_free_s: float = 0.0  # when the device has done every step that it was given
    ends_s: list[float] = field(default_factory=list)  # of the steps


def pass_seconds(costs: Sequence[Costs], scenario: Scenario, batches: int) -> float:
    """Return the seconds of a pass of `batches` batches, workers running; batch i costs ``costs[i % len(costs)]``.

    Of a long pass `MOST_BATCHES` are simulated; the others come at the rate of the later part of these.
    """
    simulated = min(batches, MOST_BATCHES)
    ranks = Simulation(costs=costs, scenario=scenario, batches=simulated).run()
    return max(
        ends_s[-1] + (batches - simulated) * (_steady_s(ends_s) if batches > simulated else 0) for ends_s in ranks
    )


def batch_seconds(costs: Sequence[Costs], scenario: Scenario) -> float:
    """Return the seconds from batch to batch of one rank in a long pass, without its beginning."""
    batches = max(FEWEST_BATCHES, QUEUES * scenario.num_workers * scenario.prefetch_factor)
    ranks = Simulation(costs=costs, scenario=scenario, batches=batches).run()
    return sum(map(_steady_s, ranks)) / len(ranks)


def _steady_s(ends_s: Sequence[float]) -> float:
    """Return the seconds from step to step after the warm-up."""
    first = int(WARM_UP * len(ends_s))
    return (ends_s[-1] - ends_s[first]) / (len(ends_s) - 1 - first)


@dataclass(kw_only=True)
class Simulation:
    """A pass of `batches` batches on each rank, beginning with empty queues."""

    costs: Sequence[Costs]
    scenario: Scenario
    batches: int
    now_s: float = 0.0  # since iter(loader)

    def run(self) -> list[list[float]]:
        """Return when the step of each batch ended, in seconds, for each rank."""
        scenario = self.scenario
        self.now_s = scenario.begin_s
        self.ranks = [
            SimulatedRank([SimulatedWorker() for _ in range(scenario.num_workers)]) for _ in range(scenario.ranks)
        ]
        for rank in self.ranks:
            for _ in range(scenario.prefetch_factor * scenario.num_workers):
                self._assign(rank)
            self._begin(rank)
        while any(rank.state != "ended" for rank in self.ranks):
            self._advance()
        return [rank.ends_s for rank in self.ranks]

    def _advance(self) -> None:
        """Go on to the moment at which the first of all activities ends."""
        busy = [(rank, worker, activity) for rank in self.ranks for worker, activity in _activities(rank)]
        speeds = self._speeds([(activity.needs, self._pace(rank, worker)) for rank, worker, activity in busy])
        passed_s = min(activity.left / speed for (*_, activity), speed in zip(busy, speeds, strict=True))
        self.now_s += passed_s
        changed = []
        for (rank, worker, activity), speed in zip(busy, speeds, strict=True):
            activity.left -= passed_s * speed
            if activity.left <= EPSILON_S:
                self._end(rank, worker)
                changed.append(rank)
        for rank in changed:
            self._begin(rank)

    def _speeds(self, needs: Sequence[tuple[Need, float]]) -> list[float]:
        """Return the speed of each activity by what it needs and its pace; a slower one needs less of a CPU."""
        working = sum(pace for need, pace in needs if need in ("cpu", "interpreter"))
        reading = sum(need == "storage" for need, _ in needs)
        cpu = min(1.0, self.scenario.cpus / working) * self._crowded(working) if working else 1.0
        storage = (self.scenario.storage_bytes_per_s or math.inf) / reading if reading else 1.0
        shares = {"time": 1.0, "cpu": cpu, "interpreter": cpu, "storage": storage}
        return [pace * shares[need] for need, pace in needs]

    def _crowded(self, working: float) -> float:
        """Return the speed of a process beside others: from 1 alone to `contended_speed` with one on each CPU."""
        others = self.scenario.cpus - 1
        share = min(1.0, max(0.0, working - 1) / others) if others > 0 else 0.0
        return 1 - (1 - self.costs[0].contended_speed) * share

    def _pace(self, rank: SimulatedRank, worker: SimulatedWorker | None) -> float:
        is_slowed = worker is None and rank.state == "taking" and rank.workers and rank.makers[rank.taking].is_making
        return self._costs(rank.taking).speed_while_making if is_slowed else 1.0

    def _end(self, rank: SimulatedRank, worker: SimulatedWorker | None) -> None:
        """End the activity of a worker, or of the loop."""
        if worker is not None:
            worker.activities.popleft()
            if not worker.activities:
                batch = worker.batches.popleft()
                rank.makers[batch] = worker
                rank.sent.append(batch)
        elif rank.state == "taking":
            rank.taken.add(rank.taking)
            rank.makers.pop(rank.taking, None)
            rank.state, rank.activity = "waiting", Activity()
        else:
            rank.device_free_s = self.now_s + (0.0 if self.scenario.step_on_cpu else self.scenario.step_s)
            rank.ends_s.append(rank.device_free_s)
            rank.next_batch += 1
            rank.state = "ended" if rank.next_batch == self.batches else "waiting"
            rank.activity = Activity()

    def _begin(self, rank: SimulatedRank) -> None:
        """Let every process of `rank` that is idle begin what it can."""
        self._begin_batches(rank)
        if rank.state == "waiting":
            self._begin_taking_or_stepping(rank)

    def _begin_batches(self, rank: SimulatedRank) -> None:
        for worker in rank.workers:
            if not worker.activities and worker.batches:
                worker.activities.extend(self._making(worker.batches[0]))

    def _begin_taking_or_stepping(self, rank: SimulatedRank) -> None:
        batch = rank.next_batch if rank.next_batch in rank.taken else next(iter(rank.taken), None)
        if batch is not None and (batch == rank.next_batch or not self.scenario.in_order):
            rank.taken.discard(batch)
            self._assign(rank)
            self._begin_batches(rank)
            rank.state, rank.activity = "stepping", self._step(rank)
        elif not rank.workers:
            rank.state, rank.taking = "taking", rank.next_batch
            rank.activity = Activity(self._costs(rank.taking).alone_s + EPSILON_S, "cpu")
        elif rank.sent:
            rank.state, rank.taking = "taking", rank.sent.popleft()
            rank.activity = Activity(self._costs(rank.taking).take_s + EPSILON_S, "cpu")

    def _step(self, rank: SimulatedRank) -> Activity:
        """Return the step on the CPU, or the wait until the device, which takes the step beside the loop, is free."""
        if self.scenario.step_on_cpu:
            return Activity(self.scenario.step_s + EPSILON_S, "cpu")
        return Activity(max(rank.device_free_s - self.now_s, 0.0) + EPSILON_S, "time")

    def _assign(self, rank: SimulatedRank) -> None:
        """Assign the next batch to the next worker in turn; without order, to the one with the fewest batches."""
        if not rank.workers or rank.assigned >= self.batches:
            return
        if self.scenario.in_order:
            worker = rank.workers[rank.turn % len(rank.workers)]
            rank.turn += 1
        else:
            worker = min(rank.workers, key=lambda worker: len(worker.batches))
        worker.batches.append(rank.assigned)
        rank.assigned += 1

    def _making(self, batch: int) -> list[Activity]:
        """Return the activities of a worker that makes a batch."""
        costs = self._costs(batch)
        read_bytes = costs.storage_bytes if self.scenario.storage_bytes_per_s else 0.0
        activities = (
            Activity(read_bytes, "storage"),
            Activity(costs.read_s, "time"),
            Activity(costs.work_s + EPSILON_S, "interpreter"),
            Activity(costs.send_s, "cpu"),
        )
        return [activity for activity in activities if activity.left > 0]

    def _costs(self, batch: int) -> Costs:
        return self.costs[batch % len(self.costs)]


def _activities(rank: SimulatedRank) -> list[tuple[SimulatedWorker | None, Activity]]:
    """Return what the processes of a rank are doing: its workers, then its main process (None)."""
    activities: list[tuple[SimulatedWorker | None, Activity]] = [
        (worker, worker.activities[0]) for worker in rank.workers if worker.activities
    ]
    if rank.state in ("taking", "stepping"):
        activities.append((None, rank.activity))
    return activities
