"""The record's schema can be imported where a benchmark runs: it costs nothing."""

import subprocess
import sys


def test_the_schema_imports_neither_numpy_nor_pandas() -> None:
    code = "import sys, loaderbench.reports.records.schema; print({'numpy', 'pandas', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
