"""``loaderbench whatif`` as its user calls it."""

import json
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.cli.main import main

DATA = """
import time
from torch.utils.data import Dataset

class Sleepy(Dataset):
    def __len__(self):
        return 4096

    def __getitem__(self, index):
        time.sleep(0.001)
        return range(4096)[index]
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What a dataset whose samples wait for 1 ms would do on a large machine; and where it is written."""
    folder = tmp_path_factory.mktemp("sleepy")
    (folder / "sleepy.py").write_text(DATA)
    asked = ("--batch-size", "16", "--num-workers", "1,4,8", "--cpus", "2,64", "--step", "2.5ms", "--samples", "128")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["whatif", "--dataset", "sleepy:Sleepy", *asked, "--out", "out"]) == 0
    return json.loads((folder / "out" / "whatif.json").read_text()), folder / "out"


def test_passes_that_were_not_used_are_predicted(found: tuple[dict[str, Any], Path]) -> None:
    cells = found[0]["held_out"]
    misses = sorted(abs(cell["predicted_s"] / cell["seconds"] - 1) for cell in cells)
    assert len(cells) >= 6
    assert misses[len(misses) // 2] < 0.25


def test_waiting_samples_gain_by_workers_whatever_the_cpus(found: tuple[dict[str, Any], Path]) -> None:
    one, four, eight, *_ = (guess["batch_s"] for guess in found[0]["guesses"])
    assert one > 2 * four
    assert four > eight


def test_a_step_is_fed_by_as_many_workers_as_it_takes(found: tuple[dict[str, Any], Path]) -> None:
    answer = found[0]["answers"][-1]
    assert answer["best"] <= answer["workers"]
    assert answer["workers"] == pytest.approx(16 * 1 / 2.5, abs=2)  # 16 ms a batch, one every 2.5 ms


def test_a_page_and_a_figure_are_written(found: tuple[dict[str, Any], Path]) -> None:
    page = (found[1] / "whatif.md").read_text()
    assert "Fewest workers that feed a step" in page
    assert (found[1] / "whatif.svg").read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--num-workers", "-1"), "--num-workers"), (("--step", "soon"), "--step"), (("--storage", "fast"), "--storage")],
    ids=["workers", "step", "storage"],
)
def test_what_cannot_be_read_is_refused(arguments: tuple[str, ...], words: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["whatif", "--dataset", "text", *arguments])
    assert words in capsys.readouterr().err
