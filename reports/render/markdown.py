"""A `Document` as Markdown, as GitHub and GitLab read it: the summary of a CI step, or a comment."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from loaderbench.reports.documents.document import (
    Callout,
    Cell,
    Code,
    Document,
    DrawnFigure,
    Items,
    Part,
    Section,
    Table,
    Terms,
    Text,
    Tone,
)
from loaderbench.reports.text import escaped_markdown as escaped
from loaderbench.reports.text import printable
from loaderbench.reports.units import count

ALERTS: Mapping[Tone, str] = {"good": "TIP", "bad": "CAUTION", "warn": "WARNING", "plain": "NOTE", "muted": "NOTE"}
MOST_CHARACTERS = 25_000  # of one table: GitHub takes 65 536 of a comment, and 1 MiB of a summary
DEEPEST = 6  # level of a heading


def markdown(document: Document) -> str:
    """Return the document as Markdown; texts are escaped, tables cut where they would be too long for a comment."""
    written = [f"<!-- {re.sub('[^a-z0-9 ]', '', document.marker)} -->"] if document.marker else []
    written += [f"# {_text(document.title)}", _broken(document.about)]
    if document.notices:
        written.append(_alert("warn", document.notices))
    written += [text for part in _shown(document.parts) for text in _rendered(part, 2)]
    written.append(_broken(document.footer))
    return "\n\n".join(text for text in written if text) + "\n"


def _shown(parts: Iterable[Part]) -> Iterator[Part]:
    return (part for part in parts if "markdown" in part.on)


def _text(text: str) -> str:
    return escaped(text, None)


def _broken(lines: Sequence[str]) -> str:
    """Keep each text on a line of its own: two spaces at the end of a line break it."""
    return "  \n".join(map(_text, lines))


def _rendered(part: Part, level: int) -> Iterator[str]:
    """Yield the blocks of a part: an empty line parts them."""
    match part:
        case Text():
            yield f"**{_text(part.text)}**" if part.strong else _text(part.text)
        case Items():
            yield _items(part.items)
        case Code():
            yield from _code(part)
        case Table():
            yield from _table(part)
        case DrawnFigure():
            yield f"![{_text(part.title)}](figures/{part.name}.svg)"
            yield _text(part.how_to_read)
        case Terms():
            yield "\n".join(f"- **{_text(term)}**: {_text(meaning)}" for term, meaning in part.terms)
        case Callout():
            yield from _callout(part, level)
        case Section():
            yield from _section(part, level)


def _section(section: Section, level: int) -> Iterator[str]:
    parts = [text for part in _shown(section.parts) for text in _rendered(part, level + 1)]
    if section.folded:
        yield f"<details><summary>{_text(section.title)}</summary>"
        yield from parts
        yield "</details>"
    else:
        yield f"{'#' * min(level, DEEPEST)} {_text(section.title)}"
        yield from parts


def _items(items: Iterable[str]) -> str:
    return "\n".join(f"- {_text(item)}" for item in items)


def _code(code: Code) -> Iterator[str]:
    yield fenced(code.code, code.language)
    if code.note:
        yield _text(code.note)


def fenced(code: str, language: str) -> str:
    """Return code between fences that are longer than any row of backticks inside."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}{language}\n{printable(code)}\n{fence}"


def _callout(callout: Callout, level: int) -> Iterator[str]:
    subject = f"{callout.subject}: " if callout.subject else ""
    yield _alert(callout.tone, callout.faults, headline=subject + callout.headline)
    if callout.sentence:
        yield _text(callout.sentence)
    if callout.bars:
        labels = [escaped(bar.label) for bar in callout.bars]
        yield "\n".join(_lines(labels, [[escaped(bar.value) for bar in callout.bars]]))
    if callout.evidence:
        yield _text(callout.evidence)
    if callout.code and "markdown" in callout.code.on:
        yield from _code(callout.code)
    if callout.doubts:
        yield _items(callout.doubts)
    if callout.command:
        yield "To settle it, run"
        yield fenced(callout.command, "sh")
    for section in _shown(callout.details):
        yield from _rendered(section, level + 1)


def _alert(tone: Tone, lines: Sequence[str], *, headline: str = "") -> str:
    first = [f"**{_text(headline)}**"] if headline else []
    return "\n".join(f"> {line}" for line in (f"[!{ALERTS[tone]}]", *first, *(f"- {_text(line)}" for line in lines)))


def _table(table: Table) -> Iterator[str]:
    """Yield a table of as many rows as it may have and `MOST_CHARACTERS` hold, and how many were left out."""
    shown = [number for number, column in enumerate(table.columns) if "markdown" in column.on]
    rows = table.rows[: table.most_rows.get("markdown")]
    lines = _lines(
        [escaped(table.columns[number].label) for number in shown],
        ([_cell(row[number]) for number in shown] for row in rows),
        numbers=[table.columns[number].number for number in shown],
    )
    kept, left = [next(lines), next(lines)], MOST_CHARACTERS
    for line in lines:
        left -= len(line)
        if left < 0:
            break
        kept.append(line)
    yield "\n".join(kept)
    if more := len(table.rows) - (len(kept) - 2):
        yield f"{count(more, 'more row')} on the HTML page."


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[bool] = ()) -> Iterator[str]:
    """Yield the lines of a table of escaped cells; `numbers` tells which columns are set to the right."""
    rules = ["---:" if number else "---" for number in numbers or [False] * len(head)]
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join(rules)} |"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _cell(cell: Cell) -> str:
    return f"{escaped(cell.text)}<br>{_text(cell.note)}" if cell.note else escaped(cell.text)
