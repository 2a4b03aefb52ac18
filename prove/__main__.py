"""``make prove``: are the measurements right? Measures what the tests, which look at no clock, cannot assert.

    python -m prove                      # everything: on an otherwise idle machine
    python -m prove --list               # the topics, what they ask, and the minutes that they take
    python -m prove fidelity breakdown   # some topics
    python -m prove --markdown FILE      # and the tables as Markdown, to paste into docs/prove.md
    python -m prove --short              # a little of every row: whether it can be measured at all, in a minute

After each topic FILE is written again, and Ctrl-C keeps what was measured. Exit code 1: a goal is missed; of the short
form, a row is missing or not finite. 130: interrupted.
"""

import argparse
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pytest_benchmark.utils import get_commit_info

from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.child import freeze_objects
from loaderbench.reports.documents.document import Document
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.render.terminal import print_document
from loaderbench.reports.vocabulary import ExitCode
from prove.commands import fork_commands
from prove.goals import Result, document, exit_code
from prove.measuring import INTERRUPTED, Measuring
from prove.scope import Scope
from prove.topics import TOPICS


def main() -> int:
    """Measure, print the table, write it if asked to, and return the exit code."""
    options = _options()
    if options.list:
        _print_topics()
        return ExitCode.FINE
    topics = [topic for topic in TOPICS if not options.topics or topic.name in options.topics]
    about = _about()

    def table(results: Sequence[Result]) -> Document:
        return document(results, about, short=options.short)

    def keep(results: Sequence[Result]) -> None:
        if options.markdown:
            options.markdown.write_text(pasted(markdown(table(results))), encoding="utf-8")

    if options.short:
        fork_commands()
    freeze_objects()
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        scope = Scope(folder=Path(folder), short=options.short)
        results = Measuring(topics=topics, scope=scope, keep=keep).run()
    keep(results)
    print_document(table(results))
    if any(result.fault == INTERRUPTED for result in results):
        return ExitCode.INTERRUPTED
    return exit_code(results, short=options.short)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m prove", description="Goals, and what is measured for each.")
    names = [topic.name for topic in TOPICS]
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--list", action="store_true", help="print the topics, with the minutes that they usually take")
    parser.add_argument("--short", action="store_true", help="a little of every row, in a minute; judges no value")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the tables there as well, as docs/prove.md has them"
    )
    options = parser.parse_args()
    if unknown := set(options.topics) - set(names):
        parser.error(f"no topic {', '.join(sorted(unknown))}; the topics are {', '.join(names)}")
    return options


def _print_topics() -> None:
    width = max(len(topic.name) for topic in TOPICS)
    for topic in TOPICS:
        print(f"{topic.name:{width}}  {topic.minutes:3.0f} min  {topic.question}")
    print(f"{'all':{width}}  {sum(topic.minutes for topic in TOPICS):3.0f} min")


def pasted(page: str) -> str:
    r"""Return Markdown as a section of another page: without its title, its headings one level lower.

    >>> pasted("# Goals\n\nOn a machine\n\n## gates\n")
    'On a machine\n\n### gates\n'
    """
    return page.partition("\n\n")[2].replace("\n## ", "\n### ")


def _about() -> tuple[str, ...]:
    """Return the command, the code and the machine, in a line."""
    facts, commit = machine.facts(), get_commit_info()
    command = " ".join(("python -m prove", *sys.argv[1:])).partition(" --markdown")[0]
    changed = ", with changes that are not committed" if commit.get("dirty") else ""
    code = f"loaderbench {version('loaderbench')}, commit {commit['id'][:12]}{changed}"
    cpus = f"{facts.get('cpu_model', 'unknown CPU')}, {machine.usable_cpus()} CPUs"
    versions = f"torch {facts.get('torch', '?')}, Python {platform.python_version()}"
    return (f"{command}; {code}; {cpus}; {versions}; {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",)


if __name__ == "__main__":
    sys.exit(main())
