"""Objects that the command line names: what is refused when they are called, and what to do about it."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.named_object import NamedObject


class Rooted:
    def __init__(self, root: str, split: str) -> None: ...


def of_its_own() -> object:
    return Rooted(root=".")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("option", "given", "words"),
    [
        ("--dataset", 3, r"^--dataset mine:it: it is of type int, which can be neither read nor called$"),
        (
            "--dataset",
            Rooted,
            r"""'root' and 'split'\. Give a value with --dataset-args '\{"root": …, "split": …\}'$""",
        ),
        ("--from-loader", Rooted, r"'root' and 'split'\. Name a function without arguments that makes it$"),
        ("--dataset", of_its_own, r"calling it raised TypeError: .* missing 1 required positional argument: 'split'$"),
    ],
    ids=["a number", "without arguments", "a loader without arguments", "arguments of another call"],
)
def test_what_cannot_be_called_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, option: str, given: Any, words: str
) -> None:
    monkeypatch.setitem(sys.modules, "mine", SimpleNamespace(it=given))
    with pytest.raises(RefusedError, match=words):
        NamedObject(option=option, target="mine:it").call("")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "import not_there_at_all",
            "importing it needs the module 'not_there_at_all', which is not there: install it$",
        ),
        ("import sys; sys.gone", "importing it raised AttributeError: module 'sys' has no attribute 'gone'$"),
        ("int('x')", r"importing it raised ValueError: invalid literal for int"),
        ("", r"module 'fails_\w+' has no attribute 'Train'\. Name it as module:attribute$"),
    ],
    ids=["a module", "an attribute", "a value", "the name"],
)
def test_what_an_import_raises_is_not_put_down_to_the_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, words: str
) -> None:
    module = f"fails_{abs(hash(line))}"
    (tmp_path / f"{module}.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RefusedError, match=words):
        NamedObject(option="--dataset", target=f"{module}:Train").load()
