"""What else happened on the machine: the counters of control groups."""

from pathlib import Path

import pytest

from loaderbench.benches.gate import telemetry
from loaderbench.benches.gate.telemetry import Counters


def test_periods_throttled_are_those_of_every_group_that_the_process_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [tmp_path / "slice" / "job", tmp_path / "slice", tmp_path]
    groups[0].mkdir(parents=True)
    monkeypatch.setattr(telemetry, "control_groups", lambda: groups)
    (groups[0] / "cpu.stat").write_text("usage_usec 1\nnr_throttled 3\n")
    (groups[1] / "cpu.stat").write_text("nr_throttled 1\n")
    counters = Counters.read()
    (groups[1] / "cpu.stat").write_text("nr_throttled 6\n")
    assert counters.throttled == 4
    assert counters.since()["throttled_periods"] == 5
