"""The files of a judgement, as names and bytes; writing them is the command line's."""

from collections.abc import Iterator

from loaderbench.reports.figures.gate import pictures
from loaderbench.reports.gate.comparison import Judgement
from loaderbench.reports.render.gate_exports import bencher, dumps, github_action_benchmark, junit
from loaderbench.reports.render.gate_markdown import gate_markdown
from loaderbench.reports.render.gate_page import gate_page
from loaderbench.reports.render.outputs import PAGE, pictured

VERDICT = "verdict.json"


def outputs(held: Judgement) -> Iterator[tuple[str, bytes]]:
    """Yield each file's path within the gate's folder, and its content; the verdict first, as all else can be lost."""
    yield VERDICT, dumps(held.document()).encode()
    yield "gate.md", gate_markdown(held).encode()
    yield "junit.xml", junit(held).encode()
    for name, content in github_action_benchmark(held).items():
        yield name, content.encode()
    yield "bencher.json", bencher(held).encode()
    drawn = tuple(pictures(held))
    yield from pictured(drawn)
    yield PAGE, gate_page(held, drawn).encode()
