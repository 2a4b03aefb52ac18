"""The composite action of the gate: each step's own script, run by bash as a runner would."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ACTION = Path(__file__).parents[1] / ".github" / "actions" / "gate" / "action.yml"
GATE, COMMENT, END = (step for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"] if "run" in step)
USER = {"BASE": "origin/main", "BUDGET": "5m", "MARGIN": "3%", "ARGUMENTS": "--dataset my.data:Train -k bench_epoch"}

# In the place of a program: it writes down how it was called, and does what it is told to.
STAND_IN = """#!/bin/bash
printf '%s\\n' "$@" | python3 -c 'import json, sys; print(json.dumps(sys.stdin.read().splitlines()))' >> "$CALLS"
{does}
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[list[str]]]:
    """How the stand-ins were called, in order."""
    return lambda: [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a step's script, with a stand-in for `program` that `does` something."""

    def ran(step: Mapping[str, Any], program: str, does: str, **env: str) -> "subprocess.CompletedProcess[str]":
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        (programs / program).write_text(STAND_IN.format(does=does))
        (programs / program).chmod(0o755)
        named = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary", "CALLS": "calls", "FOLDER": "gate"}
        runner = {name: str(tmp_path / path) for name, path in named.items()}
        path = f"{programs}:{os.environ['PATH']}"
        script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]  # as a runner calls it
        return subprocess.run(
            script, env={"PATH": path, **runner, **env}, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return ran


def test_the_gate_is_asked_for_what_the_user_names(
    run: Run, calls: Callable[[], list[list[str]]], tmp_path: Path
) -> None:
    assert run(GATE, "loaderbench", "", **USER).returncode == 0
    asked = ["gate", "--base", "origin/main", "--budget", "5m", "--margin", "3%", "--out", str(tmp_path / "gate")]
    assert calls() == [[*asked, "--dataset", "my.data:Train", "-k", "bench_epoch"]]


def test_a_regression_is_summarised_before_it_fails(run: Run, tmp_path: Path) -> None:
    does = 'mkdir -p "$FOLDER"; echo "**1 regressed**" > "$FOLDER/gate.md"; exit 1'
    assert run(GATE, "loaderbench", does, **USER).returncode == 0
    assert (tmp_path / "summary").read_text() == "**1 regressed**\n"
    assert f"folder={tmp_path / 'gate'}\ncode=1\n" == (tmp_path / "output").read_text()


@pytest.mark.parametrize(("code", "ends"), [("0", 0), ("1", 1), ("2", 2), ("", 2)])
def test_the_last_step_ends_as_the_gate_did_and_never_green_without_it(run: Run, code: str, ends: int) -> None:
    assert run(END, "loaderbench", "", CODE=code).returncode == ends


@pytest.mark.parametrize(
    ("comment", "method", "path"),
    [("", "POST", "repos/we/ours/issues/7/comments"), ("42", "PATCH", "repos/we/ours/issues/comments/42")],
    ids=["the first time", "again"],
)
def test_there_is_one_comment_however_often_it_runs(
    run: Run, calls: Callable[[], list[list[str]]], tmp_path: Path, comment: str, method: str, path: str
) -> None:
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "gate.md").write_text("<!-- loaderbench gate -->")
    listed = f'if [ "$2" = --paginate ] && [ -n "{comment}" ]; then echo "{comment}"; fi'
    assert run(COMMENT, "gh", listed, GITHUB_REPOSITORY="we/ours", NUMBER="7").returncode == 0
    _, written = calls()
    assert written[:3] == ["api", "--method", method]
    assert path in written
    assert f"body=@{tmp_path / 'gate' / 'gate.md'}" in written


def test_without_a_verdict_no_comment_is_written(run: Run, tmp_path: Path) -> None:
    assert run(COMMENT, "gh", "", GITHUB_REPOSITORY="we/ours", NUMBER="7").returncode == 0
    assert not (tmp_path / "calls").exists()
