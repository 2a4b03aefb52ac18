"""The two revisions of a comparison, in a real git repository."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from waiting import until

from loaderbench.benches.gate.revisions import RevisionRequest, prepared
from loaderbench.benches.harness.errors import RefusedError

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository with one commit, in which the test stands."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> str:
        author = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(["git", *author, *arguments], check=True, capture_output=True, text=True).stdout

    run("init", "-q")
    Path("data.py").write_text("COST = 1\n")
    Path(".gitignore").write_text("ignored\n")
    run("add", ".")
    run("commit", "-qm", "one")
    return run


def requests(setup: str = "", **head: str) -> tuple[RevisionRequest, RevisionRequest, str]:
    return RevisionRequest(name="base", revision="HEAD"), RevisionRequest(name="head", **head), setup


def test_head_is_the_working_tree_with_what_is_not_committed_and_not_ignored(git: Git) -> None:
    Path("data.py").write_text("COST = 2\n")
    Path("more.py").write_text("")
    Path("ignored").write_text("")
    with prepared(*requests()) as (base, head):
        assert base.root is not None
        assert head.root is not None
        assert (base.root / "data.py").read_text() == "COST = 1\n"
        assert (head.root / "data.py").read_text() == "COST = 2\n"
        assert (head.root / "more.py").exists()
        assert not (head.root / "ignored").exists()


def test_the_index_is_left_as_it_was(git: Git) -> None:
    Path("more.py").write_text("")
    before = git("status", "--porcelain")
    with prepared(*requests()):
        pass
    assert git("status", "--porcelain") == before


def test_worktrees_lie_in_paths_of_equal_length(git: Git) -> None:
    with prepared(*requests()) as (base, head):
        assert len(str(base.root)) == len(str(head.root))


@pytest.mark.parametrize("how", [KeyboardInterrupt, ValueError, SystemExit])
def test_worktrees_are_gone_afterwards_however_it_ends(git: Git, how: type[BaseException]) -> None:
    with pytest.raises(how), prepared(*requests()) as (base, _):  # noqa: PT012 - it ends in the middle
        root = base.root
        raise how
    assert root is not None
    assert not root.exists()
    assert len(git("worktree", "list").splitlines()) == 1


def test_worktrees_are_gone_although_a_process_still_wrote_into_one(git: Git) -> None:
    writes = "from time import *\nend = monotonic() + 1\nwhile monotonic() < end: open(str(monotonic_ns()), 'x')"
    with ExitStack() as after, prepared(*requests()) as (base, _):
        assert base.root is not None
        writer = subprocess.Popen([sys.executable, "-c", writes], cwd=base.root, stderr=subprocess.DEVNULL)
        after.enter_context(writer)
        after.callback(writer.kill)
        root = base.root
        assert until(lambda: any(root.glob("[0-9]*")))
    assert not base.root.exists()
    assert len(git("worktree", "list").splitlines()) == 1


def test_a_revision_s_own_code_comes_first_on_its_path_src_before_all(git: Git) -> None:
    Path("src").mkdir()
    Path("src/package.py").write_text("")
    with prepared(*requests()) as (_, head):
        assert head.paths.split(":")[:2] == [str(head.root), str(head.root / "src")] if head.root else False


def test_setup_is_run_in_each_worktree(git: Git) -> None:
    with prepared(*requests(setup="echo built > built")) as both:
        assert all((revision.root / "built").exists() for revision in both if revision.root)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (requests(revision="nowhere"), "--head nowhere: no such revision"),
        (requests(setup="echo no compiler >&2; exit 3"), "exit code 3: no compiler"),
        (requests(python="/no/python"), "--head-python /no/python: there is no such program"),
        (requests(settings="num_workers"), "--head-settings takes name=value, got 'num_workers'"),
    ],
    ids=["revision", "setup", "python", "settings"],
)
def test_what_cannot_be_prepared_is_refused_in_one_line(
    git: Git, asked: tuple[RevisionRequest, RevisionRequest, str], words: str
) -> None:
    with pytest.raises(RefusedError, match=words) as refused, prepared(*asked):
        pass
    assert "\n" not in str(refused.value)


def test_outside_a_repository_a_revision_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RefusedError, match="--base needs a git repository"), prepared(*requests()):
        pass
