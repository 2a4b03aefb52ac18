"""How figures look, and how they become bytes: colours, sheets of panels, units of axes, SVG and PNG."""

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import wrap

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import (
    EngFormatter,
    Formatter,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
)
from matplotlib.transforms import ScaledTranslation

from loaderbench.reports.units import THIN
from loaderbench.reports.wording import plain_number

STYLE_SHEET = "loaderbench.reports.figures.loaderbench"  # loaderbench.mplstyle, beside this module

INK, MUTED, GRID, PAPER = "#1f2430", "#69707d", "#e3e5e9", "#ffffff"

# M. Okabe, K. Ito, "Color Universal Design" (2008): told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
SERIES = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)

# Each colour's name on the page, and its counterpart on a dark one. What is not listed looks the same on both.
COLOURS: Mapping[str, tuple[str, str]] = {
    INK: ("ink", "#e7e9ee"),
    MUTED: ("muted", "#9aa2af"),
    GRID: ("grid", "#2b3038"),
    PAPER: ("paper", "#14171c"),
    BLUE: ("blue", "#4fa9de"),
    ORANGE: ("orange", "#efb23f"),
    GREEN: ("green", "#2bbf95"),
    VERMILLION: ("vermillion", "#ef7d43"),
    PURPLE: ("purple", "#dc9bbf"),
    SKY: ("sky", "#8ccbf0"),
}

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

MOST_PANELS = 6
PANEL_WIDTHS = {1: 7.64, 2: 5.0, 3: 3.33}  # inches, by the number of columns
PANEL_HEIGHT = 1.9  # inches
HEADER, LETTERS = 0.62, 0.8  # inches: title and subtitle of a figure; title, label and ticks of each axes
LETTER, LINE = 0.062, 0.14  # inches: a letter of a subtitle, its line
GAP = 11  # points between the names of two lines
ROOM_ABOVE = 0.08  # of an axis, above the largest value
BESIDE = (5, 0)  # points from the end of a bar to its number


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """What stands above a figure: what it shows, and in what units, from how many rounds."""

    title: str
    subtitle: str


@contextmanager
def in_our_style() -> Iterator[None]:
    """Draw in our style, and leave the caller's as it was."""
    with style.context(STYLE_SHEET), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # hostile or foreign names
        yield


def sheet(
    heading: Heading, panels: int, *, heights: Sequence[float] = (PANEL_HEIGHT,)
) -> tuple[Figure, list[tuple[Axes, ...]]]:
    """Return a figure of `panels`, each a stack of axes of about `heights` (inches), in rows of three at most."""
    columns = min(max(PANEL_WIDTHS), panels)
    rows = -(-panels // columns)
    width = columns * PANEL_WIDTHS[columns]
    lines = wrap(heading.subtitle, int(width / LETTER), break_long_words=False)
    header = HEADER + LINE * (len(lines) - 1)
    height = header + rows * (sum(heights) + LETTERS * len(heights))
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - header / height)))
    figure.text(0.12 / width, 1 - 0.10 / height, heading.title, size=12, weight="bold", va="top")
    figure.text(0.12 / width, 1 - 0.36 / height, "\n".join(lines), color=MUTED, va="top")
    grid = figure.subplots(
        rows * len(heights), columns, squeeze=False, gridspec_kw={"height_ratios": [*heights] * rows}
    )
    stacks = grid.reshape(rows, len(heights), columns).swapaxes(1, 2).reshape(-1, len(heights))
    for axes in stacks[panels:].flat:
        axes.remove()
    return figure, [tuple(stack) for stack in stacks[:panels]]


def label(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Name a panel and its axes; the vertical one's label lies flat above it, where it can be read."""
    axes.set_title(title, pad=20 if y else 8)
    axes.set_xlabel(x, labelpad=4)
    axes.set_ylabel(y, rotation=0, ha="left", va="baseline")
    above = ScaledTranslation(0, 8 / 72, axes.figure.dpi_scale_trans)
    axes.yaxis.set_label_coords(0, 1, transform=axes.transAxes + above)


def name_lines(axes: Axes, names: Sequence[tuple[float, float, str, str]]) -> None:
    """Write names (x, y, text, colour) to the right of the ends of lines, about `GAP` points apart at least."""
    scale = axes.yaxis.get_transform().transform  # of a logarithmic axis, too
    bottom, top = scale(np.array(axes.get_ylim()))
    lowest = float("-inf")
    for x, y, text, colour in sorted(names, key=lambda name: name[1]):
        height = 72 * PANEL_HEIGHT * float((scale(np.array([y]))[0] - bottom) / (top - bottom))
        lowest = max(height, lowest + GAP)
        beside = (7, lowest - height)
        axes.annotate(
            text, (x, y), beside, textcoords="offset points", color=colour, va="center", size=8, annotation_clip=False
        )


def write_beside(axes: Axes, row: float, text: str, x: float | None = None, colour: str = INK) -> None:
    """Write `text` beside the end of a bar at `x`, or to the right of the axes where there is no `x`."""
    where = (1.0, row) if x is None else (x, row)
    coordinates = ("axes fraction", "data") if x is None else "data"
    axes.annotate(
        text, where, (8, 0) if x is None else BESIDE, xycoords=coordinates, textcoords="offset points", va="center",
        size=8, color=colour, annotation_clip=False,
    )  # fmt: skip


def legend(axes: Axes, columns: int) -> None:
    """Name the series above the axes."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderpad=0.2)


def steps(axes: Axes, levels: Sequence[object]) -> None:
    """Make the horizontal axis a row of evenly spaced levels of a setting."""
    axes.set_xticks(range(len(levels)), [plain_number(level) for level in levels])
    axes.set_xlim(-0.35, max(len(levels) - 0.65, 0.35))


def from_zero(axes: Axes) -> None:
    """Let the vertical axis begin at zero, or where values below it do, with room above the largest."""
    least, most = min(0.0, axes.dataLim.ymin), max(0.0, axes.dataLim.ymax)
    axes.set_ylim(least, most + ROOM_ABOVE * ((most - least) or 1.0))


def rows(axes: Axes, words: Sequence[str]) -> None:
    """Make the vertical axis a list of `words`, the first on top."""
    axes.set_yticks(range(len(words)), words)
    axes.set_ylim(len(words) - 0.4, -0.6)
    axes.tick_params(axis="y", labelcolor=INK)


def y_ticks(axes: Axes, unit: str) -> None:
    """Give the vertical axis a handful of ticks in `unit`, each with a line across the panel."""
    axes.grid(axis="y")
    axes.yaxis.set_major_formatter(in_units(unit))
    axes.locator_params(axis="y", nbins=4)


def log_x(axes: Axes, unit: str) -> None:
    """Make the horizontal axis logarithmic, with a handful of ticks whether it spans an octave or six decades."""
    axes.set_xscale("log")
    _log_ticks(axes.xaxis, axes.get_xlim(), unit)
    axes.grid(axis="x")


def log_y(axes: Axes, unit: str) -> None:
    """Make the vertical axis logarithmic, as `log_x` does the horizontal one."""
    axes.set_yscale("log")
    _log_ticks(axes.yaxis, axes.get_ylim(), unit)
    axes.grid(axis="y")


def _log_ticks(axis: Axis, limits: tuple[float, float], unit: str) -> None:
    decades = math.log10(limits[1] / limits[0])
    subs = (1.0, 2.0, 5.0) if decades < 1.6 else (1.0, 3.0) if decades < 3.2 else (1.0,)  # noqa: PLR2004
    # Within a decade, matplotlib would replace a LogLocator by one of many ticks.
    axis.set_major_locator(LogLocator(subs=subs, numticks=9) if decades >= 1 else MaxNLocator(4))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(in_units(unit))


UNITS_OF_TICKS = frozenset({"s", "bytes", "bytes/s", "share"})  # are written at each tick, not in the label


def in_units(unit: str) -> Formatter:
    """Return a formatter of ticks in SI units with prefixes; a rate or a count below a million is written in full."""
    if unit == "share":
        return PercentFormatter(1, decimals=0, symbol=f"{THIN}%")
    if unit in {"s", "bytes", "bytes/s"}:
        return EngFormatter(unit.replace("bytes", "B"), sep=THIN)
    return FuncFormatter(lambda value, _: f"{value:,.6g}".replace(",", THIN))


def svg(figure: Figure, salt: str) -> str:
    """Return the figure as SVG; equal figures give equal texts, and `salt` keeps the ids of two figures apart."""
    buffer = io.StringIO()
    with in_our_style(), mpl.rc_context({"svg.hashsalt": salt}):
        _lay_out(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return re.sub(r"(font: [^;\"]*?)'DejaVu Sans'[^;\"]*", rf"\g<1>{FONTS}", buffer.getvalue())


def _lay_out(figure: Figure) -> None:
    """Place everything, once: a layout takes as long as a drawing."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine(None)


def inline(svg_text: str) -> str:
    """Return an SVG for the inside of a page: colours by their names in `COLOURS`, light or dark as the page is.

    The document's head goes, and its size, which the page decides.
    """
    body = svg_text[svg_text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(
        r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", body, count=1), count=1
    )
    return re.sub("|".join(COLOURS), lambda colour: f"var(--{COLOURS[colour[0]][0]})", body)


def palette() -> str:
    """Return the style sheet that gives `COLOURS`' names their colours."""
    light = " ".join(f"--{name}: {colour};" for colour, (name, _) in COLOURS.items())
    dark = " ".join(f"--{name}: {colour};" for name, colour in COLOURS.values())
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def png(figure: Figure) -> bytes:
    """Return the figure as PNG, on white."""
    buffer = io.BytesIO()
    with in_our_style():
        _lay_out(figure)
        figure.savefig(buffer, format="png")
    return buffer.getvalue()
