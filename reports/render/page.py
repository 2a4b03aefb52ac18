"""The gate's page, until it is a `Document`."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from loaderbench.reports.figures.catalogue import Picture
from loaderbench.reports.figures.style import inline, palette
from loaderbench.reports.render.webpage import POINTS_TO_PIXELS, _hash, _ours
from loaderbench.reports.text import plain


@cache
def environment() -> Environment:
    loader = PackageLoader("loaderbench.reports.render")
    held = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    held.filters |= {"plain": plain}
    return held


def rendered(template: str, *, styles: Sequence[str], scripts: Sequence[str], **held: object) -> str:
    script = "\n".join(map(_ours, scripts))
    return (
        environment()
        .get_template(template)
        .render(
            style=Markup(palette() + "".join(map(_ours, styles))),  # noqa: S704 - ours
            script=Markup(script),  # noqa: S704 - ours
            script_hash=_hash(script),
            version=version("loaderbench"),
            **held,
        )
    )


def sections(pictures: Iterable[Picture]) -> list[dict[str, object]]:
    """Return the pictures as the templates show them, by section."""
    return [
        {"id": title.lower(), "title": title, "pictures": [_figure(picture) for picture in held]}
        for title, held in groupby(pictures, key=lambda picture: picture.plot.section)
    ]


def _figure(picture: Picture) -> dict[str, object]:
    return {
        "name": picture.plot.name,
        "title": picture.plot.title,
        "reading": picture.plot.reading,
        "width": round(POINTS_TO_PIXELS * picture.width),
        "svg": Markup(inline(picture.svg)),  # noqa: S704 - matplotlib has escaped every text in it
    }
