"""Images in class folders: the photograph's crops and the user's own."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from loaderbench.datasets.images import ImageDataset, ToTensor, crop_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes: a red image; a green one, and a grey one in a folder below."""
    for name, mode, colour in (
        ("apples/1.jpg", "RGB", (255, 0, 0)),
        ("pears/2.png", "RGBA", (0, 255, 0, 255)),
        ("pears/deeper/3.PNG", "L", 255),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new(mode, (20, 10), colour).save(tmp_path / name)
    return tmp_path


def test_folders_are_classes_in_their_names_order(folder: Path) -> None:
    assert ImageDataset(folder).classes == ("apples", "pears")


def test_images_are_found_in_folders_below(folder: Path) -> None:
    dataset = ImageDataset(folder)
    assert [dataset[index][1] for index in range(len(dataset))] == [0, 1, 1]


def test_files_that_are_no_images_are_ignored(folder: Path) -> None:
    (folder / "apples" / "readme.txt").touch()
    assert len(ImageDataset(folder)) == 3


def test_a_folder_without_images_is_no_class(folder: Path) -> None:
    (folder / ".checkpoints").mkdir()
    assert ImageDataset(folder).classes == ("apples", "pears")


def test_a_root_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"root must hold a folder of images .* with 1 folders and no image"):
        ImageDataset(tmp_path)


def test_an_image_is_a_tensor_with_channels_first_and_values_from_minus_one_to_one(folder: Path) -> None:
    image, _ = ImageDataset(folder)[0]
    assert (image.dtype, tuple(image.shape)) == (torch.float32, (3, 160, 160))
    torch.testing.assert_close(image[:, 80, 80], torch.tensor([1.0, -1.0, -1.0]), atol=0.02, rtol=0)


@pytest.mark.parametrize("index", [1, 2], ids=["with alpha", "grey"])
def test_other_modes_become_rgb(folder: Path, index: int) -> None:
    image, _ = ImageDataset(folder)[index]
    assert image.shape[0] == 3


def test_a_transform_gets_the_image_and_returns_the_sample(folder: Path) -> None:
    dataset = ImageDataset(folder, lambda image: (image.mode, image.size))
    assert dataset[2] == (("RGB", (20, 10)), 1)


def test_the_size_of_the_tensor_can_be_chosen() -> None:
    assert tuple(ToTensor(32)(Image.new("RGB", (50, 40))).shape) == (3, 32, 32)


def test_the_photograph_gives_eight_classes_of_64_different_crops() -> None:
    assert [len(list(folder.glob("*.jpg"))) for folder in crop_folder().iterdir()] == [64] * 8
    files = list(crop_folder().rglob("*.jpg"))
    assert len({file.read_bytes() for file in files}) == len(files)


def test_crops_are_squares_of_many_sizes_from_160_to_256_pixels() -> None:
    sizes = {Image.open(file).size for file in crop_folder().rglob("*.jpg")}
    assert all(width == height and 160 <= width <= 256 for width, height in sizes)
    assert len(sizes) > 50
