"""How another command names what a script has made: a dataset by its class and its arguments, a function by its module.

Nothing is called, and no attribute is asked for that a class could make up: instances are looked at by ``vars``.
"""

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

MAIN = "__main__"
UNKNOWN = "…"  # stands for a value that the user is to fill in
LONGEST = 200  # characters of a text that is shown as an argument


def name_of(thing: Any) -> str:
    """Return ``module:attribute`` of a class or function, of the script itself by its file's name."""
    if thing is None:
        return ""
    cls = thing if hasattr(thing, "__qualname__") else type(thing)
    module = getattr(cls, "__module__", "") or ""
    return f"{_importable(module)}:{cls.__qualname__}".removeprefix("builtins:")


def _importable(module: str) -> str:
    if module != MAIN:
        return module
    main = sys.modules[MAIN]
    spec = getattr(main, "__spec__", None)
    return spec.name if spec is not None else Path(getattr(main, "__file__", None) or MAIN).stem


def command_facts(dataset: Any) -> dict[str, Any]:
    """Return the options by which a command builds such a dataset, where from, and why it cannot, if so."""
    cls = type(dataset)
    not_importable = why_not_importable(cls)
    if not_importable:
        return {"named_by": [], "not_importable": not_importable}
    named_by = ["--dataset", name_of(cls)]
    if arguments := seen_arguments(dataset):
        named_by += ["--dataset-args", arguments]
    folder = folder_to_import_from(cls.__module__)
    return {"named_by": named_by, **({"python_path": folder} if folder else {})}


def why_not_importable(cls: type) -> str:
    """Return why no command can build a dataset of this class by its name; empty if one can."""
    if cls.__module__ in {"torch.utils.data.dataset", "builtins"}:
        return f"{cls.__name__} is built of what only the script has"
    if "<locals>" in cls.__qualname__:
        return f"{cls.__name__} is defined within a function"
    if cls.__module__ != MAIN:
        return ""
    file = getattr(sys.modules[MAIN], "__file__", None)
    if file is None:
        return f"{cls.__name__} is defined in no file"
    if not _is_guarded(Path(file)):
        name = Path(file).name
        return f"{name} has no `if __name__ == '__main__':`, so that to import {cls.__name__} from it would run it"
    return ""


def _is_guarded(file: Path) -> bool:
    """Return whether a script says what of it is not run where it is imported."""
    try:
        return "__main__" in file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def folder_to_import_from(module: str) -> str:
    """Return the folder of the script, relative to the current one, if `module` lies in it and not here; else empty."""
    main, holder = sys.modules[MAIN], sys.modules.get(module)
    script, file = getattr(main, "__file__", None), getattr(holder, "__file__", None)
    if not script or not file or getattr(main, "__spec__", None) is not None:
        return ""
    folder = Path(script).absolute().parent
    depth = 0 if module == MAIN else module.count(".") + (Path(file).name == "__init__.py")
    is_there = len(Path(file).parents) > depth and Path(file).absolute().parents[depth] == folder
    return "" if not is_there or folder == Path.cwd() else os.path.relpath(folder)


def seen_arguments(dataset: Any) -> str:
    """Return what a dataset was built with, as JSON: what it keeps by the names of its parameters; empty if nothing.

    A parameter without a default, whose value is not kept, is `UNKNOWN`, which is for the user to fill in.
    """
    try:
        parameters = inspect.signature(type(dataset)).parameters.values()
        kept = vars(dataset)
    except (TypeError, ValueError):
        return ""
    seen = []
    for parameter in parameters:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        value = kept.get(parameter.name, kept.get(f"_{parameter.name}", parameter.empty))
        text = _as_json(value)
        if parameter.default is parameter.empty:
            seen.append(f"{json.dumps(parameter.name)}: {text or UNKNOWN}")
        elif text and text != _as_json(parameter.default):
            seen.append(f"{json.dumps(parameter.name)}: {text}")
    return f"{{{', '.join(seen)}}}" if seen else ""


def _as_json(value: Any) -> str:
    """Return a number, a switch, a text or a path as JSON; empty of anything else."""
    if type(value) in {bool, int, float, str, type(None)} or isinstance(value, Path):
        text = json.dumps(value if not isinstance(value, Path) else str(value), ensure_ascii=False)
        return text if len(text) <= LONGEST else ""
    return ""
