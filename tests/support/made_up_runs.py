"""A small model of loaders, which writes run files as the harness does: seeded, with a truth that is known."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loaderbench.reports.documents.report.report_document import Report, assemble
from loaderbench.reports.records.frame import Records, read_records
from loaderbench.reports.records.schema import SCHEMA
from loaderbench.reports.stats.summary import summarise

Document = dict[str, Any]
Settings = dict[str, Any]

# Seconds to make one sample, seconds of a step for one sample.
COSTS = {"images": (2.4e-3, 0.5e-3), "text": (6e-5, 4e-5), "tokens": (2e-5, 1.5e-4), "table": (8e-6, 2e-5)}
CPUS = 8
TRANSPORT_S = 4e-4  # of one batch, from a worker to the main process
PASS_S = 0.3
QUANTILES = {
    "wait_p05_s": 0.05,
    "wait_p25_s": 0.3,
    "wait_p50_s": 0.6,
    "wait_p75_s": 1.2,
    "wait_p95_s": 3.5,
    "wait_max_s": 9,
}
MACHINE = {
    "node": "synthetic", "system": "Linux 6.18", "cpu_model": "Imaginary 8-Core", "cpus": CPUS, "cpus_affinity": CPUS,
    "cpus_quota": None, "memory_bytes": 33_554_432_000, "shm_bytes": 16_777_216_000, "python": "3.13.1",
    "torch": "2.13.0", "start_method": "fork", "accelerator": None,
}  # fmt: skip
GPU = {"type": "cuda", "name": "Imaginary H100", "cuda": "13.0", "driver": "580.1", "memory_bytes": 85_899_345_920}


class Synthetic:
    """Makes the documents of runs that never were. Equal seeds give equal documents."""

    def __init__(self, seed: int = 0, noise: float = 0.03) -> None:
        self.random = np.random.default_rng(seed)
        self.noise = noise

    def loader_rate(self, settings: Settings) -> float:
        """Samples per second: workers share the work, transport costs time for each batch, pinning pays on CUDA."""
        make_s, _ = COSTS[settings["dataset"]]
        workers, batch = settings["num_workers"], settings["batch_size"]
        seconds = make_s if workers == 0 else max(make_s / min(workers, CPUS) * 1.05, TRANSPORT_S / batch)
        seconds += 2e-5 / batch
        factor = {"pack": 1.12, "stack_into": 1.05}.get(settings.get("collate_fn", ""), 1.0)
        factor *= 1.08 if settings.get("pin_memory") else 1.0
        return factor / seconds

    def around(self, value: float, rounds: int) -> list[float]:
        return (value * np.exp(self.random.normal(0, self.noise, rounds))).tolist()

    def reading(self, settings: Settings, rounds: int) -> dict[str, list[float]]:
        rate = self.loader_rate(settings)
        samples = max(settings["batch_size"], int(rate * PASS_S))
        waits = [samples / rate * 0.97] * rounds
        return self.passes(settings, rate, samples, waits, rounds)

    def passes(self, settings: Settings, rate: float, samples: int, waits: list[float], rounds: int) -> dict[str, Any]:
        batches = max(1, samples // settings["batch_size"])
        wait = waits[0] / batches
        return {
            "seconds": self.around(samples / rate, rounds),
            "samples": [samples] * rounds,
            "batches": [batches] * rounds,
            "first_batch_s": self.around(3 * wait, rounds),
            "wait_s": waits,
            **{name: self.around(wait * factor, rounds) for name, factor in QUANTILES.items()},
            "cpu_s": self.around(samples * COSTS[settings["dataset"]][0], rounds),
        }

    def training(self, settings: Settings, rounds: int) -> dict[str, list[float]]:
        loader, step = self.loader_rate(settings), 1 / COSTS[settings["dataset"]][1]
        both = 1 / (1 / loader + 1 / step) if settings["num_workers"] == 0 else 0.97 * min(loader, step)
        samples = max(settings["batch_size"], int(both * PASS_S))
        waits = self.around(samples * (1 / both - 1 / step) + 1e-4, rounds)
        alone = {"loader": loader, "step": step}
        return {
            **self.passes(settings, both, samples, waits, rounds),
            **{f"{name}_seconds": self.around(samples / rate, rounds) for name, rate in alone.items()},
            **{f"{name}_samples": [samples] * rounds for name in alone},
        }

    def startup(self, settings: Settings, rounds: int) -> dict[str, list[float]]:
        start = {"fork": 0.04, "forkserver": 0.9, "spawn": 2.1}[settings["start_method"]]
        again = 0.006 if settings["persistent_workers"] else start
        parts = {
            "start_s": 0.3 * start,
            "first_batch_s": start,
            "next_first_batch_s": again,
            "shutdown_s": 0.12 * start,
        }
        columns = {name: self.around(value, rounds) for name, value in parts.items()}
        return {"seconds": self.around(sum(parts.values()), rounds), **columns}

    def breakdown(self, settings: Settings, rounds: int) -> dict[str, list[float]]:
        shares = {"begin": 0.05, "fetch": 0.5, "collate": 0.15, "transport": 0.25, "pin": 0.0, "loop": 0.04}
        columns = {f"wait_{name}_s": [0.2 * share] * rounds for name, share in shares.items()}
        passes = {
            "dataset_only_s": [0.25] * rounds,
            "with_collate_s": [0.3] * rounds,
            "with_workers_s": [0.15] * rounds,
        }
        if settings["device"] == "cuda":
            passes |= {"with_transport_s": [0.18] * rounds, "copy_s": [0.02] * rounds}
        return {"seconds": [0.2] * rounds, **columns, **passes, "unexplained": [0.01] * rounds}

    def startup_payload(self, settings: Settings, rounds: int) -> dict[str, list[float]]:
        sent = 0.0 if settings["start_method"] == "fork" else settings["payload_mb"] / 1000
        parts = {
            "queues_s": 0.01, "pickle_s": sent, "process_s": 0.03, "main_s": sent, "imports_s": 20 * sent,
            "unpickle_s": sent, "init_s": 0.001,
            "first_fetch_s": 0.001, "deliver_s": 0.001,
        }  # fmt: skip
        columns = {name: self.around(value, rounds) for name, value in parts.items()}
        whole = [sum(values) for values in zip(*columns.values(), strict=True)]
        return {"seconds": whole, "first_batch_s": whole, "start_s": whole, "shutdown_s": whole, **columns}

    def memory(self, settings: Settings, rounds: int) -> dict[str, list[float]]:
        workers, batch = settings["num_workers"], settings["batch_size"]
        pss = 4e8 + workers * (9e7 + 2e5 * batch)
        sizes = {"pss_bytes": pss, "uss_bytes": 0.9 * pss, "base_pss_bytes": 4e8, "shm_bytes": 2e5 * batch * workers}
        columns = {name: self.around(value, rounds) for name, value in sizes.items()}
        return {"seconds": [1.0] * rounds, **columns}

    def transfer(self, settings: Settings, rounds: int) -> dict[str, list[float]]:
        peak = 24e9 if settings["pin_memory"] else 6e9
        size = batch_bytes(settings)
        return {"seconds": self.around(16 * (size / peak + 1e-5), rounds), "bytes": [16.0 * size] * rounds}

    def fidelity(self, _: Settings, rounds: int) -> dict[str, list[float]]:
        return {"seconds": [0.3] * rounds, "truth": [0.3] * rounds, "measured": self.around(0.302, rounds)}

    def case(self, bench: str, settings: Settings, rounds: int) -> Document:
        make: Mapping[str, Callable[..., dict[str, list[float]]]] = {
            "epoch": self.reading, "sampling": self.reading, "training": self.training, "startup": self.startup,
            "breakdown": self.breakdown, "startup_payload": self.startup_payload,
            "memory": self.memory, "transfer": self.transfer, "fidelity": self.fidelity,
        }  # fmt: skip
        columns = make[bench](settings, rounds + 1)
        name = f"bench_{bench}[{'-'.join(f'{key}={value}' for key, value in settings.items())}]"
        extra = {
            "bench": bench,
            "settings": settings,
            "facts": {"passes": 1, "steady": True, "unit": "s", "batch_bytes": batch_bytes(settings)},
            "warmup": {key: values[:1] for key, values in columns.items()},
            "rounds": {key: values[1:] for key, values in columns.items()},
        }
        if bench == "breakdown":
            extra["slowest"] = [{"index": 40 + place, "seconds": 0.1 / place, "share": 0.4 / place} for place in (1, 2)]
        stats = {"data": extra["rounds"]["seconds"], "rounds": rounds}
        return {"group": bench, "name": name, "fullname": name, "params": settings, "extra_info": extra, "stats": stats}

    def document(self, cases: list[Document], **block: Any) -> Document:
        machine = {**MACHINE, **block.pop("machine", {})}
        ours = {
            "schema": SCHEMA, "run": "20261123T234943Z-1a2b3c4d", "version": "0.1.0",
            "started": "2026-11-23T23:49:43+00:00", "finished": "2026-11-23T23:59:43+00:00", "complete": True,
            "planned": len(cases), "seed": 0,
            "order": [case["name"] for case in cases], "command": ["--quick"], "machine": machine,
            "failed": [], "skipped": [], **block,
        }  # fmt: skip
        commit = {"id": "0123456789abcdef", "branch": "main", "dirty": False, "project": "loaderbench"}
        return {
            "machine_info": {}, "commit_info": commit, "datetime": ours["started"], "version": "5.3.1",
            "loaderbench": ours, "benchmarks": cases,
        }  # fmt: skip

    def run(self, rounds: int = 5, *, device: str = "cpu", **block: Any) -> Document:
        """Every bench, about a hundred cases."""
        cases = [self.case(bench, settings, rounds) for bench, settings in islice(grid(device), 400)]
        machine = {"accelerator": GPU if device != "cpu" else None, **block.pop("machine", {})}
        return self.document(cases, machine=machine, **block)

    def epochs(self, number: int, rounds: int) -> Document:
        """As many cases as asked for: epoch and training over a wide grid."""
        return self.document([self.case(bench, settings, rounds) for bench, settings in islice(wide(), number)])


def batch_bytes(settings: Settings) -> int:
    return 37_632 * settings.get("batch_size", 32)


def settings_of(device: str, dataset: str, workers: int, batch: int, **more: Any) -> Settings:
    idle = workers == 0
    return {
        "dataset": dataset, "device": device, "num_workers": workers, "batch_size": batch, "collate_fn": "default",
        "pin_memory": False, "prefetch_factor": None if idle else 2, "persistent_workers": not idle,
        "start_method": None if idle else "fork", **more,
    }  # fmt: skip


def grid(device: str) -> Iterator[tuple[str, Settings]]:
    pinned = (False, True) if device != "cpu" else (False,)
    for dataset, workers, batch, pin in product(("images", "text", "tokens"), (0, 1, 2, 4, 8), (32, 256), pinned):
        yield "epoch", settings_of(device, dataset, workers, batch, pin_memory=pin)
        if dataset == "text":
            yield "epoch", settings_of(device, dataset, workers, batch, pin_memory=pin, collate_fn="pack")
        if not pin:
            yield "training", settings_of(device, dataset, workers, batch)
    for dataset, workers in product(("images", "text"), (0, 1, 2, 4, 8)):
        yield "memory", settings_of(device, dataset, workers, 32)
    for method, persistent in product(("fork", "forkserver", "spawn"), (True, False)):
        yield "startup", settings_of(device, "text", 2, 32, start_method=method, persistent_workers=persistent)
    yield "breakdown", settings_of(device, "text", 2, 32)
    yield from (
        ("startup_payload", {"payload_mb": size, "num_workers": 2, "start_method": "spawn"}) for size in (0, 64)
    )
    for sampling in ("sequential", "shuffle", "weighted"):
        yield "sampling", settings_of(device, "table", 0, 256, sampling=sampling)
    for quantity in ("busy 1 ms: pass", "sleep 20 ms, 2 workers: pass", "overhead: text, 0 workers"):
        yield "fidelity", {"quantity": quantity}
    if device != "cpu":
        for batch, pin, asynchronous in product((1, 32, 256), (False, True), (False, True)):
            yield "transfer", settings_of(device, "images", 0, batch, pin_memory=pin, non_blocking=asynchronous)


def wide() -> Iterator[tuple[str, Settings]]:
    axes = product(
        (2, 4, 8, 16, 32), COSTS, (16, 32, 64, 128, 256, 512, 1024), ("default", "pack", "stack_into"), (False, True),
        range(1, 14), ("epoch", "training"),
    )  # fmt: skip
    for prefetch, dataset, batch, collate, pin, workers, bench in axes:
        settings = settings_of("cuda", dataset, workers, batch, collate_fn=collate, pin_memory=pin)
        yield (
            bench,
            {**settings, "prefetch_factor": prefetch, "sampling": "shuffle" if bench == "training" else "sequential"},
        )


@pytest.fixture(scope="session")
def synthetic() -> Callable[..., Synthetic]:
    """Make a source of run documents: ``synthetic(seed=0, noise=0.03)``."""
    return Synthetic


def run_of_trunk(number: int, *, slower: float = 1.0, cases: int = 2, rounds: int = 3, **block: Any) -> Document:
    """The run of the trunk's commit `number`, one an hour: epochs over images with 0, 1 … workers."""
    source = Synthetic(seed=number)
    made = [source.case("epoch", settings_of("cpu", "images", workers, 32), rounds) for workers in range(cases)]
    for case in made:
        columns = case["extra_info"]["rounds"]
        columns["seconds"] = [slower * seconds for seconds in columns["seconds"]]
        case["name"] = f"bench_epoch[images-workers={case['params']['num_workers']}]"
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    block = {"run": f"{moment:%Y%m%dT%H%M%SZ}-{number:08x}", "started": moment.isoformat(), **block}
    document = source.document(made, **block)
    return {**document, "commit_info": {**document["commit_info"], "id": f"{number:08x}" * 5}}


@pytest.fixture(scope="session")
def trunk() -> Callable[..., Document]:
    """Make runs of a trunk: ``trunk(7, slower=1.1, cases=2, rounds=3)``."""
    return run_of_trunk


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a document as a run's folder, and return the folder."""

    def written(document: Document | str, folder: str = "run", name: str = "run.json") -> Path:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        content = document if isinstance(document, str) else json.dumps(document)
        (path / name).write_text(content, encoding="utf-8")
        return path

    return written


@pytest.fixture
def cases_of(write: Callable[..., Path]) -> Callable[[Document], pd.DataFrame]:
    """Summarise one document."""
    return lambda document: summarise(read_records([write(document)]).frame)


@pytest.fixture
def records_of(write: Callable[..., Path]) -> Callable[..., Records]:
    """Read one document, or a text in its place."""
    return lambda document: read_records([write(document)])


def without_figures(records: Records) -> Report:
    """A report of which no figure is drawn, as these take the longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loaderbench.reports.documents.report.report_document.all_drawn", lambda *_: ())
        return assemble(records)


@pytest.fixture(scope="session")
def realistic(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report of every bench on an imaginary machine with an accelerator, with failed and skipped cases.

    Its figures are not drawn.
    """
    source = Synthetic(seed=1)
    missed = {"name": "bench_epoch[text-workers=64]", "bench": "epoch", "settings": settings_of("cuda", "text", 64, 32)}
    document = source.run(
        device="cuda",
        failed=[{**missed, "reason": "DataLoader worker (pid 4242) is killed by signal: Killed.", "phase": "call"}],
        skipped=[
            {"name": "bench_transfer[mps]", "bench": "transfer", "settings": {}, "reason": "needs an accelerator"}
        ],
    )
    folder = tmp_path_factory.mktemp("realistic")
    (folder / "run.json").write_text(json.dumps(document))
    return without_figures(read_records([folder]))
