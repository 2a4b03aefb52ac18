"""What a block leaves: rounds in the order in which they ran, and the cases that were missed, with the reason."""

from typing import Any

from loaderbench.benches.gate.block_record import missed, samples
from loaderbench.benches.gate.case_matching import MatchedCase
from loaderbench.benches.gate.scheduler import BlockSchedule, Turn

CASE = MatchedCase(
    key="epoch[a]", bench="epoch", settings={}, names={"base": "bench_epoch[a]", "head": "bench_epoch[b]"}
)


def schedule(*turns: Turn, **faults: str) -> BlockSchedule:
    return BlockSchedule(cases=(CASE,), turns=turns, faults=faults, telemetry={}, seconds=1.0)


def record(name: str = "", **rounds: list[float]) -> dict[str, Any]:
    entries = [{"name": name, "extra_info": {"rounds": rounds}}] if name else []
    return {"benchmarks": entries, "loaderbench": {}}


def test_each_round_has_its_place_in_the_order_and_its_metrics() -> None:
    turns = [Turn(revision=revision, case=0, round=0, began_s=0.5) for revision in ("head", "base")]
    both = {"base": record("bench_epoch[a]", seconds=[0.1]), "head": record("bench_epoch[b]", seconds=[0.2])}
    result = list(samples(schedule(*turns), both))
    assert [(row["revision"], row["place"], row["seconds"]) for row in result] == [("head", 0, 0.2), ("base", 1, 0.1)]
    assert {row["case"] for row in result} == {"epoch[a]"}


def test_a_round_that_was_granted_and_did_not_end_is_left_out() -> None:
    turn = Turn(revision="base", case=0, round=1, began_s=0.5)
    assert list(samples(schedule(turn), {"base": record("bench_epoch[a]", seconds=[0.1]), "head": {}})) == []


def test_a_missed_case_has_the_reason_of_its_revision() -> None:
    failed = {"benchmarks": [], "loaderbench": {"failed": [{"name": "bench_epoch[b]", "reason": "KeyError: 0"}]}}
    both = {"base": record("bench_epoch[a]", seconds=[0.1]), "head": failed}
    assert list(missed(schedule(), both)) == [
        {"case": "epoch[a]", "revision": "head", "status": "failed", "reason": "KeyError: 0"}
    ]


def test_a_process_that_broke_misses_what_it_did_not_come_to() -> None:
    both = {"base": record("bench_epoch[a]", seconds=[0.1]), "head": {}}
    (result,) = missed(schedule(head="head ended in the middle"), both)
    assert (result["status"], result["reason"]) == ("failed", "head ended in the middle")
