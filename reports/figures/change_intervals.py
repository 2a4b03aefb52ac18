"""The figure of a comparison: every change with its interval."""

import math
from collections.abc import Hashable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.figures.panels import short, sizes, titles
from loaderbench.reports.gate.comparison import Comparison
from loaderbench.reports.gate.outputs.sentences import change_of, unit_of_inference
from loaderbench.reports.gate.paired_effects import worse_sign
from loaderbench.reports.gate.verdicts import VERDICTS
from loaderbench.reports.units import MINUS, digits, quantity

COLOURS: Mapping[str, str] = {
    "regressed": style.VERMILLION, "unproven": style.ORANGE, "inconclusive": style.BLUE, "improved": style.GREEN,
    "unchanged": style.MUTED,
}  # fmt: skip
MOST_ROWS = 40
LONGEST_ROW = 48  # characters of a row's name
TICKS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 10, 30, 100, 1e3, 1e6)
_ROOM = 2.5  # an interval that reaches farther than this many times the largest effect is cut off
_FARTHEST = math.log(1e6)  # an effect beyond is drawn there


def change_table(comparison: Comparison) -> pd.DataFrame:
    """Return a row for each metric that was compared; `effect`, `low`, `high` are positive where head is better."""
    rows = []
    for verdict in comparison.verdicts:
        if (estimate := verdict.estimate) is not None:
            ends = [-worse_sign(estimate.metric) * end for end in estimate.interval]
            rows.append({
                "case": verdict.case, "label": verdict.label, "verdict": verdict.verdict, "scale": estimate.rule.scale,
                "effect": -estimate.slowdown, "low": min(ends), "high": max(ends), "tolerance": verdict.tolerance,
                "n": estimate.blocks, "unit": unit_of_inference(comparison), "text": change_of(estimate),
            })  # fmt: skip
    return pd.DataFrame(rows)


def forest(table: pd.DataFrame) -> Figure | None:
    """Draw `change_table`: ratios on a logarithmic axis, shares below them, what calls for a reader first."""
    if table.empty:
        return None
    shown = _sorted(table)
    parts = [part for scale in ("ratio", "difference") if len(part := shown[shown["scale"] == scale])]
    left_out = f" ({len(shown)} of {len(table)} figures)" if len(shown) < len(table) else ""
    over = sizes(shown["n"], str(shown["unit"].iloc[0]))
    heading = style.Heading(
        title="Head against base",
        subtitle=f"Change with its 95 % interval, {over}; grey: too small to matter{left_out}",
    )
    heights = [0.24 * len(part) + 0.16 for part in parts]
    figure, (panel,) = style.sheet(heading, 1, heights=heights)
    for axes, part in zip(panel, parts, strict=True):
        _changes(axes, part)
    return figure


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """Keep as many as are legible, the unchanged ones last, and sort them by their effect."""
    ranked = table.assign(rank=table["verdict"].map(list(VERDICTS).index)).sort_values("rank", kind="stable")
    shown = ranked.head(MOST_ROWS).sort_values("effect", kind="stable")
    return shown.assign(name=titles([str(case) for case in shown["case"]]))


def _changes(axes: Axes, rows: pd.DataFrame) -> None:
    reach = _reach(rows)
    for y, row in enumerate(rows.to_dict("records")):
        _row(axes, y, row, reach)
    axes.axvline(0, color=style.INK, lw=0.8)
    axes.set_xlim(-reach, reach)
    one = len(set(rows["label"])) == 1
    names = [name if one else f"{name} · {label}" for name, label in zip(rows["name"], rows["label"], strict=True)]
    style.rows(axes, [short(name, LONGEST_ROW) for name in names])
    axes.tick_params(axis="y", labelsize=8)
    is_ratio = rows["scale"].iloc[0] == "ratio"
    marks = _ratios(reach) if is_ratio else _differences(reach)
    axes.set_xticks(list(marks), list(marks.values()))
    axes.grid(axis="x")
    of = f"{rows['label'].iloc[0]}: " if one else ""
    what = "times as good as base" if is_ratio else "points better than base"
    style.label(axes, y=f"{of}{what}")


def _row(axes: Axes, y: int, row: Mapping[Hashable, float | str], reach: float) -> None:
    effect, low, high, tolerance = (float(row[name]) for name in ("effect", "low", "high", "tolerance"))
    colour = COLOURS[str(row["verdict"])]
    axes.barh(y, 2 * min(tolerance, reach), 0.8, left=-min(tolerance, reach), color=style.GRID, alpha=0.8, lw=0)
    axes.hlines(y, max(low, -reach), min(high, reach), color=colour, lw=2.2, alpha=0.75)
    for end, marker, is_cut_off in ((-reach, "<", low < -reach), (reach, ">", high > reach)):
        if is_cut_off:
            axes.scatter(end, y, s=18, marker=marker, color=colour, clip_on=False)
    inside = min(max(effect, -reach), reach)
    axes.scatter(inside, y, s=30, color=colour, edgecolor=style.PAPER, linewidth=0.8, zorder=3, clip_on=False)
    text_colour = style.MUTED if row["verdict"] == "unchanged" else style.INK
    style.write_beside(axes, y, short(str(row["text"]), LONGEST_ROW), colour=text_colour)


def _reach(rows: pd.DataFrame) -> float:
    """Return how far the axis goes: to all effects and margins, and to the ends of intervals that are not very wide."""
    ends = rows[["low", "high"]].abs().to_numpy(float)
    least = max(float(rows["effect"].abs().max()), 1.4 * float(rows["tolerance"].max()), math.log(TICKS[0]))
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


CHANGES = FigureKind(
    "changes", "Head against base", forest,
    "Right of 1 head is better: of throughput it is head over base, of times and memory base over head. A bar that "
    "lies within the grey is unchanged; one that reaches out of it on both sides decides nothing.",
)  # fmt: skip
