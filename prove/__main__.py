"""``make prove``: are the measurements right? Measures what the tests, which look at no clock, cannot assert.

    python -m prove                      # everything: some 90 minutes on an otherwise idle machine
    python -m prove fidelity breakdown   # some topics
    python -m prove --markdown FILE      # and the tables as Markdown, to paste into docs/prove.md
    python -m prove --short              # a little of every row: whether it can be measured at all, in a minute

Exit code 1: a goal is missed; of the short form, a row is missing or not finite.
"""

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pytest_benchmark.utils import get_commit_info

from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.child import freeze_objects
from loaderbench.benches.harness.system.devices import available
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.render.terminal import print_document
from prove import (
    answers,
    breakdown,
    causes,
    changes,
    device_waits,
    fidelity,
    gates,
    predictions,
    recommendations,
    scale,
    startup,
    watched_scripts,
)
from prove.goals import Result, Scope, Topic, document, exit_code

TOPICS: Sequence[Topic] = (
    fidelity.TOPIC,
    breakdown.TOPIC,
    startup.TOPIC,
    causes.TOPIC,
    predictions.TOPIC,
    gates.TOPIC,
    recommendations.TOPIC,
    answers.TOPIC,
    changes.TOPIC,
    scale.TOPIC,
    watched_scripts.TOPIC,
    *((device_waits.TOPIC,) if "cuda" in available() else ()),
)
IN_THIS_PROCESS = (breakdown.TOPIC,)  # it forks workers: measured before there are threads
LONGEST = (answers.TOPIC, predictions.TOPIC, fidelity.TOPIC)  # of the short form: begun first; others fit beside them


def main() -> int:
    """Measure, print the table, write it if asked to, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m prove", description="Goals, and what is measured for each.")
    names = [topic.name for topic in TOPICS]
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--short", action="store_true", help="a little of every row, in a minute; judges no value")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the tables there as well, as docs/prove.md has them"
    )
    options = parser.parse_args()
    if unknown := set(options.topics) - set(names):
        parser.error(f"no topic {', '.join(sorted(unknown))}; the topics are {', '.join(names)}")
    topics = [topic for topic in TOPICS if not options.topics or topic.name in options.topics]
    freeze_objects()
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        results = _measured(topics, Scope(folder=Path(folder), short=options.short))
    table = document(results, _about(), short=options.short)
    print_document(table)
    if options.markdown:
        options.markdown.write_text(pasted(markdown(table)), encoding="utf-8")
    return exit_code(results, short=options.short)


def pasted(page: str) -> str:
    r"""Return Markdown as a section of another page: without its title, its headings one level lower.

    >>> pasted("# Goals\n\nOn a machine\n\n## gates\n")
    'On a machine\n\n### gates\n'
    """
    return page.partition("\n\n")[2].replace("\n## ", "\n### ")


def _measured(topics: Sequence[Topic], scope: Scope) -> list[Result]:
    """Measure one topic after the other; of the short form, which judges no value, three at a time."""
    first = {topic.name: _result(topic, scope) for topic in topics if topic in IN_THIS_PROCESS}
    others = [topic for topic in topics if topic not in IN_THIS_PROCESS]
    if scope.short:
        others.sort(key=lambda topic: topic not in LONGEST)
    with ThreadPoolExecutor(max_workers=scope.of(1, 3)) as pool:
        then = dict(zip([topic.name for topic in others], pool.map(lambda t: _result(t, scope), others), strict=True))
    return [{**first, **then}[topic.name] for topic in topics]


def _result(topic: Topic, scope: Scope) -> Result:
    folder = scope.folder / topic.name
    folder.mkdir()
    own = Scope(folder=folder, short=scope.short)
    began = time.perf_counter()
    try:
        measured = topic.measure(own)
        details = tuple(topic.details(own)) if topic.details else ()
    except Exception as error:  # noqa: BLE001 - the other topics are measured all the same, and this one is not met
        result = Result(topic=topic, measured={}, fault=f"{type(error).__name__}: {' '.join(str(error).split())}")
    else:
        result = Result(topic=topic, measured=measured, details=details)
    print(f"{topic.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return result


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
