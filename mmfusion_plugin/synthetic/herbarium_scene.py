"""One herbarium sheet: what is on it, its picture, its masks, and their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from mmfusion_plugin.files import write_bytes
from mmfusion_plugin.synthetic.herbarium_canvas import Canvas, coverage
from mmfusion_plugin.synthetic.herbarium_masks import damaged
from mmfusion_plugin.synthetic.herbarium_plant import DIFFICULTIES, TRAITS, grow
from mmfusion_plugin.synthetic.herbarium_sheet import furnish, paper, straps

#: Width and height (mm) that a sheet measures at least; the usual mount is 29 cm by 43 cm.
SHEET = (280.0, 420.0)
#: Folders of the three pictures of a sheet.
IMAGES, SELECTED, COMPLETE = 'images', 'masks_selected', 'masks_complete'
_QUALITY = 92


@dataclass(frozen=True)
class SheetPlan:
    """What to draw.

    Attributes:
        name: Of its files.
        split: 'train', 'val' or 'test'.
        key: Seed, number of the split, and number in it: what all randomness of the sheet comes from.
        traits: One of each of ``TRAITS``, in their order.
        size: Width and height (pixels).
        difficulty: Of ``DIFFICULTIES``.
        plain_fruit: See :func:`~mmfusion_plugin.synthetic.herbarium_plant.grow`.
    """

    name: str
    split: str
    key: Tuple[int, int, int]
    traits: Tuple[bool, ...]
    size: Tuple[int, int]
    difficulty: str
    plain_fruit: bool = False

    def rng(self, purpose: int) -> np.random.Generator:
        """Its own stream for each purpose."""
        return np.random.default_rng([*self.key, purpose])

    def paths(self, root: Path) -> Dict[str, Path]:
        """Its files by folder; the image is written last."""
        return {SELECTED: root / SELECTED / f'{self.name}.png', COMPLETE: root / COMPLETE / f'{self.name}.png',
                IMAGES: root / IMAGES / f'{self.name}.jpg'}  # fmt: skip

    def finished(self, root: Path) -> bool:
        """Whether the sheet is complete."""
        return self.paths(root)[IMAGES].is_file()


class Sheet(NamedTuple):
    """A drawn sheet: ``image (H, W, 3)`` uint8 BGR, and masks ``(H, W)`` uint8 with 255 on the plant."""

    image: np.ndarray
    selected: np.ndarray
    complete: np.ndarray


def draw_sheet(plan: SheetPlan) -> Sheet:
    """Draws a sheet with its masks. Straps lie over the plant and are not foreground."""
    width, height = plan.size
    scale = min(width / SHEET[0], height / SHEET[1])
    layout, life, finish = (plan.rng(purpose) for purpose in range(3))
    pixels = paper(layout, (height, width), scale)
    canvas = Canvas(pixels, scale)
    furniture = furnish(layout, canvas)
    traits, level = dict(zip(TRAITS, plan.traits)), DIFFICULTIES[plan.difficulty]
    plant = grow(life, traits, canvas.size, level, plan.plain_fruit)
    cover = coverage(plant.strokes, (height, width), scale)
    _cast_shadow(pixels, cover, scale)
    canvas.draw(plant.strokes)
    _weather(finish, pixels, cover)
    bare = pixels.copy()
    straps(finish, canvas, plant.straps)
    strapped = (pixels != bare).any(axis=2)
    selected = np.where((cover > 127) & ~strapped, 255, 0).astype(np.uint8)
    complete = damaged(plan.rng(3), selected, furniture.boxes.values(), scale)
    return Sheet(_photographed(finish, pixels), selected, complete)


def _cast_shadow(pixels: np.ndarray, cover: np.ndarray, scale: float) -> None:
    """Darkens the paper beside the plant, which is lit from the upper left."""
    shift = np.float32([[1, 0, 0.9 * scale], [0, 1, 1.1 * scale]])
    shadow = cv2.warpAffine(cover, shift, cover.shape[::-1])
    shadow = cv2.GaussianBlur(shadow, (0, 0), 0.8 * scale)
    dim = 255 - (0.38 * shadow).astype(np.uint8)
    cv2.multiply(pixels, cv2.merge([dim, dim, dim]), dst=pixels, scale=1 / 255)


def _weather(rng: np.random.Generator, pixels: np.ndarray, cover: np.ndarray) -> None:
    """Mottles the plant, as drying does."""
    height, width = cover.shape
    factor = np.ones((height, width), np.float32)
    for cells, strength in ((9, 0.07), (70, 0.07)):
        coarse = rng.normal(0, strength, (cells * 3 // 2, cells)).astype(np.float32)
        factor += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    factor = 1 + (factor - 1) * (cover.astype(np.float32) / 255)
    cv2.multiply(pixels, cv2.merge([factor] * 3), dst=pixels, dtype=cv2.CV_8U)


def _photographed(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Exposure, white balance, and the noise of a sensor."""
    gain = rng.normal(1.0, 0.03) * (1 + rng.normal(0, 0.012, 3))
    noise = np.empty(pixels.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(noise, 0, 2)
    return cv2.add(cv2.multiply(pixels, (*gain, 0.0)), noise, dtype=cv2.CV_8U)


def record_sheets(root: Path, plans: Sequence[SheetPlan], advance: Callable[[], None]) -> None:
    """Draws sheets and writes their files.

    Args:
        root: Folder of the world.
        plans: What to draw.
        advance: Called after each sheet.
    """
    for plan in plans:
        sheet, paths = draw_sheet(plan), plan.paths(root)
        for folder, pixels, options in ((SELECTED, sheet.selected, ()), (COMPLETE, sheet.complete, ()),
                                        (IMAGES, sheet.image, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))):  # fmt: skip
            _, data = cv2.imencode(paths[folder].suffix, pixels, options)
            write_bytes(paths[folder], data.tobytes())
        advance()
