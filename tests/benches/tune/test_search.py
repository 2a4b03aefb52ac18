"""The search with made-up trials: it goes on when one is lost, keeps limits, starts from earlier trials."""

import os
import random
import signal
from collections.abc import Callable
from time import monotonic

import pytest
from torch.utils.data import default_collate

from loaderbench.benches.harness.loading.first_batch import loader_config
from loaderbench.benches.harness.loading.subject import subject_of
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.benches.tune import measuring
from loaderbench.benches.tune import search as searching
from loaderbench.benches.tune.factors import Feasible, torchs_values
from loaderbench.benches.tune.passes import Passes
from loaderbench.benches.tune.search import Search
from loaderbench.benches.tune.space import Space, TunedLoader
from loaderbench.benches.tune.trial import TrialTimes
from loaderbench.reports.check.preflight import Demand
from loaderbench.reports.tune.race import Race
from loaderbench.reports.tune.tune_record import Trial, TuneLimits

Made = Callable[..., Space]
DEMAND = Demand(
    num_workers=2, prefetch_factor=2, start_method="fork", storages=1, storage_bytes=1000, pickled_bytes=10,
    pickle_error=None,
)  # fmt: skip


def made_up(space: Space, limit: TuneLimits | None = None) -> Search:
    """A search that nothing was measured of; its user's own setting has two workers."""
    subject = subject_of(list(range(64)))
    own = {**space.usual, "num_workers": 2}
    baselines = (torchs_values(own), own)
    feasible = Feasible(
        subject=subject,
        config=loader_config(num_workers=1, batch_size=8, collate_fn=default_collate),
        demand=DEMAND,
        dtypes=1,
        limit=limit or TuneLimits(),
        cpus=2,
    )
    return Search(
        space=space,
        fault=feasible.fault,
        limit=feasible.limit,
        passes=Passes(batches=8, batch_samples=8, batch_s=0.001, samples=64, usual_size=8, cpus=2),
        objective="epoch",
        race=Race(
            budget_s=1000.0,
            rng=random.Random(1),
            baselines=frozenset(space.candidate(values).name for values in baselines),
        ),
        baselines=baselines,
        own=own,
    )


def times(epoch_s: float, pss_bytes: float = 1e8) -> TrialTimes:
    return TrialTimes(
        epoch_s=epoch_s, sample_s=epoch_s / 64, first_batch_s=0.01, cpu_s=epoch_s, pss_bytes=pss_bytes, shm_bytes=0.0,
        passes=1,
    )  # fmt: skip


def run(search: Search, monkeypatch: pytest.MonkeyPatch, cost: Callable[[TunedLoader], TrialTimes]) -> None:
    """Run it where a trial takes no time and shows what `cost` says."""
    rng = random.Random(2)

    def shown(one: TunedLoader, _: int) -> TrialTimes:
        made = cost(one)
        return times(made.epoch_s * rng.gauss(1, 0.005), made.pss_bytes)

    monkeypatch.setattr(measuring, "in_child", lambda work, **_: work())
    progress = Progress.of_budget(1000.0, is_live=False)
    measuring.measure(search, shown, began=monotonic(), interruption=Interruption(), progress=progress)


def divided(one: TunedLoader) -> TrialTimes:
    """Workers divide the work, up to two; packing saves a third, and starting them costs."""
    values = one.values
    epoch_s = 1.0 if not values["num_workers"] else 1.1 / min(2, values["num_workers"])
    packed = 0.67 if values["collate_fn"] == "packed" else 1.0
    return times(epoch_s * packed + (0.0 if values["persistent_workers"] else 0.2 * values["num_workers"]))


def test_the_best_combination_is_reached_by_what_helps_one_at_a_time(
    space: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = made_up(space())
    search.start()
    run(search, monkeypatch, divided)
    assert search.race.recommended == ("workers=2 · persistent · packed", True)
    assert search.race.ending == "decided"
    tried = {one.name: one for one in search.tried()}
    assert "collate_fn=Packed(default_collate)" in tried["workers=2 · persistent · packed"].call
    for baseline in ("workers=0", "workers=2"):  # torch's defaults, and the user's own setting
        assert search.race.costs.common(baseline, "workers=2 · persistent · packed") >= 3


def test_a_trial_that_is_killed_is_lost_and_the_search_goes_on(space: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(one: TunedLoader) -> TrialTimes:
        if one.values["collate_fn"] == "packed":
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed")
        return divided(one)

    search = made_up(space())
    search.start()
    run(search, monkeypatch, cost)
    assert search.race.recommended == ("workers=2 · persistent", True)
    lost = [one for one in search.tried() if one.status == "lost"]
    assert lost
    assert "Killed" in lost[0].reason


def test_what_takes_more_memory_than_allowed_is_never_recommended(space: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    search = made_up(space(), TuneLimits(memory_bytes=2e8))
    search.start()
    run(search, monkeypatch, lambda one: times(divided(one).epoch_s, 1e8 * (1 + one.values["num_workers"])))
    assert search.race.recommended is not None
    assert search.space.known[search.race.recommended[0]].values["num_workers"] < 2
    assert any("more than --max-memory" in one.reason for one in search.tried())


def test_what_check_refuses_is_not_tried(space: Made) -> None:
    search = made_up(space(), TuneLimits(workers=2))
    search.start()
    assert [one.name for one in search.ruled_out] == ["workers=4 · persistent"]
    assert "workers=4 · persistent" not in search.race.settings


def test_a_baseline_that_is_not_allowed_is_compared_and_never_recommended(
    space: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = made_up(space(choices={"num_workers": [4]}, fixed={"num_workers": 4}))
    search.start()
    run(search, monkeypatch, lambda one: times(1.0 + one.values["num_workers"]))
    assert search.race.recommended is not None
    assert search.race.recommended[0].startswith("workers=4")
    assert search.race.status["workers=0"] == "compared"


def test_a_search_starts_from_the_trials_of_an_earlier_one(space: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made_up(space())
    first.start()
    run(first, monkeypatch, divided)
    earlier = [(one.values, [trial for trial in first.trials if trial.setting == one.name]) for one in first.tried()]
    second = made_up(space())
    pinned = {**earlier[0][0], "pin_memory": True}  # as an accelerator allowed it then
    assert second.start([*earlier, (pinned, earlier[0][1])]) == len(first.trials)
    run(second, monkeypatch, divided)
    assert second.race.recommended == first.race.recommended
    assert len(second.trials) - len(first.trials) < len(first.trials) / 2


def test_an_earlier_trial_above_a_limit_of_now_loses_its_setting(space: Made) -> None:
    first = made_up(space())
    values = [first.space.candidate({**first.own, "num_workers": workers}).values for workers in (0, 2)]
    small, large = (
        Trial(setting="", block=1, seconds=1.0, **{part: getattr(shown, part) for part in TrialTimes.__slots__})
        for shown in (times(10.0, 1e8), times(1.0, 3e8))
    )
    search = made_up(space(), TuneLimits(memory_bytes=2e8))
    assert search.start([(values[0], [small]), (values[1], [large])]) == 2
    assert search.race.recommended == ("workers=0", True)
    assert "more than --max-memory" in search.race.reasons["workers=2"]


def test_what_there_is_no_time_for_is_named(space: Made) -> None:
    search = made_up(space())
    search.start()
    while not search.race.costs.logs or not search.race.is_between_blocks:
        name = search.race.next(0.0)
        assert name is not None
        search.race.measured(name, divided(search.space.known[name]).epoch_s, 1.0)
    assert not search._join_further(spent_s=search.race.budget_s)
    assert {one.reason for one in search.not_tried()} == {searching.NO_TIME}
    left_out = {one.name for one in search.not_tried()}
    assert search._join_further(spent_s=0.0)
    assert left_out <= search.race.settings.keys()


def test_ctrl_c_keeps_what_was_measured(space: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    search = made_up(space())
    search.start()
    measured: list[str] = []

    def cost(one: TunedLoader) -> TrialTimes:
        measured.append(one.name)
        if len(measured) > 6:
            raise KeyboardInterrupt
        return divided(one)

    with pytest.raises(KeyboardInterrupt):
        run(search, monkeypatch, cost)
    assert len(search.trials) == 6
    assert search.race.recommended is not None
    assert {one.name for one in search.tried()} == set(measured[:6])
    assert {one.name for one in search.not_tried()} == search.race.settings.keys() - set(measured[:6])


def test_a_process_that_is_killed_or_out_of_memory_is_a_lost_trial(
    space: Made, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    """Each trial has a real process here."""
    monkeypatch.setattr(measuring, "LEAST_PATIENCE_S", 1000.0)
    single = {name: values[:1] for name, values in space().choices.items()}
    search = made_up(space(choices={**single, "num_workers": [0, 2], "persistent_workers": [False, True]}))
    search.start()

    def read(one: TunedLoader, _: int) -> TrialTimes:
        if one.values["persistent_workers"]:
            os.kill(os.getpid(), signal.SIGKILL)
        if one.values["num_workers"]:
            raise MemoryError("cannot allocate 9 GB")
        return times(1.0)

    progress = Progress.of_budget(1000.0, is_live=False)
    measuring.measure(search, read, began=monotonic(), interruption=Interruption(), progress=progress)
    assert search.race.recommended == ("workers=0", True)
    lost = {one.name: one.reason for one in search.tried() if one.status == "lost"}
    assert "SIGKILL" in lost["workers=2 · persistent"]
    assert "cannot allocate 9 GB" in lost["workers=2"]
