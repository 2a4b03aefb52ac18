"""Every example in a docstring of reports/ is true."""

import doctest
import importlib
from pathlib import Path

import pytest

import loaderbench.reports

MODULES = sorted(path.stem for path in Path(loaderbench.reports.__path__[0]).glob("[a-z]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_hold(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"loaderbench.reports.{name}"))
    assert found.failed == 0
