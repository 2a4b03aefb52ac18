"""Huge pages that stay: what is written while a forked process lives is split into small pages again."""

import os

from loaderbench.benches.harness.system.huge_pages import use_huge_pages

_SPLIT_BY = 50  # forks
_forks = 0


def keep_huge_pages() -> None:
    """Make huge pages again where this process has forked many times since."""
    global _forks  # noqa: PLW0603 - of this process
    if _forks >= _SPLIT_BY:
        _forks = 0
        use_huge_pages()


def _count() -> None:
    global _forks  # noqa: PLW0603 - of this process
    _forks += 1


os.register_at_fork(after_in_parent=_count)
