"""Control groups, as the kernel shows them: a quota of CPUs, the memory that is left."""

from pathlib import Path

import pytest

from loaderbench.benches.harness.system.control_groups import memory_left, quota


@pytest.fixture
def groups(tmp_path: Path) -> "Groups":
    return Groups(tmp_path)


class Groups:
    """A tree of control groups, as the kernel shows it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "cgroup"
        self.membership = folder / "membership"

    def belong(self, *lines: str) -> "Groups":
        self.membership.write_text("\n".join(lines) + "\n")
        return self

    def limit(self, path: str, **files: str) -> "Groups":
        group = self.root / path
        group.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (group / name.replace("__", ".")).write_text(f"{content}\n")
        return self

    @property
    def quota(self) -> float | None:
        return quota(root=self.root, membership=self.membership)


def test_a_group_s_quota_is_in_cpus(groups: Groups) -> None:
    assert groups.belong("0::/job").limit("job", cpu__max="150000 100000").quota == 1.5


def test_max_is_no_quota(groups: Groups) -> None:
    assert groups.belong("0::/job").limit("job", cpu__max="max 100000").quota is None


def test_the_tightest_group_on_the_way_up_counts(groups: Groups) -> None:
    groups.belong("0::/slice/job/step")
    groups.limit("slice", cpu__max="800000 100000")
    groups.limit("slice/job", cpu__max="200000 100000")
    groups.limit("slice/job/step", cpu__max="max 100000")
    assert groups.quota == 2


def test_a_group_beside_the_way_up_does_not_count(groups: Groups) -> None:
    groups.belong("0::/slice/job").limit("slice/job", cpu__max="max 100000")
    assert groups.limit("slice/other", cpu__max="100000 100000").quota is None


def test_a_container_sees_its_own_group_at_the_root(groups: Groups) -> None:
    assert groups.belong("0::/").limit("", cpu__max="50000 100000").quota == 0.5


def test_a_path_that_the_container_cannot_see_is_followed_up_to_the_root(groups: Groups) -> None:
    groups.belong("0::/docker/0a1b2c")
    assert groups.limit("", cpu__max="300000 100000").quota == 3


def test_the_first_version_of_control_groups_is_read_too(groups: Groups) -> None:
    groups.belong("4:cpu,cpuacct:/docker/0a1b2c", "3:memory:/docker/0a1b2c")
    groups.limit("cpu/docker/0a1b2c", cpu__cfs_quota_us="250000", cpu__cfs_period_us="100000")
    assert groups.quota == 2.5


def test_a_negative_quota_of_the_first_version_is_none(groups: Groups) -> None:
    groups.belong("4:cpu,cpuacct:/job")
    assert groups.limit("cpu/job", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000").quota is None


def test_without_control_groups_there_is_no_quota(groups: Groups) -> None:
    assert groups.quota is None


def test_the_memory_left_is_that_of_the_tightest_control_group_on_the_way_up(tmp_path: Path) -> None:
    membership, group = tmp_path / "cgroup", tmp_path / "root" / "job" / "step"
    group.mkdir(parents=True)
    membership.write_text("0::/job/step\n")
    assert memory_left(tmp_path / "root", membership) == float("inf")
    for folder, limit, used in ((group, "max", "700"), (group.parent, "1000", "800")):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
    assert memory_left(tmp_path / "root", membership) == 200
