"""A plugin that answers once for all blocks what takes pytest-benchmark 0.3 s in each: which CPU, and which commit.

The commit is not asked for: the command knows the revisions.
"""

from typing import Any

import pytest
from pytest_benchmark import plugin


class KnownMachine:
    """To be registered beside pytest-benchmark, which is then not asked."""

    def __init__(self) -> None:
        self._facts = plugin.pytest_benchmark_generate_machine_info()

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_generate_machine_info(self) -> dict[str, Any]:
        """Return the facts of the machine."""
        return dict(self._facts)

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_generate_commit_info(self) -> dict[str, Any]:
        """Return nothing."""
        return {}
