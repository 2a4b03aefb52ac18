"""``loaderbench tune`` of another library's dataset: what is tried, and that nothing of it is lost.

make test-integrations      # installs it; without it, this is skipped

Which setting is fastest is for a clock to say: ``loaderbench tune --dataset hugging_face_rows:rows --budget 55s`` from
``tests/integrations/scripts``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loaderbench.reports.tune.tune_record import Tuned

SCRIPTS = Path(__file__).parent / "scripts"
MAIN = "import sys; from loaderbench.benches.cli.main import main; sys.exit(main(sys.argv[1:]))"

pytestmark = pytest.mark.integrations


def test_a_hugging_face_dataset_is_tuned_sample_by_sample_and_in_whole_batches(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="needs datasets, which make test-integrations installs")
    few = ("num_workers=0", "one_thread=off", "keep_memory=off")  # to vary, so that little time is enough for all
    ended = subprocess.run(
        [sys.executable, "-c", MAIN, "tune", "--dataset", "hugging_face_rows:rows", "--budget", "40s", "--out", "out",
         *(word for pair in few for word in ("--fix", pair))],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    tuned = Tuned.read(tmp_path / "out")
    statuses = {setting.name: setting.status for setting in tuned.settings}
    assert (tuned.samples, tuned.torchs, tuned.own) == (2000, "workers=0", "workers=0")
    assert {"workers=0", "workers=0 · stack_into", "workers=0 · batches fetched"} == statuses.keys()
    assert "lost" not in statuses.values()
    assert tuned.recommended in statuses
    assert f"    {tuned.setting(tuned.recommended).call}".splitlines()[0].strip() in ended.stdout
