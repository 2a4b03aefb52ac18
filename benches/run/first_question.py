"""What a first question about a dataset needs: its loader with no workers, one, two, … and with training where it can.

Benches that say nothing about that dataset are left out: control, fidelity, transfer, start-up.
"""

from collections.abc import Iterable, Mapping

import pytest

from loaderbench.benches.harness.cases.case_sets import distinct
from loaderbench.benches.harness.system.devices import available
from loaderbench.benches.harness.system.machine import usable_cpus
from loaderbench.reports.units import quantity

BENCHES = ("loaderbench.benches.bench_epoch", "loaderbench.benches.bench_training")
MOST_WORKERS = 16
LONG_PASS_S = 1.5  # from which on a first pass is worth a word
PASSES = 8.0  # in one process, for which a budget has time
OTHER_QUESTIONS = ("quick", "full", "keyword", "markexpr", "rounds", "resume", "collectonly", "lockstep")
"""Options that say which cases are measured, or how often: with one of them a run has no budget."""


def other_question(config: pytest.Config) -> str:
    """Return the option that asks for other cases or rounds than a first question, as it is written, or nothing."""
    for name in OTHER_QUESTIONS:
        if config.getoption(name) not in (None, False, ""):
            return {"keyword": "-k", "markexpr": "-m", "collectonly": "--collect-only"}.get(name, f"--{name}")
    return next((word for word in config.invocation_params.args if word.startswith("--benchmark-")), "")


def has_subject(config: pytest.Config) -> bool:
    """Return whether the command line names what to load."""
    return bool(config.getoption("dataset") or config.getoption("from_loader"))


def ask(config: pytest.Config, budget_s: float) -> None:
    """Have `config` measure what a first question needs, where the command line is silent.

    A pass has two batches for each worker: with one, it would measure how workers start. Where samples are so slow that
    passes would leave no time for all cases, one has to do.
    """
    cpus = min(usable_cpus(), MOST_WORKERS)
    doubling = [1 << power for power in range(cpus.bit_length())]
    usual = {"device": available()[-1]}  # the accelerator, where there is one
    if not config.getoption("from_loader"):  # which is measured as it is, and varied as the command line says
        usual |= {"num_workers": _list(distinct(0, *doubling, cpus)), "batch_size": "32", "pin_memory": "off"}
    for name, text in usual.items():
        if config.getoption(name) is None:
            setattr(config.option, name, text)
    given = {word.partition("=")[0] for word in config.invocation_params.args}
    for option, name, text in (("--pass-time", "pass_s", "250ms"), ("--pass-batches", "pass_batches", "2")):
        if option not in given:
            setattr(config.option, name, text)
    config.option.longest_pass_s = budget_s / PASSES


def first_pass_line(words: str, metrics: Mapping[str, float], unit: str) -> str:
    """Return what a first pass shows of a case, called `words`; nothing of a short one, whose rounds follow at once.

    >>> first_pass_line("one process", {"samples": 128.0, "seconds": 6.4}, "samples/s").replace(chr(0x202F), " ")
    'one process, first pass: 20 samples/s'
    """
    prefix = "loader_" if "loader_seconds" in metrics else ""
    seconds, samples = metrics[f"{prefix}seconds"], metrics.get(f"{prefix}samples", 0.0)
    if seconds < LONG_PASS_S or not samples:
        return ""
    return f"{words}, first pass: {quantity(samples / seconds, unit)}"


def _list(values: Iterable[object]) -> str:
    return ",".join(map(str, values))
