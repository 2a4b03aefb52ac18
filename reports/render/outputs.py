"""Files of pictures, until the gate is a `Document`."""

from collections.abc import Iterable, Iterator

from loaderbench.reports.figures.catalogue import Picture

PAGE = "report.html"


def pictured(pictures: Iterable[Picture]) -> Iterator[tuple[str, bytes]]:
    for picture in pictures:
        yield f"figures/{picture.plot.name}.svg", picture.svg.encode()
        yield f"figures/{picture.plot.name}.png", picture.png
