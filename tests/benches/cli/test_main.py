"""``loaderbench run``: the benches, with every option passed on to pytest."""

import pytest

from loaderbench.benches.cli.main import main

QUIETLY = ("-q", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
BRIEF = ("--num-workers", "0", "--batch-size", "8", "--rounds", "1", "--round-seconds", "0", "-k", "epoch")


@pytest.fixture(autouse=True)
def _project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a dataset of the user's, which is not on the path."""
    pytester.makepyfile(project_data="train = list(range(20))")
    monkeypatch.syspath_prepend(pytester.path / "elsewhere")  # the path is put back afterwards


def test_run_measures_a_dataset_of_the_folder_it_is_run_in(pytester: pytest.Pytester) -> None:
    assert main(["run", *QUIETLY, "--dataset", "project_data:train", *BRIEF, "--run-dir", "run"]) == 0
    assert (pytester.path / "run" / "run.json").exists()


def test_run_passes_pytest_s_own_options_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *QUIETLY, "--dataset", "project_data:train", *BRIEF, "--collect-only"]) == 0
    assert "bench_epoch[project_data.train]" in capsys.readouterr().out


def test_run_ends_with_pytest_s_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *QUIETLY, "--dataset", "nowhere:train"]) == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --dataset nowhere:train: no module 'nowhere'" in capsys.readouterr().err


def test_run_s_help_has_the_benches_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *QUIETLY, "--help"]) == 0
    assert "--num-workers=LIST" in capsys.readouterr().out


def test_without_a_verb_the_verbs_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "VERB" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("loaderbench 0.")
