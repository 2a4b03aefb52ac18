"""The repository that is compared: text and images, by tags ``base``, ``same`` (a comment), ``p5`` and ``p10``.

What slows them is their own work: a share of the samples is read twice, and a share of each batch is collated twice. So
the share holds however fast the machine happens to be, and for all that the code of a loader does but the DataLoader's.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

SHARES: Mapping[str, float] = {"base": 0.0, "same": 0.0, "p5": 0.05, "p10": 0.10}
DATASETS, WORKERS, BATCH_SIZES = ("Images", "Text"), (0, 2), (32, 64)

CASES = '''
"""Text and images, of which a share is read and collated twice."""

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, default_collate

SHARE = {share}
EVERY = round(1 / SHARE) if SHARE else 1 << 60

torch.set_num_threads(1)


class Samples(Dataset):
    def __getitem__(self, index):
        if index % EVERY == EVERY - 1:
            self.read(index)
        return self.read(index)


class Images(Samples):
    def __init__(self):
        self.pixels = torch.randint(0, 255, (256, 3, 64, 64), dtype=torch.uint8)

    def __len__(self):
        return 4096

    def read(self, index):
        return (self.pixels[index % 256].float().div_(255) - 0.45) / 0.22, index % 10


class Text(Samples):
    def __init__(self):
        self.lengths = torch.randint(5, 200, (16384,), generator=torch.Generator().manual_seed(0)).tolist()

    def __len__(self):
        return 16384

    def read(self, index):
        return torch.arange(self.lengths[index]), index % 4


def collate(samples):
    if SHARE:
        joined(samples[: round(SHARE * len(samples))])
    return joined(samples)


def joined(samples):
    if samples[0][0].ndim > 1:
        return default_collate(samples)
    return pad_sequence([text for text, _ in samples], batch_first=True), torch.tensor([name for _, name in samples])
'''

PYTEST = f"""
import pytest
from torch.utils.data import DataLoader

import loadercases


@pytest.mark.parametrize("batch_size", {list(BATCH_SIZES)})
@pytest.mark.parametrize("workers", {list(WORKERS)})
@pytest.mark.parametrize("name", {list(DATASETS)})
def test_epoch(benchmark, name, workers, batch_size):
    loader = DataLoader(
        getattr(loadercases, name)(), batch_size, num_workers=workers, persistent_workers=workers > 0,
        collate_fn=loadercases.collate,
    )

    def epoch():
        for _ in loader:
            pass

    epoch()
    benchmark(epoch)
"""

ASV = f"""
from torch.utils.data import DataLoader

import loadercases


class Epoch:
    params = ({list(DATASETS)}, {list(WORKERS)}, {list(BATCH_SIZES)})
    timeout = 120
    loader = None

    def setup(self, name, workers, batch_size):
        if self.loader is not None:  # asv sets up again before each sample: workers are to be alive, as in the others
            return
        self.loader = DataLoader(
            getattr(loadercases, name)(), batch_size, num_workers=workers, persistent_workers=workers > 0,
            collate_fn=loadercases.collate,
        )
        self.time_epoch()

    def time_epoch(self, *_):
        for _ in self.loader:
            pass
"""


def make(folder: Path) -> None:
    """Make the repository in `folder`, and its tags."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", ".")
    (folder / "bench_cases.py").write_text(PYTEST)
    for tag, share in SHARES.items():
        comment = "" if tag == "base" else f"# {tag}\n"
        (folder / "loadercases.py").write_text(CASES.lstrip().format(share=share) + comment)
        git(folder, "add", "--all")
        git(folder, "-c", "user.name=prove", "-c", "user.email=prove@localhost", "commit", "--quiet", "-m", tag)
        git(folder, "tag", tag)


def check_out(repository: Path, tag: str, folder: Path) -> Path:
    """Return a folder with the files of a tag (or any other revision), made where it is not there yet."""
    if not folder.exists():
        git(repository, "worktree", "prune")
        git(repository, "worktree", "add", "--quiet", "--detach", str(folder), tag)
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` and return its output; raises CalledProcessError."""
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603, S607 - no shell reads it
    return done.stdout.strip()
