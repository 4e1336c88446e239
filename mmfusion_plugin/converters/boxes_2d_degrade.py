"""Annotated 2D boxes made worse, as a detector of falling quality would draw them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from .boxes_2d_files import rewrite_infos
from .boxes_2d_quality import BoxQuality
from .nuscenes_taxonomy import FINE_NAMES


@dataclass(frozen=True)
class Degradation:
    """Kinds of error, each independent of the others.

    Attributes:
        jitter: Standard deviation of each side's displacement as a share of the box's width or height.
        miss: Probability that a box is missing.
        false_positives: Mean number of boxes without an object in an image.
        wrong_class: Probability that a box has another category.
    """

    jitter: float = 0.0
    miss: float = 0.0
    false_positives: float = 0.0
    wrong_class: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (('jitter', 1.0), ('miss', 1.0), ('false_positives', 1000.0), ('wrong_class', 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f'{name} must be in 0..{most:g}, got {getattr(self, name)}')


LEVELS: tuple[Degradation, ...] = (
    Degradation(),
    Degradation(jitter=0.05, miss=0.1, false_positives=0.5, wrong_class=0.05),
    Degradation(jitter=0.10, miss=0.25, false_positives=1.5, wrong_class=0.1),
    Degradation(jitter=0.15, miss=0.4, false_positives=3.0, wrong_class=0.2),
)
"""Four steps from exact boxes (0) to those of a poor detector (3); our choice, fitted to no detector."""

# Width, length, height in metres, in round figures: what false positives and wrong classes are drawn from.
_SIZES = {
    'human.pedestrian.adult': (0.7, 0.7, 1.75),
    'human.pedestrian.child': (0.5, 0.5, 1.3),
    'movable_object.barrier': (0.5, 2.5, 1.0),
    'movable_object.trafficcone': (0.4, 0.4, 1.0),
    'vehicle.bicycle': (0.6, 1.7, 1.3),
    'vehicle.bus.rigid': (2.9, 11.0, 3.5),
    'vehicle.car': (1.9, 4.6, 1.7),
    'vehicle.motorcycle': (0.8, 2.1, 1.5),
    'vehicle.truck': (2.5, 6.9, 2.8),
}
_DEPTHS = (5.0, 50.0)  # metres
_CAMERA_HEIGHT = 1.5  # metres above the ground, nuScenes' cameras
_LEAST_SIDE = 1.0  # pixels; a smaller box is a missed one


def degrade_infos(infos: Path, out: Path, degradation: Degradation, seed: int = 0) -> BoxQuality:
    """Write a copy of an info file with worse 2D boxes.

    The errors of an image depend on its name and ``seed`` alone: they are the same in each epoch, as a detector's are,
    and at a higher level the boxes that were missing or displaced before are so again; false positives may differ.

    Args:
        infos: Info file in JSON with annotated 2D boxes.
        out: Info file to write.
        degradation: Such as one of :data:`LEVELS`.
        seed: Of all errors.

    Returns:
        The new boxes judged by those of ``infos``.

    Raises:
        FileNotFoundError: ``infos`` is missing.
        ValueError: It is damaged, or has no 2D boxes.
    """
    quality = BoxQuality()

    def change(entry: dict) -> None:
        for camera, image in entry['images'].items():
            if 'boxes_2d' not in image:
                raise ValueError(
                    f'{infos}: sample {entry.get("token")} has no 2D boxes for {camera}: generate the file with '
                    'tools/create_data.py'
                )
            exact = image['boxes_2d']
            image['boxes_2d'] = degrade_boxes(image, degradation, seed)
            quality.add(exact, image['boxes_2d'])

    rewrite_infos(infos, out, change)
    return quality


def degrade_boxes(image: dict, degradation: Degradation, seed: int = 0) -> list[dict]:
    """Worse boxes of one image.

    Displaced boxes lose their ``segmentation``, which would tell where the object is.

    Args:
        image: Camera entry of an info file: ``img_path``, ``width``, ``height``, ``cam2img``, ``boxes_2d``.
        degradation: What goes wrong.
        seed: Of all errors.

    Returns:
        New entries; those of ``image`` stay as they are.
    """
    name = PurePosixPath(image['img_path']).name
    random = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], 'big')])
    # All draws are made whatever the degradation: for annotated boxes it changes the size and number of errors, not
    # their place. The number of false positives is drawn before they are: another mean puts them elsewhere.
    count = len(image['boxes_2d'])
    shift, chance, other = random.normal(size=(count, 4)), random.random((count, 2)), random.random(count)
    boxes = []
    for row, exact in enumerate(image['boxes_2d']):
        box = dict(exact)
        if chance[row, 0] < degradation.miss:
            continue
        if degradation.jitter:
            x1, y1, x2, y2 = exact['bbox']
            size = np.array([x2 - x1, y2 - y1] * 2)
            bbox = _within(image, exact['bbox'] + degradation.jitter * shift[row] * size)
            if bbox is None:
                continue
            box['bbox'] = bbox
            box.pop('segmentation', None)
        if chance[row, 1] < degradation.wrong_class:
            others = [one for one in _SIZES if one != exact['category_name']]
            box.update(_category(others[int(other[row] * len(others))]))
        boxes.append(box)
    drawn = (_false_positive(image, random) for _ in range(random.poisson(degradation.false_positives)))
    return boxes + [box for box in drawn if box is not None]


def _false_positive(image: dict, random: np.random.Generator) -> dict | None:
    """A box of an object's size that stands on flat ground somewhere in view."""
    name = list(_SIZES)[random.integers(len(_SIZES))]
    width, length, height = _SIZES[name]
    depth, side = random.uniform(*_DEPTHS), random.uniform(width, length)
    scale = image['cam2img'][0][0] / depth
    centre, bottom = random.uniform(0, image['width']), image['cam2img'][1][2] + _CAMERA_HEIGHT * scale
    bbox = np.array([centre - side * scale / 2, bottom - height * scale, centre + side * scale / 2, bottom])
    within = _within(image, bbox)
    if within is None:
        return None
    return {'bbox': within, **_category(name), 'visibility': 0, 'truncation': 0.0, 'depth': round(depth, 5)}


def _within(image: dict, bbox: np.ndarray) -> list[float] | None:
    """A box with its sides in order and in the image; None when too little is left."""
    corners = np.sort(np.reshape(bbox, (2, 2)), axis=0).clip(0, [image['width'], image['height']])
    if (corners[1] - corners[0]).min() < _LEAST_SIDE:
        return None
    return np.round(corners.ravel(), 3).tolist()


def _category(name: str) -> dict:
    return {'category': FINE_NAMES.index(name), 'category_name': name}
