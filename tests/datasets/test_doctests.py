"""Every example in a docstring of datasets/ is true."""

import doctest
import importlib
from pathlib import Path

import pytest

from loaderbench.datasets import catalog

FOLDER = Path(catalog.__file__).parent
MODULES = sorted(".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_hold(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"loaderbench.datasets.{module}")).failed == 0
