"""The folder of a process for temporary files."""

import multiprocessing
import os
import signal
from multiprocessing import util
from pathlib import Path

import pytest

from loaderbench.benches.harness.system.child import ChildError, in_child


def test_multiprocessing_s_folder_is_removed_though_its_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(multiprocessing.current_process()._config, "tempdir", raising=False)  # type: ignore[attr-defined]
    named = tmp_path / "named"

    def make_it_and_die() -> None:
        named.write_text(util.get_temp_dir())
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ChildError, match="killed by SIGKILL"):
        in_child(make_it_and_die)
    folder = Path(named.read_text())
    assert folder.name.startswith("pymp-")
    assert not folder.exists()
