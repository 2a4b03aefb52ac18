"""Scripts of Lightning, transformers, accelerate and torchdata, and a plain loop: the same losses, and all is seen.

make test-integrations      # installs them; without it, what is not installed is skipped
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loaderbench.reports.watch.record import Watched

SCRIPTS = Path(__file__).parent / "scripts"
MAIN = "import sys; from loaderbench.benches.cli.main import main; sys.exit(main(sys.argv[1:]))"
NEEDS = {
    "plain_loop": "torch", "with_lightning": "lightning", "with_transformers": "transformers",
    "with_accelerate": "accelerate", "with_torchdata": "torchdata",
}  # fmt: skip

pytestmark = pytest.mark.integrations


def losses(*words: str, folder: Path) -> list[str]:
    """Run a script from `folder`, and return the losses that it printed, with all their digits."""
    ended = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return [line for line in ended.stdout.splitlines() if line.startswith("loss ")]


@pytest.mark.parametrize("script", NEEDS)
def test_a_watched_script_has_the_same_losses_and_all_its_batches_are_seen(script: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS[script])
    path, out = str(SCRIPTS / f"{script}.py"), tmp_path / "out"
    plain = losses(path, folder=tmp_path)
    assert plain
    assert losses("-c", MAIN, "watch", "--out", str(out), path, folder=tmp_path) == plain
    (loader,) = (loader for loader in Watched.read(out).loaders if loader.epochs)
    assert (loader.dataset, loader.steps, len(loader.epochs), len(loader.made)) == ("slow_data:Slow", 64, 2, 64)
    assert f"{script}.py:" in loader.name
    assert loader.failure == ""
