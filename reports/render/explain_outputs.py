"""The files of an explanation: what was measured, and the ranking as Markdown."""

import json
from collections.abc import Iterator

from loaderbench.reports.explain.ranking import DOCUMENT, Ranking
from loaderbench.reports.render.markdown import explained
from loaderbench.reports.text import shell

PAGE = "explain.md"


def outputs(found: Ranking) -> Iterator[tuple[str, bytes]]:
    """Yield each file's name and content."""
    yield DOCUMENT, json.dumps(found.about, indent=1).encode()
    yield PAGE, "\n".join(page(found)).encode()


def page(found: Ranking) -> Iterator[str]:
    """Render the ranking as Markdown, line by line."""
    yield from ("# What would make this loader faster", "", *explained(found))
    yield from ("", "```", shell([str(word) for word in found.about["command"]]), "```", "")
