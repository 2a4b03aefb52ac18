"""Figures of a judgement: every change with its interval, and the rounds in the order in which they were run."""

import math
from collections.abc import Hashable, Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.documents.gate_wording import change_of, unit_of, unit_of_inference
from loaderbench.reports.figures import style as theme
from loaderbench.reports.figures.catalogue import Picture, Plot, picture
from loaderbench.reports.figures.panels import NAME_LENGTHS, short, titles
from loaderbench.reports.gate.comparison import WORDS, Judgement
from loaderbench.reports.units import MINUS, count, digits, quantity

COLOURS: Mapping[str, str] = {
    "regressed": theme.VERMILLION, "unproven": theme.ORANGE, "inconclusive": theme.BLUE, "improved": theme.GREEN,
    "unchanged": theme.MUTED,
}  # fmt: skip
SIDES = {"base": theme.BLUE, "head": theme.ORANGE}
MOST_ROWS = 40
MOST_PANELS = 12
MOST_POINTS = 240  # of one side of one panel: beyond, whole rounds are left out evenly
LONGEST_ROW = 48  # characters of a row's name
TICKS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 10, 30, 100, 1e3, 1e6)
_ROOM = 2.5  # an interval that reaches so many times farther than every effect is cut off
_FARTHEST = math.log(1e6)  # an effect beyond is drawn there


def pictures(held: Judgement) -> Iterator[Picture]:
    """Draw what a judgement has the data for."""
    drawn = (picture(FOREST, changes(held)), picture(RUN_ORDER, rounds(held)))
    return (found for found in drawn if found is not None)


def changes(held: Judgement) -> pd.DataFrame:
    """One row for each figure that was compared; `effect`, `low`, `high` are positive where head is the better side."""
    rows = []
    for row in held.rows:
        if (found := row.estimate) is not None:
            ends = (-found.quantity.worse * found.low, -found.quantity.worse * found.high)
            rows.append({
                "case": row.case, "label": row.label, "word": row.word, "scale": found.quantity.scale,
                "effect": -found.slowdown, "low": min(ends), "high": max(ends), "tolerance": row.tolerance,
                "n": found.blocks, "unit": unit_of_inference(held), "said": change_of(found),
            })  # fmt: skip
    return pd.DataFrame(rows)


def rounds(held: Judgement) -> pd.DataFrame:
    """Every round of the cases that are worth a panel, in the order run: case, label, unit, block, side, order, value.

    Of each case its first figure in the order of the verdicts is taken; `of` is how many cases there are.
    """
    first = {row.case: row for row in reversed(held.rows) if row.estimate is not None}
    wanted = [row for row in held.rows if first.get(row.case) is row]
    samples = pd.DataFrame([
        {**sample, "block": number}
        for number, block in enumerate(held.blocks, start=1)
        for sample in block["samples"]
    ])  # fmt: skip
    parts = []
    for row in wanted[:MOST_PANELS]:
        if row.estimate is not None and len(samples):
            mine = samples[samples["case"] == row.case].sort_values(["block", "place"], kind="stable")
            value = row.estimate.quantity.value(mine).replace([np.inf, -np.inf], np.nan)
            about = {"case": row.case, "label": row.label, "unit": unit_of(row.estimate), "word": row.word}
            parts.append(mine[["block", "round", "side"]].assign(**about, value=value, order=range(len(mine))))
    whole = pd.concat(parts, ignore_index=True).dropna(subset="value") if parts else pd.DataFrame({"value": []})
    return whole.assign(of=len(wanted))


def forest(table: pd.DataFrame) -> Figure | None:
    """Draw `changes`: ratios on a logarithmic axis, shares below them, what calls for a reader first."""
    if table.empty:
        return None
    shown = _sorted(table)
    parts = [held for scale in ("ratio", "difference") if len(held := shown[shown["scale"] == scale])]
    left_out = f" ({len(shown)} of {len(table)} figures)" if len(shown) < len(table) else ""
    low, high = shown["n"].min(), shown["n"].max()
    over = ("" if low == high else f"{low} to ") + count(int(high), str(shown["unit"].iloc[0]))
    heading = theme.Heading(
        title="Head against base",
        subtitle=f"Change with its 95 % interval, n = {over}; grey: too small to care about{left_out}",
    )
    heights = [0.24 * len(held) + 0.16 for held in parts]
    figure, (panel,) = theme.sheet(heading, 1, heights=heights)
    for axes, held in zip(panel, parts, strict=True):
        _changes(axes, held)
    return figure


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """Keep as many as are legible, the unchanged ones last, and sort them by their effect."""
    ranked = table.assign(rank=table["word"].map(WORDS.index)).sort_values("rank", kind="stable")
    shown = ranked.head(MOST_ROWS).sort_values("effect", kind="stable")
    return shown.assign(name=titles([str(case) for case in shown["case"]]))


def _changes(axes: Axes, held: pd.DataFrame) -> None:
    reach = _reach(held)
    for y, row in enumerate(held.to_dict("records")):
        _row(axes, y, row, reach)
    axes.axvline(0, color=theme.INK, lw=0.8)
    axes.set_xlim(-reach, reach)
    one = len(set(held["label"])) == 1
    said = [name if one else f"{name} · {label}" for name, label in zip(held["name"], held["label"], strict=True)]
    theme.rows(axes, [short(name, LONGEST_ROW) for name in said])
    axes.tick_params(axis="y", labelsize=8)
    is_ratio = held["scale"].iloc[0] == "ratio"
    marks = _ratios(reach) if is_ratio else _differences(reach)
    axes.set_xticks(list(marks), list(marks.values()))
    axes.grid(axis="x")
    of = f"{held['label'].iloc[0]}: " if one else ""
    what = "times as good as base" if is_ratio else "points better than base"
    theme.label(axes, y=f"{of}{what}")


def _row(axes: Axes, y: int, row: Mapping[Hashable, float | str], reach: float) -> None:
    effect, low, high, tolerance = (float(row[name]) for name in ("effect", "low", "high", "tolerance"))
    colour = COLOURS[str(row["word"])]
    axes.barh(y, 2 * min(tolerance, reach), 0.8, left=-min(tolerance, reach), color=theme.GRID, alpha=0.8, lw=0)
    axes.hlines(y, max(low, -reach), min(high, reach), color=colour, lw=2.2, alpha=0.75)
    for end, marker in ((-reach, "<") if low < -reach else (math.nan, ""), (reach, ">") if high > reach else (0, "")):
        if marker:
            axes.scatter(end, y, s=18, marker=marker, color=colour, clip_on=False)
    inside = min(max(effect, -reach), reach)
    axes.scatter(inside, y, s=30, color=colour, edgecolor=theme.PAPER, linewidth=0.8, zorder=3, clip_on=False)
    axes.annotate(
        str(row["said"]), (1, y), (12, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
        size=7.5, color=theme.MUTED if row["word"] == "unchanged" else theme.INK, annotation_clip=False,
    )  # fmt: skip


def _reach(held: pd.DataFrame) -> float:
    """How far the axis goes: to all effects and margins, and to the ends of all intervals but very wide ones."""
    ends = held[["low", "high"]].abs().to_numpy(float)
    least = max(float(held["effect"].abs().max()), 1.4 * float(held["tolerance"].max()), math.log(TICKS[0]))
    return min(1.08 * float(max([least, *ends[ends <= _ROOM * least]])), _FARTHEST)


def _ratios(reach: float) -> dict[float, str]:
    """Ticks of a logarithmic axis, at most two each way and the middle, however near one they are.

    >>> list(_ratios(0.2).values()), list(_ratios(1.2).values())
    (['0.83×', '0.91×', '1×', '1.10×', '1.20×'], ['0.33×', '0.67×', '1×', '1.50×', '3.00×'])
    """
    last = max(tick for tick in TICKS if math.log(tick) <= reach)
    middle = [tick for tick in TICKS if math.log(tick) <= 0.6 * math.log(last)][-1:]
    kept = [*middle, last]
    below = {-math.log(tick): _ratio(1 / tick) for tick in reversed(kept)}
    return {**below, 0.0: "1×", **{math.log(tick): _ratio(tick) for tick in kept}}


def _ratio(value: float) -> str:
    return quantity(value, "ratio") if 0.01 <= value < 10 else f"{value:g}×"  # noqa: PLR2004 - two decimals tell


def _differences(reach: float) -> dict[float, str]:
    """Ticks of a difference of shares."""
    step = max(step for step in (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if step <= max(reach, 0.001))
    return {-step: f"{MINUS}{digits(100 * step)}", 0.0: "0", step: f"+{digits(100 * step)}"}


def run_order(table: pd.DataFrame) -> Figure | None:
    """Draw `rounds`: a panel for each case, a dot for each round, coloured by side."""
    if table.empty:
        return None
    shown = [held for _, held in table.groupby("case", sort=False)]
    stride = max(-(-int(max(len(held) for held in shown)) // (2 * MOST_POINTS)), 1)
    parts = [f"{len(shown)} of {count(int(table['of'].iloc[0]), 'case')}"] if table["of"].iloc[0] > len(shown) else []
    parts += [f"one round in {stride}"] if stride > 1 else []
    heading = theme.Heading(
        title="Rounds in the order run",
        subtitle="Dot: a round, line: median of a side in a block, shaded: every other block"
        + (f" ({', '.join(parts)})" if parts else ""),
    )
    figure, panels = theme.sheet(heading, len(shown))
    names = titles([str(held["case"].iloc[0]) for held in shown])
    longest = NAME_LENGTHS[min(len(shown), max(NAME_LENGTHS))]
    for (axes,), held, name in zip(panels, shown, names, strict=True):
        _rounds(axes, held, short(name, longest), stride)
    return figure


def _rounds(axes: Axes, held: pd.DataFrame, name: str, stride: int) -> None:
    spans = held.groupby("block")["order"].agg(["min", "max"])
    for first, last in spans.iloc[1::2].to_numpy(float):
        axes.axvspan(first - 0.5, last + 0.5, color=theme.GRID, alpha=0.5, lw=0)
    ends = []
    for side, colour in SIDES.items():
        mine = held[held["side"] == side]
        drawn = mine[mine["round"] % stride == 0]
        axes.plot(drawn["order"], drawn["value"], ls="", marker="o", ms=2.4, mew=0, color=colour, alpha=0.6)
        medians = mine.groupby("block")["value"].median()
        level = spans.join(medians, how="inner").assign(gap=np.nan)
        x, y = level[["min", "max", "gap"]].to_numpy(float).ravel(), level["value"].repeat(3).to_numpy(float)
        axes.plot(x, y, color=colour, lw=1.6)
        if len(medians):
            ends.append((float(held["order"].max()), float(medians.iloc[-1]), side, colour))
    axes.set_xlim(-1, float(held["order"].max()) + 1)
    axes.margins(y=0.12)
    axes.grid(axis="y")
    unit = str(held["unit"].iloc[0])
    axes.yaxis.set_major_formatter(theme.in_units(unit if unit in {"s", "bytes", "bytes/s", "share"} else ""))
    axes.locator_params(axis="y", nbins=4)
    theme.name_lines(axes, ends)
    middles = spans.mean(axis="columns")
    named = middles.iloc[sorted({0, len(middles) - 1})]
    axes.set_xticks(list(named), [f"block {block}" for block in named.index])
    theme.label(axes, title=name, y=f"{held['label'].iloc[0]}, {unit}".rstrip(", "))


FOREST = Plot(
    name="changes",
    section="Figures",
    title="Head against base",
    reading="Right of 1 head is better: of throughput it is head over base, of times and memory base over head. A bar "
    "that lies within the grey is unchanged; one that reaches out of it on both sides settles nothing.",
    draw=forest,
)
RUN_ORDER = Plot(
    name="rounds",
    section="Figures",
    title="Rounds in the order run",
    reading="Both sides take turns within a block, a fresh pair of processes. A step between blocks that both sides "
    "share is the machine's; only the gap between the two lines counts, and each block is one vote.",
    draw=run_order,
)
