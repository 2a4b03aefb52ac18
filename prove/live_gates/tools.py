"""The tools that answer: a gate of any revision, pytest-benchmark's ``min:5%``, and ``asv continuous``."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch

from prove.bursts import SHARE
from prove.commands import MAIN, ROOT
from prove.live_gates import repository
from prove.live_gates.results import Answer, of_failure, of_slower, of_verdicts
from prove.live_gates.schedule import BURSTS, Run

FACTOR = 1.05
LONGEST_S = 1200.0
TIDIES_UP_S = 30.0
SITE = str(Path(torch.__file__).parents[1])  # where asv's own environments find torch
SHOWN = re.compile(r"^\|?\s*([+-])\s.*time_epoch\((.*?)\)")  # a benchmark that asv calls changed


Tool = Callable[["Workplace", Run], list[Answer]]


class RunError(Exception):
    """A tool failed to answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """Where everything lies; `asv` is a program, or empty."""

    folder: Path
    asv: str = ""

    @property
    def cases(self) -> Path:
        """Return the repository that is compared."""
        return self.folder / "repository"

    def tree(self, revision: str) -> Path:
        """Return a folder to put on PYTHONPATH, in which ``loaderbench`` is that `revision` of this repository."""
        tree = repository.check_out(ROOT, revision, self.folder.absolute() / "gates" / revision) if revision else ROOT
        packages = self.folder.absolute() / "packages" / (revision or "here")
        packages.mkdir(parents=True, exist_ok=True)
        (packages / "loaderbench").unlink(missing_ok=True)  # it may be of another clone, or of one that is gone
        (packages / "loaderbench").symlink_to(tree)
        return packages


def gate(place: Workplace, run: Run, revision: str) -> list[Answer]:
    """Run the gate of a `revision` ("": this one)."""
    question, out = run.question, place.folder.absolute() / "runs" / run.name
    shutil.rmtree(out, ignore_errors=True)  # of a run that was interrupted, whose verdict is not the answer
    began = time.monotonic()
    datasets = ",".join(f"loadercases:{name}" for name in repository.DATASETS)
    _call(
        [
            sys.executable, "-c", MAIN, "gate", "--base", "base", "--head", question.head, "--dataset", datasets,
            "--collate-fn", "loadercases:collate", "--num-workers", _list(repository.WORKERS),
            "--batch-size", _list(repository.BATCH_SIZES), "-k", "bench_epoch",
            "--budget", question.budget, "--margin", question.margin, "--out", str(out),
        ],
        place.cases,
        {"PYTHONPATH": str(place.tree(revision))},
        is_well=(out / "verdict.json").exists,
    )  # fmt: skip
    return of_verdicts(run, json.loads((out / "verdict.json").read_text()), time.monotonic() - began)


def pytest_benchmark(place: Workplace, run: Run) -> list[Answer]:
    """Run pytest-benchmark on base, then on head: slower is what ``--benchmark-compare-fail=min:5%`` fails on."""
    began = time.monotonic()
    least_s = {tag: _least_s(place, run, tag) for tag in ("base", run.question.head)}
    base, head = least_s["base"], least_s[run.question.head]
    ratios = {case: head[case] / base[case] for case in base}
    return of_slower(
        run,
        {case: -math.log(ratio) for case, ratio in ratios.items()},
        [case for case, ratio in ratios.items() if ratio > FACTOR],
        [case for case, ratio in ratios.items() if ratio < 1 / FACTOR],
        time.monotonic() - began,
    )


def _least_s(place: Workplace, run: Run, tag: str) -> dict[str, float]:
    tree = repository.check_out(place.cases, tag, place.folder.absolute() / "trees" / tag)
    file = place.folder.absolute() / "runs" / f"{run.name}-{tag}.json"
    file.parent.mkdir(exist_ok=True)
    options = ["-q", "-p", "no:cacheprovider", "--rootdir=.", "-c", os.devnull, f"--benchmark-json={file}"]
    _call([sys.executable, "-m", "pytest", *options, "bench_cases.py"], tree, {"PYTHONPATH": str(tree)})
    return {bench["name"]: bench["stats"]["min"] for bench in json.loads(file.read_text())["benchmarks"]}


def asv_continuous(place: Workplace, run: Run) -> list[Answer]:
    """Run ``asv continuous``; what it does not list has not changed."""
    folder = _asv_folder(place)
    began = time.monotonic()
    command = [place.asv, "continuous", "--factor", str(FACTOR), "base", run.question.head]
    output = _call(command, folder, {}, is_well=lambda: True)
    if "Running" not in output and "BENCHMARKS" not in output:
        raise RunError(f"asv measured nothing: {' '.join(output.split())[-300:]}")
    changed = asv_changes(output)
    parts = product(repository.DATASETS, repository.WORKERS, repository.BATCH_SIZES)
    cases = [", ".join(map(repr, part)) for part in parts]
    slower, faster = ([case for case in cases if changed.get(case) == sign] for sign in "+-")
    return of_slower(run, dict.fromkeys(cases, math.nan), slower, faster, time.monotonic() - began)


def asv_changes(output: str) -> dict[str, str]:
    """Return the cases that asv lists as changed: ``+`` slower, ``-`` faster.

    >>> asv_changes("| + | 1.2±0.1s | 1.4±0s | 1.17 | epochs.Epoch.time_epoch('Text', 0, 32) |")
    {"'Text', 0, 32": '+'}
    """
    shown = (SHOWN.match(line) for line in output.splitlines())
    return {match[2]: match[1] for match in shown if match}


def _asv_folder(place: Workplace) -> Path:
    folder = place.folder.absolute() / "asv"
    (folder / "benchmarks").mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks" / "__init__.py").touch()
    (folder / "benchmarks" / "epochs.py").write_text(f"import sys\n\nsys.path.append({SITE!r})\n{repository.ASV}")
    copied = "import shutil, sysconfig; shutil.copy(r'{build_dir}/loadercases.py', sysconfig.get_path('purelib'))"
    settings = {
        "version": 1, "project": "loadercases", "repo": str(place.cases.absolute()), "branches": ["HEAD"],
        "environment_type": "virtualenv", "pythons": [f"{sys.version_info.major}.{sys.version_info.minor}"],
        "build_command": [], "install_command": [f'python -c "{copied}"'], "uninstall_command": ['python -c "pass"'],
    }  # fmt: skip
    (folder / "asv.conf.json").write_text(json.dumps(settings))
    if not (folder / "machine.txt").exists():
        _call([place.asv, "machine", "--yes"], folder, {})
        # Its environments, whose making is no part of an answer. It exits with 1 where all went well.
        _call([place.asv, "setup"], folder, {}, is_well=(folder / "env").is_dir)
        (folder / "machine.txt").touch()
    return folder


def answered(place: Workplace, run: Run, tools: Mapping[str, Tool]) -> list[Answer]:
    """Have a tool answer beside its noise; a tool that fails is recorded as such."""
    began = time.monotonic()
    try:
        with noise(run.noise):
            return tools[run.tool](place, run)
    except (RunError, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
        return of_failure(
            run, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", time.monotonic() - began
        )


@contextmanager
def noise(name: str) -> Iterator[None]:
    """Disturb the machine meanwhile, if `name` says so."""
    if name != BURSTS:
        yield
        return
    bursts = subprocess.Popen([sys.executable, "-m", "prove.bursts", str(SHARE)], cwd=ROOT, start_new_session=True)  # noqa: S603
    try:
        yield
    finally:
        os.killpg(bursts.pid, 15)
        bursts.wait()


def _call(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], is_well: Callable[[], bool] | None = None
) -> str:
    """Run a command and return its output; raises RunError where it fails, by `is_well` or by its exit code."""
    with subprocess.Popen(  # noqa: S603 - commands of this module
        command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate(timeout=LONGEST_S)
        except BaseException:
            _end(process)
            raise
    if not (is_well() if is_well else process.returncode == 0):
        raise RunError(f"exit code {process.returncode}: {output.strip().splitlines()[-1:]}")
    return output


def _end(process: "subprocess.Popen[str]") -> None:
    """End a command, which may tidy up first, and all that it started: nothing of it runs beside the next one."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(TIDIES_UP_S)
        os.killpg(process.pid, signal.SIGKILL)


def _list(values: Sequence[object]) -> str:
    return ",".join(map(str, values))
