"""Does the history stay quick as it grows?

**Timed**: fresh processes, imports and all. *Add* is one run of 10 000 cases with 10 rounds each, 100 000 case-rounds;
*show* is one case of 100 in a history of 1000 runs, 100 000 cases. In both the database is SQLite on disk.

It is no bench of a user's data, and is run by name alone::

    pytest -s tests/reports/history/scale_history.py

To reach: add in 60 s, show in 1 s beyond the import of what it needs.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from loaderbench.benches.cli import main as cli

MAIN = "import sys; from loaderbench.benches.cli.main import main; sys.exit(main(sys.argv[1:]))"
IMPORT = (
    "import loaderbench.benches.cli.main, loaderbench.reports.history.queries, loaderbench.reports.documents.history"
)
RUNS, CASES = 1000, 100


def seconds(code: str, *words: str) -> float:
    """Seconds of a fresh process."""
    started = perf_counter()
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)
    return perf_counter() - started


def test_add(synthetic: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(synthetic().epochs(10_000, 10)))
    database = tmp_path / "history.sqlite"
    took = seconds(MAIN, "history", "add", str(tmp_path), "--db", str(database))
    print(f"\n100 000 case-rounds added: {took:.1f} s, {database.stat().st_size / 1e6:.0f} MB on disk")  # noqa: T201
    assert took < 60


def test_show(trunk: Callable[..., Any], tmp_path: Path) -> None:
    for number in range(RUNS):
        (tmp_path / f"{number}.json").write_text(json.dumps(trunk(number, cases=CASES)))
    database = str(tmp_path / "history.sqlite")
    cli.main(["history", "add", *map(str, tmp_path.glob("*.json")), "--db", database])
    show = ("history", "show", "bench_epoch[images-workers=50]", "--db", database)
    whole = min(seconds(MAIN, *show) for _ in range(3))
    imports = min(seconds(IMPORT) for _ in range(3))
    changes = seconds(MAIN, "history", "changes", "--db", database)
    print(f"\nshow: {whole:.2f} s, of which imports {imports:.2f} s; changes of {CASES} cases: {changes:.2f} s")  # noqa: T201
    assert whole - imports < 1
