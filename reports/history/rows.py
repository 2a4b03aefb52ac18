"""A recorded run as rows of the history's tables."""

import json
import warnings
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from loaderbench.reports.records.files import RecordedRun
from loaderbench.reports.records.schema import SAME_MACHINE, Case, Columns, Missed, Run, Scalar
from loaderbench.reports.vocabulary import STEP_BENCHES, case_identity, quotients

Row = dict[str, object]
Floats = NDArray[np.float64]


def machine_key(machine: Mapping[str, Scalar]) -> str:
    """Return the name of a kind of machine.

    >>> machine_key({"cpu_model": "EPYC", "cpus_affinity": 2, "cpus_quota": 1.5, "node": "runner-7"})
    'EPYC, 2 CPUs, quota 1.5'
    """
    phrases = {"cpus_affinity": "{} CPUs", "cpus_quota": "quota {}"}
    known = [phrases.get(name, "{}").format(machine[name]) for name in SAME_MACHINE if name in machine]
    return _text(", ".join(known) or "machine unknown")


def run_row(run: Run) -> Row:
    """Return a run's row, its key aside."""
    dirty, commit, branch = (run.commit.get(name) for name in ("dirty", "id", "branch"))
    return {
        "id": _text(run.name),
        "started": run.started.isoformat(timespec="seconds") if run.started else "",
        "commit_id": _text(commit) if commit not in {"unknown", "unversioned"} else "",
        "branch": _text(branch) if branch != "(unknown)" else "",
        "dirty": dirty if isinstance(dirty, bool) else None,
        "machine": machine_key(run.machine),
        "machine_json": json.dumps(dict(run.machine)),
        "version": _text(run.version),
        "complete": run.complete,
        "ended": run.ended,
        "path": _text(run.path),
    }


def case_rows(recorded: RecordedRun) -> Iterator[Row]:
    """Yield a row for each case, measured ones first, without the run's key."""
    for place, case in enumerate(recorded.cases):
        measured = {"facts": json.dumps(dict(case.facts)), "status": "measured", "reason": "", "phase": ""}
        yield {"place": place, **_about(case), **measured}
    for place, entry in enumerate(recorded.missed, start=len(recorded.cases)):
        why = {"status": entry.status, "reason": _text(entry.reason), "phase": _text(entry.phase)}
        yield {"place": place, **_about(entry), "facts": "{}", **why}


def _about(entry: Case | Missed) -> Row:
    dataset = entry.settings.get("dataset")
    return {
        "identity": case_identity(entry.bench, entry.settings),
        "name": _text(entry.name),
        "bench": _text(entry.bench),
        "dataset": _text(dataset) if isinstance(dataset, str) else None,
        "settings": json.dumps(dict(entry.settings)),
    }


def metric_rows(recorded: RecordedRun) -> Iterator[Row]:
    """Yield a row for each case and metric of a run, without the run's key: raw rounds, median, quartiles."""
    for place, case in enumerate(recorded.cases):
        derived = dict(_derived(case))
        columns = {**case.rounds, **derived}
        n, quartiles = _summary(np.array(list(columns.values()), dtype=np.float64))
        for metric, count, (low, median, high) in zip(columns, n, quartiles, strict=True):
            raw = metric not in derived
            yield {
                "place": place,
                "metric": _text(metric),
                "n": count,
                "low": _known(low),
                "median": _known(median),
                "high": _known(high),
                "warmup": _bytes(case.warmup, metric) if raw else None,
                "rounds": _bytes(case.rounds, metric) if raw else None,
            }


def _derived(case: Case) -> Iterator[tuple[str, Floats]]:
    """Yield what the vocabulary derives of each round."""
    for name, (amount, per) in quotients().items():
        has_meaning = name != "stall_share" or case.bench in STEP_BENCHES
        if has_meaning and {amount, per} <= set(case.rounds) and name not in case.rounds:
            over = case.rounds[per]
            yield name, np.divide(case.rounds[amount], over, out=np.full(len(over), np.nan), where=over > 0)
    if {"pss_bytes", "base_pss_bytes"} <= set(case.rounds):  # of the same round, as in the summary
        yield "added_pss_bytes", case.rounds["pss_bytes"] - case.rounds["base_pss_bytes"]


def _summary(columns: Floats) -> tuple[list[int], list[list[float]]]:
    """Return for each row (metrics × rounds) the number of its values, and its quartiles."""
    missing = np.isnan(columns)
    quantile = np.nanquantile if missing.any() else np.quantile
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN")
        quartiles = quantile(columns, (0.25, 0.5, 0.75), axis=1)
    return (~missing).sum(axis=1).tolist(), quartiles.T.tolist()


def _known(value: float) -> float | None:
    return value if value == value else None  # noqa: PLR0124 - not NaN


def _bytes(columns: Columns, name: str) -> bytes:
    return columns[name].astype("<f8").tobytes() if name in columns else b""


def _text(value: object) -> str:
    """Return a text that PostgreSQL holds too: it knows no NUL."""
    return "" if value is None else str(value).replace("\0", "\ufffd")
