"""What pytest-benchmark asks for in each session is known already, whichever plugin was registered first."""

import pytest
from pytest_benchmark import hookspec, plugin

from loaderbench.benches.gate.known_machine import KnownMachine


@pytest.mark.parametrize("is_first", [True, False])
def test_pytest_benchmark_itself_is_not_asked(is_first: bool) -> None:
    known = KnownMachine()
    manager = pytest.PytestPluginManager()
    manager.add_hookspecs(hookspec)
    for registered in (known, plugin) if is_first else (plugin, known):
        manager.register(registered)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugin, "get_cpu_info", lambda: pytest.fail("pytest-benchmark was asked for the CPU"))
        patch.setattr(plugin, "get_commit_info", lambda **_: pytest.fail("pytest-benchmark was asked for the commit"))
        machine = manager.hook.pytest_benchmark_generate_machine_info(config=None)
        commit = manager.hook.pytest_benchmark_generate_commit_info(config=None)
    assert machine["cpu"]["count"] > 0
    assert commit == {}
