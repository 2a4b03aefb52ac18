"""What was seen, as records: ``watch.json`` with every step, and ``run.json`` as every other run has it."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from math import isnan
from pathlib import Path
from typing import Any

import msgspec

from loaderbench.benches.harness.measuring.work import columns
from loaderbench.benches.harness.session.record import Entry, dumps, new_run
from loaderbench.benches.watch.observing.recorder import WatchRecorder
from loaderbench.benches.watch.observing.stages import Row, rows_of
from loaderbench.benches.watch.observing.traces import EpochTrace, LoaderTrace
from loaderbench.reports.records.schema import RECORD, SCHEMA
from loaderbench.reports.vocabulary import SETTINGS
from loaderbench.reports.watch.rounds import rounds_of
from loaderbench.reports.watch.watch_record import MadeBatch, Watched, WatchedEpoch, WatchedLoader

DIGITS = 7  # of a time in seconds
BENCH = "watch"
# What torch makes by default, by the names of the vocabulary.
DEFAULTS = {f"torch.utils.data._utils.collate:default_{name}": "default" for name in ("collate", "convert")}
SAMPLING = {
    "torch.utils.data.sampler:RandomSampler": "shuffle",
    "torch.utils.data.sampler:SequentialSampler": "sequential",
}


def watched_record(recorder: WatchRecorder, *, seconds: float, facts: Mapping[str, Any]) -> Watched:
    """Return what has been seen so far; `facts` are the record's other fields."""
    recorder.device_waits.settle()
    made = _made_by_workers(recorder.folder)
    return Watched(
        schema=Watched.SCHEMA,
        version=version("loaderbench"),
        seconds=round(seconds, DIGITS),
        loaders=tuple(_loader(trace, recorder.began, made) for trace in (*recorder.loaders, *recorder.unread())),
        memory=tuple((round(at - recorder.began, DIGITS), size) for at, size in recorder.memory),
        **facts,
    )


def _made_by_workers(folder: Path) -> dict[int, list[Row]]:
    return {int(file.stem): rows_of(file) for file in folder.glob("*.bin") if file.stem.isdecimal()}


def _loader(trace: LoaderTrace, began: float, made: Mapping[int, list[Row]]) -> WatchedLoader:
    facts = dict(trace.facts)
    return WatchedLoader(
        name=trace.name,
        kind=facts.pop("kind", "iterable"),
        dataset=facts.pop("dataset", ""),
        facts=facts,
        epochs=tuple(_epoch(epoch, began) for epoch in trace.epochs),
        made=tuple(
            _batch(number, row, began) for number, epoch in enumerate(trace.epochs) for row in epoch.workers_made(made)
        ),
        steps=trace.steps,
        loaders=trace.loaders,
        failure=trace.failure,
    )


def _batch(epoch: int, row: Row, began: float) -> MadeBatch:
    _, task, fetching, fetched, collated, cpu_s, samples, costliest, costliest_s = row
    fetching, fetched, collated = (round(time - began, DIGITS) for time in (fetching, fetched, collated))
    cpu_s, costliest_s = round(cpu_s, DIGITS), round(costliest_s, DIGITS)
    return MadeBatch(epoch, task, fetching, fetched, collated, cpu_s, samples, costliest, costliest_s)


def _epoch(epoch: EpochTrace, began: float) -> WatchedEpoch:
    def since(times: Any) -> tuple[float, ...]:
        return tuple(round(time - began, DIGITS) for time in times)

    steps = len(epoch.received)
    ended = since(epoch.ended) if epoch.ended else None
    return WatchedEpoch(
        began_s=round(epoch.began - began, DIGITS),
        started_s=round(epoch.started - began, DIGITS),
        requested_s=since(epoch.requested[:steps]),
        received_s=since(epoch.received),
        idle_s=tuple(None if isnan(seconds) else round(seconds, DIGITS) for seconds in epoch.idle[:steps]),
        own_work=tuple((step, round(seconds, DIGITS)) for step, seconds in epoch.own_work),
        ended_s=(ended[0], ended[1]) if ended else None,
    )


def files_of(watched: Watched) -> Iterator[tuple[str, bytes]]:
    """Yield the two records, by the names of their files."""
    yield Watched.file_name(), msgspec.json.encode(watched)
    yield RECORD, dumps(run_of(watched)).encode()


def run_of(watched: Watched) -> Entry:
    """Return a run in which each loader that was read is a case."""
    cases: dict[str, Entry] = {}
    for loader in watched.loaders:
        if rounds := rounds_of(loader):
            case = _case(watched, loader, columns(rounds), cases)
            cases[case["name"]] = case
    return {
        "machine_info": {},
        "commit_info": {},
        "datetime": watched.started,
        "version": watched.version,
        "benchmarks": list(cases.values()),
        "loaderbench": {
            "schema": SCHEMA,
            "run": new_run(),
            "version": watched.version,
            "started": watched.started,
            "finished": None,
            "complete": watched.ending in {"finished", "stopped"},
            "planned": len(cases),
            "order": list(cases),
            "command": list(watched.command),
            "machine": watched.machine,
            "failed": [],
            "skipped": [],
        },
    }


def _case(watched: Watched, loader: WatchedLoader, rounds: Mapping[str, Any], others: Mapping[str, Entry]) -> Entry:
    settings = {name: loader.facts[name] for name in SETTINGS if loader.facts.get(name) not in {None, ""}}
    settings["collate_fn"] = DEFAULTS.get(settings.get("collate_fn", ""), settings.get("collate_fn"))
    if sampling := SAMPLING.get(settings.get("sampler", "")):
        settings |= {"sampler": None, "sampling": sampling}
    settings |= {"dataset": loader.dataset or loader.name, "device": watched.device, "script": watched.script}
    name = f"bench_{BENCH}[{loader.dataset or loader.name}-{loader.facts.get('num_workers', 0)}]"
    same = sum(1 for other in others if other.startswith(name))
    if same:
        settings["loader"] = same + 1
        name = f"{name}-{same + 1}"
    return {
        "group": BENCH,
        "name": name,
        "fullname": f"{watched.script}::{name}",
        "params": settings,
        "stats": {},
        "extra_info": {
            "bench": BENCH,
            "settings": settings,
            "facts": {"made_at": loader.name, "rank": watched.rank, "world_size": watched.world_size},
            "rounds": rounds,
        },
    }
