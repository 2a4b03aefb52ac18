"""The structure: which package may import which, without cycles, and what no package may be called."""

import ast
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[1]
TOP = ("benches", "datasets", "reports")
SOURCES = sorted(path for name in TOP for path in (CLONE / name).rglob("*.py"))

# What each part may import, beside what lies in itself.
LOWER = tuple(f"reports.{name}" for name in ("vocabulary", "units", "wording", "text", "records", "stats"))
MEANING = tuple(f"reports.{name}" for name in ("check", "explain", "gate", "history", "tune", "watch", "whatif"))
HARNESS = ("datasets", "benches.harness")
COMMANDS = tuple(f"benches.{name}" for name in ("check", "explain", "gate", "run", "tune", "watch", "whatif"))
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "datasets": (),
    **{name: LOWER[:place] for place, name in enumerate(LOWER)},
    **dict.fromkeys(MEANING, LOWER),
    "reports.figures": (*LOWER, *MEANING),
    "reports.documents": (*LOWER, *MEANING, "reports.figures"),
    "reports.render": (*LOWER, *MEANING, "reports.figures", "reports.documents"),
    "benches.harness": (
        "datasets",
        "reports.vocabulary",
        "reports.units",
        "reports.records.schema",
        "reports.records.slow_samples",
        "reports.records.json_files",
        "reports.records.run_json",
    ),
    "benches.bench": (*HARNESS, "reports.vocabulary", "reports.records.slow_samples"),
    **dict.fromkeys(COMMANDS, (*HARNESS, "reports")),
    "benches.tune": (*HARNESS, "benches.check", "benches.explain", "reports"),  # it tries what they know
    "benches.cli": (*HARNESS, *COMMANDS, "reports"),
}
# What lies directly in the harness, lowest first: each imports only itself and what stands before it.
HARNESS_ORDER = (
    *("errors", "progress", "system", "samples", "failures", "loading", "tracing", "training"),
    *("cases", "measuring", "ranks", "session", "plugin"),
)
NEVER_TORCH = "reports"


def module_of(path: Path) -> str:
    """Return a source's name below ``loaderbench``: ``reports/stats/summary.py`` is ``reports.stats.summary``."""
    return ".".join(path.relative_to(CLONE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in SOURCES}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Every name that the file at `path` imports, wherever in it."""
    return tuple(_imported(path))


def modules_of_ours(path: Path) -> set[str]:
    """Modules of ours that the file at `path` imports, or takes names from."""
    names = {name.removeprefix("loaderbench.") for name in imported(path) if name.startswith("loaderbench.")}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names} - {module_of(path)}


def part_of(module: str) -> str:
    """Return the part of the structure that a module belongs to."""
    if module.startswith("benches.bench_"):
        return "benches.bench"
    first, _, rest = module.partition(".")
    return first if first == "datasets" or not rest else f"{first}.{rest.partition('.')[0]}"


def lies_in(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def test_a_module_imports_only_what_its_part_may() -> None:
    forbidden = {}
    for module in (name for name in MODULES if part_of(name) not in TOP or name in TOP):
        part = part_of(module)
        allowed = (part, *ALLOWED.get(part, ()))
        ours = sorted(modules_of_ours(MODULES[module]))
        forbidden[module] = [name for name in ours if not any(lies_in(name, place) for place in allowed)]
    assert {module: names for module, names in forbidden.items() if names} == {}
    assert len(forbidden) > 300


@pytest.mark.parametrize("place", range(len(HARNESS_ORDER)), ids=HARNESS_ORDER)
def test_folders_of_the_harness_import_only_what_stands_before_them(place: int) -> None:
    part, *later = (f"benches.harness.{name}" for name in HARNESS_ORDER[place:])
    modules = [name for name in MODULES if lies_in(name, part)]
    assert {name: wrong for name in modules if (wrong := _below(later, modules_of_ours(MODULES[name])))} == {}
    assert modules


def _below(parts: list[str], modules: set[str]) -> list[str]:
    return sorted(name for name in modules if any(lies_in(name, part) for part in parts))


def test_every_part_of_the_structure_has_a_rule() -> None:
    assert {part_of(name) for name in MODULES} - set(ALLOWED) <= {"benches", "reports"}
    inside = {name.split(".")[2] for name in MODULES if name.startswith("benches.harness.")}
    assert inside == set(HARNESS_ORDER)


@pytest.mark.parametrize("level", ["modules", "packages"])
def test_there_is_no_cycle(level: str) -> None:
    """Of packages: every folder is one, and so is every module that lies directly in ``reports`` or in the harness."""

    def node(module: str) -> str:
        folder = module.rpartition(".")[0]
        is_package = MODULES[module].name == "__init__.py"
        return module if level == "modules" or is_package or folder in {*TOP, "benches.harness"} else folder

    graph: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        graph.setdefault(node(module), set()).update(node(name) for name in modules_of_ours(path))
    for name, known in graph.items():
        known.discard(name)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_reports_never_import_torch() -> None:
    reports = [name for name in MODULES if lies_in(name, NEVER_TORCH)]
    assert [
        module
        for module in reports
        if any(name.split(".")[0].startswith("torch") for name in imported(MODULES[module]))
    ] == []
    assert reports


def test_no_one_imports_a_bench() -> None:
    benches = {name for name in MODULES if part_of(name) == "benches.bench"}
    assert [name for name, path in MODULES.items() if benches & modules_of_ours(path)] == []


def test_a_class_has_a_name_of_its_own() -> None:
    places: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module)
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


def test_datasets_and_its_folders_are_no_packages_which_would_shadow_hugging_face_s() -> None:
    assert list((CLONE / "datasets").rglob("__init__.py")) == []


def test_there_is_no_directory_called_loaderbench() -> None:
    assert not (CLONE / "loaderbench").exists()


def test_no_module_takes_a_name_of_the_standard_library() -> None:
    assert [module for module in MODULES if module.rpartition(".")[2] in sys.stdlib_module_names] == []


def test_the_tests_of_every_package_are_collected(pytestconfig: pytest.Config) -> None:
    folders = {path.parent for path in (CLONE / "tests").rglob("test_*.py")}
    names = {name for folder in folders for name in folder.relative_to(CLONE / "tests").parts}
    assert names >= {*TOP, "prove"}
    assert not [name for name in names if any(fnmatch(name, skip) for skip in pytestconfig.getini("norecursedirs"))]
