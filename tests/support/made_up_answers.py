"""Commands that measure nothing, as a made-up answer stands in: what they ask for, write and print is tested."""

from collections.abc import Callable
from typing import Any

import pytest

DATASET = (
    "--dataset",
    "loaderbench.datasets.synthetic.known_cost:Sleeping",
    "--dataset-args",
    '{"samples": 64, "sleep_s": 0}',
)
"""Options of any command that name a dataset which costs nothing."""


def stand_in(monkeypatch: pytest.MonkeyPatch, function: str, answer: Callable[..., Any]) -> dict[str, Any]:
    """Put ``answer(**asked["facts"])`` in place of what `function` measures; return `asked`, what it is called with."""
    asked: dict[str, Any] = {"facts": {}}

    def answers(*arguments: Any, **named: Any) -> Any:
        asked.update(arguments=arguments, **named)
        return answer(**asked["facts"])

    monkeypatch.setattr(function, answers)
    return asked
