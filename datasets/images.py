"""Image files in one folder a class, decoded when a sample is read."""

import math
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from loaderbench.datasets.cache import digest, make_once
from loaderbench.datasets.text import string_array

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_CROPS_A_CLASS = 64
_SIDES = (160, 256)  # pixels: smallest and largest crop
# The classes: what the photograph shows, and where: centre, as shares of its width and height.
_PLACES = {
    "backdrop": (0.87, 0.35),
    "badge": (0.24, 0.83),
    "collar": (0.50, 0.66),
    "face": (0.52, 0.38),
    "flag": (0.15, 0.18),
    "hat": (0.51, 0.17),
    "ribbons": (0.76, 0.84),
    "stripes": (0.15, 0.55),
}


@dataclass(frozen=True, slots=True)
class ToTensor:
    """Turn an RGB image into float32 (3, size, size): scaled, cropped to its centre, 0..255 mapped to -1..1.

    >>> tuple(ToTensor(8)(Image.new("RGB", (20, 10))).shape)
    (3, 8, 8)
    """

    size: int = 160

    def __call__(self, image: Image.Image) -> Tensor:
        fitted = ImageOps.fit(image, (self.size, self.size), Image.Resampling.BILINEAR)
        # NumPy, not torch: a sample should take one core, and torch would use all its threads.
        pixels = np.ascontiguousarray(np.asarray(fitted, dtype=np.float32).transpose(2, 0, 1))
        return torch.from_numpy(pixels / 127.5 - 1)


class ImageDataset(Dataset[tuple[Any, int]]):
    """The images in the folders of `root`, one folder a class: (``transform(image)``, class number).

    `transform` is given an RGB image; the default, `ToTensor`, returns float32 (3, 160, 160), the same in every epoch.
    Folders are searched recursively, and classes are numbered in the order of their names. Raises ValueError if there
    is no image.
    """

    def __init__(self, root: str | Path, transform: Callable[[Image.Image], Any] | None = None) -> None:
        self.root = Path(root)
        self.transform = transform or ToTensor()
        files = {folder.name: _images(folder) for folder in sorted(self.root.iterdir()) if folder.is_dir()}
        self.classes = tuple(name for name, paths in files.items() if paths)
        if not self.classes:
            raise ValueError(
                f"root must hold a folder of images for each class, got {self.root} "
                f"with {len(files)} folders and no image in them"
            )
        self.files = string_array(os.path.relpath(path, self.root) for paths in files.values() for path in paths)
        self.labels = np.repeat(np.arange(len(self.classes)), [len(files[name]) for name in self.classes])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        with Image.open(self.root / self.files[index]) as image:
            return self.transform(image.convert("RGB")), int(self.labels[index])


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)


def photograph() -> bytes:
    """Return the JPEG file that matplotlib ships: Grace Hopper, 512 by 600 pixels."""
    cbook = import_module("matplotlib.cbook")  # here alone: a worker that gets the dataset need not wait for it
    return Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).read_bytes()


def crop_folder() -> Path:
    """Return a folder of JPEG files cut from `photograph`, made once: 8 classes of 64 crops.

    Each crop is shifted at random, rotated by up to 15 degrees, 160 to 256 pixels wide and encoded at quality 85.
    """
    return make_once(f"images-2-{digest(photograph())}", _make_crops)


def photo_crops(*, size: int = 160) -> ImageDataset:
    """Return the crops of `crop_folder` as float32 (3, `size`, `size`); the class is what the crop shows."""
    return ImageDataset(crop_folder(), ToTensor(size))


def _make_crops(folder: Path) -> None:
    photo = Image.open(BytesIO(photograph())).convert("RGB")
    for place, (across, down) in _PLACES.items():
        (folder / place).mkdir()
        centre = across * photo.width, down * photo.height
        for number, crop in enumerate(_crops(photo, centre, random.Random(place))):  # noqa: S311  no secret
            crop.save(folder / place / f"{number:02}.jpg", quality=85)


def _crops(photo: Image.Image, centre: tuple[float, float], rng: random.Random) -> Iterator[Image.Image]:
    """Yield images cut around `centre` (pixels of `photo`, which is mirrored at its edges)."""
    margin = _SIDES[1]
    wide = Image.fromarray(np.pad(np.asarray(photo), ((margin, margin), (margin, margin), (0, 0)), "symmetric"))
    for _ in range(_CROPS_A_CLASS):
        side, angle = rng.randint(*_SIDES), math.radians(rng.uniform(-15, 15))
        x, y = (margin + coordinate + rng.uniform(-24, 24) for coordinate in centre)
        cos, sin, half = math.cos(angle), math.sin(angle), side / 2
        # Pixel (u, v) of the crop is the photograph's (x, y) + rotation of (u - half, v - half).
        affine = (cos, -sin, x - half * (cos - sin), sin, cos, y - half * (sin + cos))
        yield wide.transform((side, side), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
