"""The files of a `Document`, as names and bytes; writing them is the command line's."""

from collections.abc import Iterator

from loaderbench.reports.documents.document import Document
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.render.webpage import page


def files(document: Document, stem: str) -> Iterator[tuple[str, bytes]]:
    """Yield each file's path within its folder, and its content: figures, ``<stem>.md``, and ``<stem>.html`` last."""
    for figure in document.figures:
        yield f"figures/{figure.name}.svg", figure.svg.encode()
        yield f"figures/{figure.name}.png", figure.png
    yield f"{stem}.md", markdown(document).encode()
    yield f"{stem}.html", page(document).encode()
