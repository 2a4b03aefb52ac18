"""The two revisions of a comparison, base and head: of the user's repository, or two interpreters, or settings."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.system.interruption import late_ctrl_c

NAMES = ("base", "head")  # of equal length, and so are the paths of their worktrees: a length can move a figure
_REMOVED_WITHIN_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionRequest:
    """A revision as the command line names it."""

    name: str
    revision: str = ""  # "" is the working tree, uncommitted changes included
    python: str = ""
    settings: str = ""  # num_workers=2,batch_size=64

    @property
    def pairs(self) -> dict[str, str]:
        """Return the settings by name; raises RefusedError."""
        pairs = {}
        for word in self.settings.replace(",", " ").split():
            name, equals, value = word.partition("=")
            if not (name and equals and value):
                raise RefusedError(f"--{self.name}-settings takes name=value, got {word!r}")
            pairs[name.replace("-", "_")] = value
        return pairs

    @property
    def options(self) -> tuple[str, ...]:
        """Return the settings as options of the benches."""
        return tuple(f"--{name.replace('_', '-')}={value}" for name, value in self.pairs.items())


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """A revision, ready to be run: which interpreter, where, with which options."""

    name: str
    label: str  # for the reader: the revision, the interpreter, the settings
    python: str = sys.executable
    folder: Path = field(default_factory=Path.cwd)  # where it runs
    root: Path | None = None  # where the code under test must be from; None: it is the same for both
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def own_paths(self) -> list[str]:
        """Return where this revision's own code is looked for, before any other: in its root, or in its ``src``."""
        own = [] if self.root is None else [self.root / "src", self.root]
        return list(dict.fromkeys(str(path) for path in (self.folder, *own) if path.is_dir()))

    @property
    def paths(self) -> str:
        """``PYTHONPATH`` of processes that it starts."""
        return os.pathsep.join([*self.own_paths, *filter(None, [os.environ.get("PYTHONPATH", "")])])


@contextmanager
def prepared(base: RevisionRequest, head: RevisionRequest, setup: str = "") -> Iterator[tuple[Revision, Revision]]:
    """Give both revisions, ready to run; worktrees are made here, and removed at the end whatever happens.

    Without `base.revision` there are none: both run the code as it stands.
    Raises RefusedError where a revision does not exist or `setup` fails.
    """
    if not base.revision:
        yield _here(base), _here(head)
        return
    repository = Repository.around(Path.cwd())
    with repository.worktrees() as folder:
        revisions = [_checked_out(request, repository, folder / request.name) for request in (base, head)]
        for revision in revisions:
            _set_up(revision, setup, repository.root)
        yield revisions[0], revisions[1]


def _here(request: RevisionRequest) -> Revision:
    label = " ".join(filter(None, (request.python, request.settings))) or "as it stands"
    return Revision(name=request.name, label=label, python=_interpreter(request), options=request.options)


def _checked_out(request: RevisionRequest, repository: "Repository", root: Path) -> Revision:
    checked_out = repository.check_out(request, root)
    here = _here(request)
    label = " ".join(filter(None, (checked_out, request.python, request.settings)))
    return replace(here, label=label, root=root, folder=root / repository.prefix)


def _interpreter(request: RevisionRequest) -> str:
    if not request.python:
        return sys.executable
    program = shutil.which(request.python)
    if program is None:
        raise RefusedError(f"--{request.name}-python {request.python}: there is no such program")
    return str(Path(program).absolute())  # not resolved: a virtual environment's python is a link


def _set_up(revision: Revision, command: str, repository: Path) -> None:
    if not command:
        return
    environment = {**os.environ, "LOADERBENCH_REPOSITORY": str(repository), "PYTHONPATH": revision.paths}
    with subprocess.Popen(  # noqa: S602 - it is the user's own command, for the user's own shell
        command, shell=True, cwd=revision.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            printed, complaint = process.communicate()
        except BaseException:  # Ctrl-C reaches this process alone: what the command started is ended with it
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        last = (complaint.strip() or printed.strip() or "it printed nothing").splitlines()[-1]
        raise RefusedError(
            f"--setup failed for {revision.name} ({revision.label}) with exit code {process.returncode}: {last}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """The user's git repository."""

    root: Path
    prefix: str  # from the root to where the command was given

    @classmethod
    def around(cls, folder: Path) -> "Repository":
        """Return the repository that `folder` is in; raises RefusedError where there is none."""
        try:
            root = _git(folder, "rev-parse", "--show-toplevel")
        except (GitError, OSError) as error:
            raise RefusedError(f"--base needs a git repository around {folder}: {error}") from error
        return cls(root=Path(root), prefix=_git(folder, "rev-parse", "--show-prefix"))

    @contextmanager
    def worktrees(self) -> Iterator[Path]:
        """Give a folder to make worktrees in; at the end it is removed, and git forgets them."""
        temporary = tempfile.TemporaryDirectory(prefix="loaderbench-", ignore_cleanup_errors=True)
        folder = Path(temporary.name)
        try:
            yield folder
        finally:
            with late_ctrl_c():
                # Before git is told: its own removal gives up where a file comes meanwhile, as processes that were
                # killed a moment ago may still end a write. What cannot be removed at all must not lose the result.
                until = time.monotonic() + _REMOVED_WITHIN_S
                while folder.exists() and time.monotonic() < until:
                    temporary.cleanup()
                    time.sleep(0.01)
                for name in NAMES:
                    with suppress(GitError):  # it was never made
                        # Twice: one that is not whole yet, as git was ended meanwhile, is locked.
                        _git(self.root, "worktree", "remove", "--force", "--force", str(folder / name))
                with suppress(GitError):
                    _git(self.root, "worktree", "prune")

    def check_out(self, request: RevisionRequest, folder: Path) -> str:
        """Make the worktree of a revision, and return the revision's name for the reader."""
        commit, label = self.commit(request)
        try:
            _git(self.root, "worktree", "add", "--detach", str(folder), commit)
        except GitError as error:
            raise RefusedError(f"--{request.name} {label}: cannot be checked out: {error}") from error
        return label

    def commit(self, request: RevisionRequest) -> tuple[str, str]:
        """Return the commit of a revision, and its name; for the working tree one that no branch holds."""
        if not request.revision:
            return self._snapshot(), "working tree"
        try:
            commit = _git(self.root, "rev-parse", "--verify", "--end-of-options", f"{request.revision}^{{commit}}")
        except GitError as error:
            raise RefusedError(
                f"--{request.name} {request.revision}: no such revision in {self.root}; fetch it first "
                "(actions/checkout needs fetch-depth: 0)"
            ) from error
        short = commit[:8]
        return commit, short if request.revision.startswith(short) else f"{request.revision} ({short})"

    def _snapshot(self) -> str:
        """Commit tracked and untracked files as they are now, less the ignored ones; the index is left alone."""
        try:
            parents: tuple[str, ...] = ("-p", _git(self.root, "rev-parse", "--verify", "HEAD"))
        except GitError:  # no commit yet
            parents = ()
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if parents:
                _git(self.root, "read-tree", "HEAD", env=index)
            _git(self.root, "add", "--all", env=index)
            tree = _git(self.root, "write-tree", env=index)
        author = {f"GIT_{who}_{what}": "loaderbench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return _git(self.root, "commit-tree", tree, *parents, "-m", "working tree", env=author)


class GitError(Exception):
    """What git said, on one line."""


def _git(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run git and return what it printed; Ctrl-C reaches this process alone. Raises GitError."""
    command, environment = ["git", *arguments], {**os.environ, **(env or {})}
    done = subprocess.run(  # noqa: S603 - no shell reads it
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, start_new_session=True
    )
    if done.returncode:
        raise GitError(" ".join(done.stderr.split()) or f"git {arguments[0]} failed")
    return done.stdout.strip()
