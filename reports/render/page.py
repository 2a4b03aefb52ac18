"""The report as one HTML file that needs nothing else: style, script, figures and data are inside."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from loaderbench.reports.documents.cases import columns, listed
from loaderbench.reports.documents.document import Items, Table, Text
from loaderbench.reports.documents.explain import explain_section
from loaderbench.reports.documents.provenance import machine_line, notices, provenance_line, run_line
from loaderbench.reports.documents.report import Report
from loaderbench.reports.documents.verdict import Verdict, evidence, given
from loaderbench.reports.explain.ranking import Ranking
from loaderbench.reports.figures.catalogue import Picture
from loaderbench.reports.figures.style import inline, palette
from loaderbench.reports.stats.recommendation import COARSE, NEGLIGIBLE
from loaderbench.reports.text import plain
from loaderbench.reports.units import percent, quantity
from loaderbench.reports.vocabulary import sample_rate

ROWS_A_PAGE = 50  # of the table of cases
POINTS_TO_PIXELS = 1.4  # of a figure: its smallest letters are then as large as the page's smallest


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A horizontal bar beside a verdict; `share` is its length."""

    label: str
    kind: str
    share: float
    value: str


@cache
def environment() -> Environment:
    """Return the templates' environment: HTML is escaped, an undefined name is an error."""
    loader = PackageLoader("loaderbench.reports.render")
    held = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    held.filters |= {
        "plain": plain,
        "bars": bars,
        "given": given,
        "evidence": lambda choice, dataset: evidence(choice, sample_rate(dataset)),
    }
    return held


def page(report: Report) -> str:
    """Render the report as HTML."""
    return rendered(
        "report.html",
        styles=("report.css",),
        scripts=("report.js", "copy.js"),
        title=provenance_line(report.run),
        machine=machine_line(report.run),
        provenance=provenance_line(report.run),
        notices=list(notices(report)),
        verdicts=report.verdicts,
        sections=sections(report.pictures),
        explained=[_explained(each) for each in report.explained],
        table=_data(report),
        tie=quantity(1 - NEGLIGIBLE, "ratio"),
        sure=quantity(1 - COARSE, "ratio"),
        runs=[run_line(run) for run in report.records.runs],
    )


def rendered(template: str, *, styles: Sequence[str], scripts: Sequence[str], **held: object) -> str:
    """Render one of our templates with our style sheets and scripts inside; no other script may run."""
    script = "\n".join(map(_source, scripts))
    return (
        environment()
        .get_template(template)
        .render(
            style=Markup(palette() + "".join(map(_source, styles))),  # noqa: S704 - ours
            script=Markup(script),  # noqa: S704 - ours
            script_hash=_hash(script),
            version=version("loaderbench"),
            **held,
        )
    )


def _source(name: str) -> str:
    source, _, _ = environment().loader.get_source(environment(), name)  # type: ignore[union-attr]  # it has one
    return source


def _hash(script: str) -> str:
    """Return what the page's policy calls its own script: no other one runs."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def bars(verdict: Verdict) -> list[Bar]:
    """Return the ceiling triple as bars; of the loader alone the recommended setting and the best."""
    recommendation = verdict.recommendation
    chosen, best = recommendation.headline.chosen, recommendation.headline.best
    if recommendation.bench == "training":
        held = [
            ("loader alone", "loader", chosen["loader_samples_per_s"]),
            ("step alone", "step", chosen["step_samples_per_s"]),
            ("both", "both", chosen["samples_per_s"]),
        ]
    else:
        held = [("this setting", "loader", chosen["samples_per_s"])]
        held += [("the best", "both", best["samples_per_s"])] if chosen["case"] != best["case"] else []
    known = [(label, kind, float(rate)) for label, kind, rate in held if rate == rate]  # noqa: PLR0124 - not NaN
    longest = max(rate for _, _, rate in known)
    unit = sample_rate(recommendation.dataset)
    found = [
        Bar(label=label, kind=kind, share=rate / longest, value=quantity(rate, unit)) for label, kind, rate in known
    ]
    if recommendation.bench == "training" and chosen["stall_share"] >= 0:
        waiting = float(chosen["stall_share"])
        found.append(Bar(label="waiting", kind="wait", share=waiting, value=percent(waiting)))
    return found


def sections(pictures: Iterable[Picture]) -> list[dict[str, object]]:
    """Return the pictures as the templates show them, by section."""
    return [
        {"id": title.lower(), "title": title, "pictures": [_figure(picture) for picture in held]}
        for title, held in groupby(pictures, key=lambda picture: picture.plot.section)
    ]


def _explained(found: Ranking) -> dict[str, object]:
    *about, headline, ranked, memory = explain_section(found).parts
    if not (isinstance(headline, Text) and isinstance(ranked, Table) and isinstance(memory, Items)):
        raise TypeError("an explanation is a headline, a table and items")
    shown = [number for number, column in enumerate(ranked.columns) if "html" in column.on]
    return {
        "about": [part.text for part in about if isinstance(part, Text)],
        "headline": headline.text,
        "columns": [ranked.columns[number].label for number in shown],
        "rows": [
            (kind, [row[number].text for number in shown]) for kind, row in zip(ranked.kinds, ranked.rows, strict=True)
        ],
        "memory": memory.items,
    }


def _figure(picture: Picture) -> dict[str, object]:
    return {
        "name": picture.plot.name,
        "title": picture.plot.title,
        "reading": picture.plot.reading,
        "width": round(POINTS_TO_PIXELS * picture.width),
        "svg": Markup(inline(picture.svg)),  # noqa: S704 - matplotlib has escaped every text in it
    }


def _data(report: Report) -> Markup:
    """Return the table's data as JSON that cannot end its script element."""
    held = columns(report, listed(report))
    described = [
        {"name": column.name, "label": column.label, "number": column.number, "meaning": column.meaning}
        for column in held
    ]
    rows = list(zip(*(column.cells for column in held), strict=True))
    return htmlsafe_json_dumps(
        {"columns": described, "rows": rows, "page": ROWS_A_PAGE}, ensure_ascii=False, separators=(",", ":")
    )
