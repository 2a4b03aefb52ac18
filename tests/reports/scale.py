"""Does a report stay quick as runs grow?

**Timed**: a fresh process, from `run.json` to all outputs on disk, imports and all: what `loaderbench report` takes.
**Read** as well: the highest resident memory of that process. The runs are synthetic: cases × rounds as named.

It is no bench of a user's data, and is run by name alone::

    pytest tests/reports/scale.py

To reach: 100 000 case-rounds in 10 s and 1 GB, growing linearly.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# In the process itself: the highest resident memory, in kB on Linux and in bytes on macOS.
REPORT = """
import resource, sys
from loaderbench.benches.cli.main import main
code = main(["report", sys.argv[1], "--out", sys.argv[2]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("cases", "rounds"), [(100, 10), (1_000, 10), (10_000, 10), (1_000, 100)], ids="{}-cases".format
)
def bench_report(benchmark: Any, synthetic: Callable[..., Any], tmp_path: Path, cases: int, rounds: int) -> None:
    """Seconds from run.json to all outputs."""
    (tmp_path / "run.json").write_text(json.dumps(synthetic().epochs(cases, rounds)))

    def report() -> int:
        command = [sys.executable, "-c", REPORT, str(tmp_path), str(tmp_path / "out")]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(ended.stdout.splitlines()[-1])

    peak_bytes = benchmark.pedantic(report, rounds=3, warmup_rounds=1)
    benchmark.extra_info["peak_bytes"] = peak_bytes
    benchmark.extra_info["case_rounds"] = cases * rounds
    print(f"\n{cases * rounds} case-rounds: {min(benchmark.stats.stats.data):.2f} s, {peak_bytes / 1e6:.0f} MB")  # noqa: T201 - what it is run for
