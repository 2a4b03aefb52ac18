"""Every example in a docstring of reports/ is true."""

import doctest
import importlib
import pkgutil

import loaderbench.reports


def test_docstring_examples_hold() -> None:
    modules = [module.name for module in pkgutil.walk_packages(loaderbench.reports.__path__, "loaderbench.reports.")]
    results = {name: doctest.testmod(importlib.import_module(name)) for name in modules}
    assert [name for name, result in results.items() if result.failed] == []
    assert sum(result.attempted for result in results.values()) > 0
