"""The files of an explanation: what was measured, and the ranking as Markdown."""

from collections.abc import Iterator

import msgspec

from loaderbench.reports.explain.ranking import Ranking
from loaderbench.reports.explain.record import FILE
from loaderbench.reports.render.markdown import explained
from loaderbench.reports.text import shell

PAGE = "explain.md"


def outputs(found: Ranking) -> Iterator[tuple[str, bytes]]:
    """Yield each file's name and content."""
    yield FILE, msgspec.json.format(msgspec.json.encode(found.explanation), indent=1)
    yield PAGE, "\n".join(page(found)).encode()


def page(found: Ranking) -> Iterator[str]:
    """Render the ranking as Markdown, line by line."""
    yield from ("# What would make this loader faster", "", *explained(found))
    yield from ("", "```", shell(found.explanation.command), "```", "")
