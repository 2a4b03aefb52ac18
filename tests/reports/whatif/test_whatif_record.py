"""What is read back from a ``whatif.json``."""

from pathlib import Path

import msgspec
import pytest
from made_up_predictions import made_up_whatif

from loaderbench.reports.records.json_files import MalformedError
from loaderbench.reports.whatif.whatif_record import read_whatif


def test_it_is_read_back_from_its_folder_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "whatif.json").write_bytes(msgspec.json.encode(made_up_whatif()))
    assert read_whatif(tmp_path) == made_up_whatif()


def test_its_errors_are_those_of_the_held_out_passes() -> None:
    assert made_up_whatif().median_error == pytest.approx(0.1)


def test_a_scenario_that_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    content = msgspec.json.encode(made_up_whatif()).replace(b'"cpus":2', b'"cpus":0')
    (tmp_path / "whatif.json").write_bytes(content)
    with pytest.raises(MalformedError, match="cpus must be > 0"):
        read_whatif(tmp_path)
