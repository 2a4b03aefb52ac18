"""What `loaderbench whatif` says: predictions, workers that keep up with a step, and how well predictions matched."""

import math
from collections.abc import Iterator

import pandas as pd

from loaderbench.reports.documents.document import ON_PAPER, Cell, Code, Document, Section, Table, Text
from loaderbench.reports.documents.drawing import drawn
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.documents.tables import amount, numbers, row
from loaderbench.reports.figures.predictions import HELD_OUT_PASSES
from loaderbench.reports.text import shell
from loaderbench.reports.units import MISSING, count, interval, percent, quantity, signed_percent
from loaderbench.reports.whatif.prediction import KEEPS_UP, MOST_WORKERS_PER_CPU
from loaderbench.reports.whatif.whatif_record import HeldOutPass, Prediction, WhatIf, WorkersNeeded

FEWEST_ROUNDS = 3  # whose median means something
USABLE = 0.15  # an error beyond it is stated above the predictions


def whatif_document(whatif: WhatIf) -> Document:
    """Return everything that the command says."""
    machine = machine_words(whatif.machine)
    return Document(
        title="What other settings would give",
        about=(f"{whatif.dataset} · {machine} · {whatif.started[:10]}",),
        notices=tuple(_notices(whatif)),
        parts=(
            _predictions(whatif),
            *_workers_needed(whatif),
            _held_out(whatif),
            Code(code=shell(whatif.command), language="sh", on=ON_PAPER),
        ),
    )


def _notices(whatif: WhatIf) -> Iterator[str]:
    rounds = count(whatif.rounds, "round")
    if whatif.interrupted:
        yield f"Interrupted: predicted from {rounds} of measuring."
    elif whatif.rounds < FEWEST_ROUNDS:
        yield f"There was time for {rounds} of measuring only: raise --budget."
    if whatif.not_simulated:
        yield f"Not simulated: {', '.join(whatif.not_simulated)}. Predictions are without it."
    if held_out := [entry for entry in whatif.not_measured if entry.purpose == "held out"]:
        cases = "; ".join(
            f"{count(entry.num_workers, 'worker')} with batches of {entry.batch_size}" for entry in held_out
        )
        yield f"There was no time to compare these predictions with a pass: {cases}."
    if sizes := {entry.batch_size for entry in whatif.not_measured if entry.purpose == "costs"}:
        yield (
            f"There was no time to measure batches of {min(sizes)} or more: their costs are extrapolated linearly from "
            "smaller batches."
        )


def _held_out(whatif: WhatIf) -> Section:
    """Return the passes that were measured to be compared with their predictions, as a table and a figure."""
    title = "How well predictions matched measurements"
    if not whatif.held_out:
        return Section(title=title, parts=(Text(text="There was no time to compare any.", tone="bad"),))
    note = (
        f"These passes were measured and not used for the simulation: median error {percent(whatif.median_error)}. "
        f"9 of 10 further errors are expected to be below {percent(math.expm1(whatif.widening))}: intervals are that "
        "much wider."
    )
    if not math.isnan(whatif.uncertainty):
        note += f" The measured times themselves have a standard error of {percent(whatif.uncertainty)} in the median."
    table = Table(
        name="held-out",
        columns=numbers("workers", "batch", "measured", "predicted", "off by"),
        rows=tuple(_held_out_row(held_out) for held_out in whatif.held_out),
    )
    rows = [(case.batch_size, case.num_workers, case.measured_s, case.predicted_s) for case in whatif.held_out]
    passes = pd.DataFrame(rows, columns=["batch_size", "num_workers", "measured_s", "predicted_s"])
    return Section(title=title, parts=(Text(text=note), table, *filter(None, [drawn(HELD_OUT_PASSES, passes)])))


def _held_out_row(held_out: HeldOutPass) -> tuple[Cell, ...]:
    return row(
        held_out.num_workers,
        held_out.batch_size,
        amount(held_out.measured_s, "s"),
        amount(held_out.predicted_s, "s"),
        Cell(text=signed_percent(held_out.error), number=held_out.error),
    )


def _predictions(whatif: WhatIf) -> Section:
    note = (
        "Throughput of all ranks together in a long pass. The interval spans the rounds of measuring, widened by the "
        "error of the predictions below. The error is the largest of those with the nearest number of workers; "
        "it says nothing of other CPUs and ranks, which cannot be measured here."
    )
    table = Table(
        name="predictions",
        columns=numbers("ranks", "CPUs", "workers a rank", "batch", "samples/s", "interval", "error", "the step waits"),
        rows=tuple(_prediction_row(prediction, is_checked=bool(whatif.held_out)) for prediction in whatif.predictions),
    )
    return Section(title="Predictions", parts=(*_limits(whatif), Text(text=note), table))


def _limits(whatif: WhatIf) -> Iterator[Text]:
    """Yield for what the predictions are not to be used, where one was further off than `USABLE`."""
    worst = whatif.worst
    if worst is not None and abs(worst.error) > USABLE:
        workers = count(worst.num_workers, "worker")
        yield Text(
            text=f"Do not choose between settings that differ by less than {percent(abs(worst.error))} by these "
            f"predictions: the one for {workers} with batches of {worst.batch_size} was off by that much. Measure "
            "the settings that matter with loaderbench run.",
            tone="bad",
        )


def _prediction_row(prediction: Prediction, *, is_checked: bool) -> tuple[Cell, ...]:
    scenario = prediction.scenario
    samples = scenario.ranks * prediction.batch_size
    rates = interval(samples / prediction.high_s, samples / prediction.low_s, "") if is_checked else MISSING
    waits = percent(prediction.stall_share) if scenario.step_s else MISSING
    return row(
        scenario.ranks,
        Cell(text=f"{scenario.cpus:g}", number=scenario.cpus),
        scenario.num_workers,
        prediction.batch_size,
        amount(prediction.samples_per_s, ""),
        rates,
        Cell(text=MISSING if prediction.error is None else percent(prediction.error), number=prediction.error),
        Cell(text=waits, number=prediction.stall_share),
    )


def _workers_needed(whatif: WhatIf) -> Iterator[Section]:
    if not whatif.workers_needed:
        return
    step_s = whatif.workers_needed[0].scenario.step_s
    note = (
        f"With this many workers the step waits for less than {percent(KEEPS_UP)} of the time. None: "
        f"even {MOST_WORKERS_PER_CPU} workers for each CPU are too few."
    )
    table = Table(
        name="workers-needed",
        columns=numbers("ranks", "CPUs", "batch", "workers a rank", "at best", "at worst"),
        rows=tuple(_needed_row(needed, is_checked=bool(whatif.held_out)) for needed in whatif.workers_needed),
    )
    title = f"Fewest workers that keep up with a step of {quantity(step_s, 's')}"
    yield Section(title=title, name="workers", parts=(Text(text=note), table))


def _needed_row(needed: WorkersNeeded, *, is_checked: bool) -> tuple[Cell, ...]:
    scenario = needed.scenario
    bounds = [workers if is_checked else MISSING for workers in (needed.best, needed.worst)]
    return row(
        scenario.ranks,
        Cell(text=f"{scenario.cpus:g}", number=scenario.cpus),
        needed.batch_size,
        *("none" if workers is None else workers for workers in (needed.likely, *bounds)),
    )
