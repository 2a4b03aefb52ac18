"""How figures look, and how they become bytes: palette, sheets of panels, SVG and PNG."""

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, FuncFormatter, LogLocator, NullLocator

from loaderbench.reports.units import quantity

INK, MUTED, GRID, PAPER = "#1f2430", "#69707d", "#e3e5e9", "#ffffff"

# M. Okabe, K. Ito, "Color Universal Design" (2008): told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
SERIES = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)

# Each colour's name on the page, and its counterpart on a dark one. What is not listed looks the same on both.
THEMES: Mapping[str, tuple[str, str]] = {
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

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib; wider than what browsers put in its place, so all fits
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold dollar signs
    "axes.edgecolor": GRID,
    "axes.linewidth": 0.8,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "figure.facecolor": PAPER,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",  # texts stay texts: small, sharp, selectable
}
DPI = 120

MOST_PANELS = 6
CELLS = {1: 7.4, 2: 4.88, 3: 3.25}  # inches, by the number of columns
MARGIN, HEADER, FOOTER = 0.12, 0.62, 0.52  # inches
OVER_TICKS = 32.0  # points by which a panel's title begins left of its axes: above the tick labels
ABOVE = 0.62  # inches above each panel, for its title and the label of its vertical axis


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """What stands above a figure: what it shows, and in what units, from how many rounds."""

    title: str
    subtitle: str


@contextmanager
def themed() -> Iterator[None]:
    """Draw in our style, and leave the caller's as it was."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # hostile or foreign names
        yield


def sheet(
    heading: Heading,
    panels: int,
    *,
    heights: Sequence[float] = (1.9,),
    left: float = 0.46,
    right: float = 0.62,
    above: float = ABOVE,
) -> tuple[Figure, list[tuple[Axes, ...]]]:
    """Return a figure of `panels`, each a stack of axes of `heights` (inches), with room `left`, `right` and `above`.

    Everything is placed in inches, so that no layout engine need be run and letters never overlap for want of room.
    """
    columns = min(max(CELLS), panels)
    rows = -(-panels // columns)
    cell = CELLS[columns]
    stack = sum(heights) + above * len(heights) + FOOTER
    width, height = 2 * MARGIN + cell * columns, HEADER + rows * stack
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    _head(figure, heading, width, height)
    cells = [(row, column) for row in range(rows) for column in range(columns)][:panels]
    return figure, [
        tuple(
            _axes(figure, MARGIN + column * cell + left, top, cell - left - right, high)
            for top, high in _tops(height - HEADER - row * stack, heights, above)
        )
        for row, column in cells
    ]


def _head(figure: Figure, heading: Heading, width: float, height: float) -> None:
    figure.text(MARGIN / width, 1 - 0.10 / height, heading.title, size=12, weight="bold", va="top")
    figure.text(MARGIN / width, 1 - 0.36 / height, heading.subtitle, size=8.5, color=MUTED, va="top")


def _tops(top: float, heights: Sequence[float], above: float) -> Iterator[tuple[float, float]]:
    """Yield top and height of each of a stack of axes, in inches."""
    for height in heights:
        top -= above
        yield top, height
        top -= height


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, (top - height) / up, width / across, height / up))


def label(axes: Axes, *, title: str = "", x: str = "", y: str = "", offset: float = OVER_TICKS) -> None:
    """Name a panel and its axes; the vertical one's label lies flat above it, where it can be read.

    `offset` (points) moves title and label to the left, over the tick labels.
    """
    axes.annotate(
        title, (0, 1), (-offset, 24), xycoords="axes fraction", textcoords="offset points", weight="bold", size=9
    )
    axes.set_xlabel(x, loc="left", labelpad=4)
    axes.set_ylabel(y, rotation=0, ha="left", va="baseline")
    axes.yaxis.set_label_coords(-offset / (72 * _width(axes)), 1 + 9 / (72 * _height(axes)))


def _width(axes: Axes) -> float:
    return float(axes.get_position().width * axes.figure.get_figwidth())  # type: ignore[union-attr]  # no subfigures


def _height(axes: Axes) -> float:
    return float(axes.get_position().height * axes.figure.get_figheight())  # type: ignore[union-attr]


def name_lines(axes: Axes, names: Sequence[tuple[float, float, str, str]], *, gap: float = 11) -> None:
    """Write names (x, y, text, colour) to the right of the ends of lines, `gap` points apart at least."""
    points_per_unit = 72 * _height(axes) / (axes.get_ylim()[1] - axes.get_ylim()[0])
    lowest = float("-inf")
    for x, y, text, colour in sorted(names, key=lambda name: name[1]):
        lowest = max(y * points_per_unit, lowest + gap)
        beside = (7, lowest - y * points_per_unit)
        axes.annotate(
            text, (x, y), beside, textcoords="offset points", color=colour, va="center", size=8, annotation_clip=False
        )


def steps(axes: Axes, levels: Sequence[object], words: Sequence[str]) -> None:
    """Make the horizontal axis a row of evenly spaced levels."""
    axes.set_xticks(range(len(levels)), words)
    axes.set_xlim(-0.35, max(len(levels) - 0.65, 0.35))


def rows(axes: Axes, words: Sequence[str]) -> None:
    """Make the vertical axis a list of `words`, the first on top."""
    axes.set_yticks(range(len(words)), words)
    axes.set_ylim(len(words) - 0.4, -0.6)
    axes.tick_params(axis="y", labelcolor=INK)


def log_x(axes: Axes, unit: str) -> None:
    """Make the horizontal axis logarithmic, with a handful of ticks whether it spans an octave or six decades."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = math.log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 1.6 else (1.0, 3.0) if decades < 3.2 else (1.0,)  # noqa: PLR2004
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(in_units(unit))
    axes.grid(axis="x")


def in_units(unit: str) -> Formatter:
    """Return a formatter of ticks in SI units."""
    return FuncFormatter(lambda value, _: quantity(value, unit))


def svg(figure: Figure, salt: str) -> str:
    """Return the figure as SVG; equal figures give equal texts, and `salt` keeps the ids of two figures apart."""
    buffer = io.StringIO()
    with themed(), mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return re.sub(r"(font: [^;\"]*?)'DejaVu Sans'[^;\"]*", rf"\g<1>{FONTS}", buffer.getvalue())


def inline(svg_text: str) -> str:
    """Return an SVG for the inside of a page: colours by the names of `THEMES`, so that it is light or dark as that is.

    The document's head goes, and its size, which the page decides.
    """
    body = svg_text[svg_text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(
        r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", body, count=1), count=1
    )
    return re.sub("|".join(THEMES), lambda found: f"var(--{THEMES[found[0]][0]})", body)


def palette() -> str:
    """Return the style sheet that gives `THEMES`' names their colours."""
    light = " ".join(f"--{name}: {colour};" for colour, (name, _) in THEMES.items())
    dark = " ".join(f"--{name}: {colour};" for name, colour in THEMES.values())
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def png(figure: Figure) -> bytes:
    """Return the figure as PNG, on white."""
    buffer = io.BytesIO()
    with themed():
        figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
