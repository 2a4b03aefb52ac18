"""Every example in a docstring of benches/ is true."""

import doctest
import importlib
import pkgutil

import loaderbench.benches


def test_docstring_examples_hold() -> None:
    modules = [module.name for module in pkgutil.walk_packages(loaderbench.benches.__path__, "loaderbench.benches.")]
    results = {name: doctest.testmod(importlib.import_module(name)) for name in modules if ".bench_" not in name}
    assert [name for name, result in results.items() if result.failed] == []
    assert sum(result.attempted for result in results.values()) > 0
