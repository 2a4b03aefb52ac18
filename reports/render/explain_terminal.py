"""An explanation on a terminal: the ranking, then what memory does."""

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loaderbench.reports.documents import explain_wording as lines
from loaderbench.reports.explain.ranking import Ranking, Word
from loaderbench.reports.text import plain

COLOURS: Mapping[Word, str] = {
    "helps": "bold green", "unclear": "yellow", "no difference": "dim", "harms": "red", "not run": "dim",
}  # fmt: skip


def shown(found: Ranking) -> RenderableType:
    """The headline, the ranking and memory."""
    first, *others = lines.about(found)
    dim = [*others, lines.waiting(found), lines.epoch(found)]
    return Group(
        Text(plain(first), style="bold"),
        *(Text(plain(line), style="dim") for line in dim if line),
        "",
        _table(found),
        "",
        Text(plain(found.headline), style="bold"),
        *_memory(found),
    )


def _table(found: Ranking) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("cause", "found"):
        table.add_column(name, no_wrap=True)
    table.add_column("of an epoch (95 %)", justify="right", no_wrap=True)
    table.add_column("n", justify="right")
    table.add_column("evidence, and what to change", overflow="fold")
    for cause in found.causes:
        name, word, gain, blocks, evidence, change = map(plain, lines.cells(cause))
        said = Text(evidence, style="dim" if cause.word == "not run" else "")
        if cause.word in ("helps", "unclear"):
            said.append(f"\n{change}", style="cyan")
        table.add_row(Text(name), Text(word, style=COLOURS[cause.word]), gain, blocks, said)
    return table


def _memory(found: Ranking) -> Iterator[Text]:
    yield from (Text(plain(line)) for line in lines.memory(found))
