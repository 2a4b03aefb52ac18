"""The figures of time breakdowns: what the seconds of a pass, and of a start, went to."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.panels import case_words, ordered, rounds_of
from loaderbench.reports.units import percent, quantity

# The loop's seconds, by what the batch it waited for was at.
WAITED = (
    ("wait_begin_s", "not begun", style.MUTED),
    ("wait_fetch_s", "fetching", style.BLUE),
    ("wait_collate_s", "collating", style.ORANGE),
    ("wait_transport_s", "transport", style.VERMILLION),
    ("wait_pin_s", "pinning", style.PURPLE),
    ("wait_loop_s", "the loop itself", style.SKY),
    ("copy_s", "copying to the device", style.GREEN),
)
MOST_ROWS = 16
LEAST = 0.07  # of a pass: a part that is wide enough for its number


def breakdown(cases: pd.DataFrame) -> Figure | None:
    """Draw, for each case, the parts of a pass; they add up to it."""
    table = cases[(cases["bench"] == "breakdown") & cases["wait_fetch_s"].notna()].head(MOST_ROWS)
    if table.empty:
        return None
    unexplained = float(table["unexplained"].abs().max())
    heading = style.Heading(
        title="Where a pass's seconds go",
        subtitle=f"What the loop waited for, as a share of the pass; at most {percent(unexplained)} is unexplained",
    )
    figure, ((axes,),) = style.sheet(heading, 1, heights=(0.36 * len(table) + 0.5,))
    _bars(axes, table)
    style.rows(axes, case_words(table, ("collate_fn", "num_workers", "batch_size")))
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(style.in_units("share"))
    style.legend(axes, columns=3)
    style.label(axes, x=f"share of a pass, median of {rounds_of(table)}")
    return figure


def _bars(axes: Axes, table: pd.DataFrame) -> None:
    left = np.zeros(len(table))
    for column, name, colour in WAITED:
        if not (table[column] > 0).any():
            continue  # nothing is pinned, or copied to a device
        shares = (table[column] / table["seconds"]).fillna(0.0).to_numpy(np.float64)
        axes.barh(np.arange(len(table)), shares, left=left, height=0.6, color=colour, label=name, linewidth=0)
        for row, (share, start) in enumerate(zip(shares, left, strict=True)):
            if share >= LEAST:
                axes.text(start + share / 2, row, percent(share), ha="center", va="center", size=8, color=style.PAPER)
        left += shares


# Passes over the same samples, each with one part of the loader more than the one before.
LOWER = (("dataset_only_s", "dataset alone"), ("with_collate_s", "and collate_fn"), ("with_workers_s", "and workers"))
PASSES = (*LOWER, ("seconds", "and transport"))
PASSES_WITH_DEVICE = (*LOWER, ("with_transport_s", "and transport"), ("seconds", "and copies"))


def passes(cases: pd.DataFrame) -> Figure | None:
    """Draw, for each case, what a pass takes longer with every part of the loader, or less."""
    table = cases[(cases["bench"] == "breakdown") & cases["dataset_only_s"].notna()]
    if table.empty:
        return None
    table = ordered(table, ("dataset", "start_method", "num_workers", "batch_size")).head(style.MOST_PANELS)
    heading = style.Heading(
        title="What each part of a loader adds",
        subtitle=f"A pass over the same samples, one part more in each row; median of {rounds_of(table)}",
    )
    high = 0.3 * (len(PASSES_WITH_DEVICE) if table["with_transport_s"].notna().any() else len(PASSES))
    figure, panels = style.sheet(heading, len(table), heights=(high,))
    names = case_words(table, ("num_workers", "start_method", "batch_size"))
    for row, ((axes,), name) in enumerate(zip(panels, names, strict=True)):
        _pass_bars(axes, table.iloc[row])
        style.label(axes, title=name, x="time of a pass")
    return figure


def _pass_bars(axes: Axes, case: "pd.Series[float]") -> None:
    """A bar for each pass: what the one before took, what it adds, and, hollow, what it saves."""
    columns, names = zip(*(PASSES if pd.isna(case["with_transport_s"]) else PASSES_WITH_DEVICE), strict=True)
    seconds = case[list(columns)].to_numpy(np.float64)
    before = np.concatenate([[0.0], seconds[:-1]])
    places = np.arange(len(seconds))
    axes.barh(places, np.minimum(seconds, before), height=0.62, color=style.SKY, linewidth=0)
    axes.barh(places, (seconds - before).clip(min=0), left=before, height=0.62, color=style.BLUE, linewidth=0)
    less = seconds < before
    saved = (before - seconds)[less]
    axes.barh(
        places[less], saved, left=seconds[less], height=0.62, facecolor="none", edgecolor=style.GREEN, linestyle=":"
    )
    for place, (whole, previous) in enumerate(zip(seconds.tolist(), before.tolist(), strict=True)):
        added = f"  {'+' if whole >= previous else '−'}{quantity(abs(whole - previous), 's')}" if place else ""
        style.write_beside(axes, place, f"{quantity(whole, 's')}{added}", max(whole, previous))
    style.rows(axes, names)
    axes.set_xlim(0, float(seconds.max()))
    axes.xaxis.set_major_formatter(style.in_units("s"))
    axes.locator_params(axis="x", nbins=3)


# The first batch's way, from iter(loader) on.
STARTUP_PARTS = (
    (("queues_s",), "queues", style.MUTED),
    (("pickle_s",), "pickling the dataset", style.ORANGE),
    (("process_s",), "process, interpreter", style.SKY),
    (("main_s",), "main module again", style.PURPLE),
    (("imports_s",), "imports: torch", style.BLUE),
    (("unpickle_s",), "unpickling it", style.VERMILLION),
    (("init_s",), "waiting for the others", style.INK),
    (("first_fetch_s", "deliver_s"), "its first batch", style.GREEN),
)


def startup(cases: pd.DataFrame) -> Figure | None:
    """Draw, for each start method and payload, what the first batch waits for."""
    table = cases[(cases["bench"] == "startup_payload") & cases["process_s"].notna()]
    if table.empty:
        return None
    known = ("start_method", "payload_mb", "num_workers")
    table = ordered(table, known).head(MOST_ROWS)
    heading = style.Heading(
        title="What the first batch waits for",
        subtitle="From iter(loader) to the first batch of the first worker; the parts add up to it",
    )
    figure, ((axes,),) = style.sheet(heading, 1, heights=(0.36 * len(table) + 0.5,))
    left = np.zeros(len(table))
    for columns, name, colour in STARTUP_PARTS:
        taken = table[list(columns)].fillna(0.0).sum(axis="columns").to_numpy(np.float64)
        if not taken.any():
            continue  # of forks alone, nothing is sent
        axes.barh(np.arange(len(table)), taken, left=left, height=0.6, color=colour, label=name, linewidth=0)
        left += taken
    for row, whole in enumerate(left):
        style.write_beside(axes, row, quantity(whole, "s"), whole)
    style.rows(axes, case_words(table, known))
    axes.xaxis.set_major_formatter(style.in_units("s"))
    style.legend(axes, columns=3)
    style.label(axes, x=f"time, median of {rounds_of(table)}")
    return figure
