"""What is read back from an ``explain.json``, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loaderbench.reports.explain.explain_record import Explanation
from loaderbench.reports.records.json_files import MalformedError

Explained = Callable[..., Explanation]


def test_an_explanation_is_read_back_from_its_folder_as_it_was_written(explained: Explained, tmp_path: Path) -> None:
    written = explained({"large": 0.4}, starts=1.0)
    (tmp_path / "explain.json").write_bytes(msgspec.json.encode(written))
    assert Explanation.read(tmp_path) == written


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 99}, "has schema 99"),
        ({"blocks": 3}, "blocks: expected array, got int"),
        (
            {"blocks": [{"cause": "a", "samples": 8, "with_cause_s": [1], "without_cause_s": [0]}]},
            r"blocks\[0\].without_cause_s",
        ),
        (
            {"blocks": [{"cause": "a", "samples": 8, "with_cause_s": [1], "without_cause_s": [1, 2]}]},
            "1 passes with the cause and 2",
        ),
        (
            {"blocks": [{"cause": "b", "samples": 8, "with_cause_s": [1], "without_cause_s": [1]}]},
            "none of the interventions",
        ),
        ({"dataset": {}}, "dataset.name is missing"),
    ],
    ids=["schema", "type", "no time", "half a pair", "unknown cause", "field"],
)
def test_what_is_no_explanation_is_refused_in_one_line(
    explained: Explained, change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    document = msgspec.to_builtins(explained({"a": 0.4})) | change
    (tmp_path / "explain.json").write_text(json.dumps(document))
    with pytest.raises(MalformedError, match=words) as refused:
        Explanation.read(tmp_path)
    assert "\n" not in str(refused.value)
