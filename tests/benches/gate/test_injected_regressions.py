"""Plants: two copies of one file that differ by known numbers, and in known measure."""

from pathlib import Path

import pytest

from loaderbench.benches.gate.injected_regressions import FAULTS, LOADED, PLANTS, Plant, in_isolation, sides

EVERY = (*PLANTS, *LOADED, *FAULTS)


def lines(folder: Path) -> list[str]:
    return (folder / "injected.py").read_text().splitlines()


@pytest.mark.parametrize("plant", EVERY, ids=[plant.name for plant in EVERY])
def test_the_sides_differ_in_the_planted_numbers_alone(plant: Plant, tmp_path: Path) -> None:
    base, head = (lines(side.folder) for side in sides(plant, tmp_path))
    differing = [name.split(" = ")[0] for name, other in zip(base, head, strict=True) if name != other]
    assert set(differing) == {*plant.base, *plant.head}


def test_the_code_under_test_must_be_from_its_own_side(tmp_path: Path) -> None:
    assert all(side.root == side.folder for side in sides(PLANTS[0], tmp_path))


def test_a_number_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 0 numbers called NOTHING"):
        sides(Plant(name="x", head={"NOTHING": 1.0}), tmp_path)


@pytest.mark.parametrize(
    ("number", "value", "called"),
    [("GETITEM", 1.0, "Documents.__getitem__"), ("COLLATE", 1, "Documents, collated")],
    ids=["getitem", "collate"],
)
def test_by_itself_what_is_done_twice_takes_about_twice_as_long(
    number: str, value: float, called: str, tmp_path: Path
) -> None:
    plant = Plant(name="twice", head={number: value})
    (ratio, *_) = in_isolation(plant, sides(plant, tmp_path), pairs=5)[called]
    assert 1.5 < ratio < 2.7
