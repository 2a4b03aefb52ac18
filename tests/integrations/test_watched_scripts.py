"""Scripts of Lightning, transformers, accelerate and torchdata, and a plain loop: the same losses, and all is seen.

make test-integrations      # installs them; without it, what is not installed is skipped
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loaderbench.reports.watch.watch_record import Watched

SCRIPTS = Path(__file__).parent / "scripts"
MAIN = "import sys; from loaderbench.benches.cli.main import main; sys.exit(main(sys.argv[1:]))"
NEEDS = {
    "plain_loop": "torch", "with_lightning": "lightning", "with_transformers": "transformers",
    "with_accelerate": "accelerate", "with_torchdata": "torchdata",
}  # fmt: skip

pytestmark = pytest.mark.integrations


def run(*words: str, folder: Path, **others: str) -> "subprocess.CompletedProcess[str]":
    """Run a program from `folder`; it must end well."""
    ended = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **others},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended


def losses(*words: str, folder: Path) -> list[str]:
    """Run a script from `folder`, and return the losses that it printed, with all their digits."""
    printed = run(sys.executable, *words, folder=folder).stdout
    return [line for line in printed.splitlines() if line.startswith("loss ")]


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


def launcher(name: str) -> list[str]:
    """Return the words that start two ranks of the command that follows; skips where there is no such launcher."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    match name:
        case "torchrun":
            return [sys.executable, *torchrun]
        case "accelerate launch":
            pytest.importorskip("accelerate")
            options = ["--multi_gpu", "--num_processes", "2", "--main_process_port", "0", "--no_python"]
            return [sys.executable, "-m", "accelerate.commands.launch", *options]
        case "mpirun":
            as_root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
            words = ["mpirun", "--oversubscribe", *as_root, "-n", "2"]
        case _:
            words = ["srun", "--ntasks", "2", "--overcommit"]
            if shutil.which("srun") and subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
                pytest.skip("no Slurm that answers")
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]}")
    return words


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("torchrun", "on_ranks"),
        ("mpirun", "on_ranks"),
        ("srun", "on_ranks"),
        ("accelerate launch", "on_ranks"),
        ("accelerate launch", "with_accelerate"),
    ],
)
def test_each_rank_writes_its_own_file_and_one_report_says_who_waits_for_what(
    name: str, script: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    watch = [sys.executable, "-c", MAIN, "watch", "--out", str(out), str(SCRIPTS / f"{script}.py")]
    store = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29541"} if name in {"mpirun", "srun"} else {}
    ended = run(*launcher(name), *watch, folder=tmp_path, **store)
    records = [Watched.read(out / f"rank-{rank}") for rank in range(2)]
    assert [(record.rank, record.world_size, record.ending) for record in records] == [
        (rank, 2, "finished") for rank in range(2)
    ]
    assert len({record.loaders[0].steps for record in records}) == 1
    assert (ended.stdout + ended.stderr).count("waiting for data") == 1  # one of them says it for all
    said = run(sys.executable, "-c", MAIN, "report", str(out), folder=tmp_path).stdout
    assert "waiting for data" in said
    assert len([line for line in said.splitlines() if line.split()[:1] in (["0"], ["1"])]) == 2
