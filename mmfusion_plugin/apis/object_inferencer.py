"""Pictures of objects as a model sees them: the object found, and put before the background that it knows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

import numpy as np
from mmengine.dataset import Compose
from torch import nn

from mmfusion_plugin.datasets.object_images import LONGEST, SIZE, ObjectImage, fit_object, read_object_image
from mmfusion_plugin.datasets.photographs import Photograph, read_photograph

from .image_inferencer import ImageInferencer, step_name
from .mask_sources import MaskSource

# Of a training's samples, what a picture from anywhere has not.
_NOT_OF_PICTURES = ('LoadCloudTarget', 'LoadVoxelTarget', 'LoadViewpoint', 'LoadEmbedding')
_RENDERED = 137  # pixels of 3D-R2N2's renderings
_PLAIN = 235  # grey drawn behind pictures whose background is transparent


@dataclass(frozen=True)
class ObjectOptions:
    """How pictures are read.

    Attributes:
        rendering: They are like the config's own, 3D-R2N2's renderings, and loaded by its own loader, not searched for
            an object.
        tolerance: Largest difference of a channel from the colour of a plain background.
        holes: Take enclosed areas of that colour for background too.

    Raises:
        ValueError: ``tolerance`` is not within 0..255.
    """

    rendering: bool = False
    tolerance: int = 24
    holes: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance <= 255:
            raise ValueError(f'tolerance must lie within 0..255, got {self.tolerance}')

    def check_mask(self, mask: Optional[Path]) -> None:
        """Refuse a mask, or a folder of masks, of renderings.

        Raises:
            ValueError: There is one.
        """
        if self.rendering and mask is not None:
            raise ValueError(f'the mask {mask} is of no use to renderings, which are taken as they are: leave out '
                             '--mask or --rendering')  # fmt: skip


class SeenObject(NamedTuple):
    """A picture, and what a model sees of it.

    Attributes:
        found: The picture (BGR), its object's mask (None in a rendering) and where the mask is from.
        sample: Packed, as the model takes it.
        image: ``(h, w, 3)`` uint8 RGB, the network's input.
    """

    found: ObjectImage
    sample: Dict[str, Any]
    image: np.ndarray


class ObjectInferencer(ImageInferencer):
    """A model of images of one object, whose pipeline ends in ``PackShapeInputs``; see ``ImageInferencer``."""

    PACKER = 'PackShapeInputs'
    READERS = ('LoadRendering', 'LoadObjectImage', 'FitObject', *_NOT_OF_PICTURES)

    def fitting(self) -> Dict[str, Any]:
        """Options of ``fit_object`` by which any object gets as large as those that the config loads.

        Raises:
            ValueError: The config loads no images of objects.
        """
        by_name = {step_name(step): step for step in self.steps}
        if 'FitObject' in by_name:
            return {key: value for key, value in by_name['FitObject'].items() if key != 'type'}
        if 'LoadRendering' not in by_name:
            raise ValueError(f'the test pipeline of {self.name} has neither LoadRendering nor FitObject, which say how '
                             'large objects are in its images')  # fmt: skip
        loader = by_name['LoadRendering']
        size = loader.get('size') or loader.get('crop', SIZE) or _RENDERED
        return {'size': size, 'longest': size * LONGEST // SIZE, 'background': loader.get('background') or 0}

    def look_at(self, path: Path, mask: Optional[Path] = None, options: Optional[ObjectOptions] = None) -> SeenObject:
        """Read a picture of an object.

        Args:
            path: Of the picture.
            mask: Of its mask; without one, the alpha channel or a plain background says where the object is.
            options: See there.

        Raises:
            CorruptDataError: A file is missing or damaged, or the object is not to be found.
            ValueError: The config loads no images, or no renderings where those are asked for.
        """
        options = options or ObjectOptions()
        if not options.rendering:
            mask_path = None if mask is None else str(mask)
            return self._fitted(read_object_image(str(path), mask_path, options.tolerance, options.holes), str(path))
        if 'LoadRendering' not in map(step_name, self.steps):
            raise ValueError(f'{self.name} loads no renderings: take pictures as those of any object')
        found = ObjectImage(read_photograph(path), None, 'rendering')
        return self._seen(found, self.load({'img_path': str(path), 'sample_idx': 0}))

    def load(self, entry: Dict[str, Any]) -> Dict[str, Any]:
        """Run the test pipeline up to the packer on a dataset's entry, its targets left out.

        Raises:
            CorruptDataError: A file is missing or damaged.
        """
        return Compose([step for step in self.steps[:-1] if step_name(step) not in _NOT_OF_PICTURES])(dict(entry))

    def _fitted(self, found: ObjectImage, name: str) -> SeenObject:
        """An object cut out, scaled and put before the background of the training's images."""
        return self._seen(found, self.transform(fit_object(found.image, found.mask, **self.fitting()), name=name))

    def _seen(self, found: ObjectImage, results: Dict[str, Any]) -> SeenObject:
        return SeenObject(found, self.pack(results), np.ascontiguousarray(results['img'][..., ::-1]))


def drawable(found: ObjectImage) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB of a picture; what is hidden under a transparent background is plain grey."""
    rgb = found.image[..., ::-1]
    return np.where(found.mask[..., None] != 0, rgb, np.uint8(_PLAIN)) if found.origin == 'alpha' else rgb


def mask_of(photo: Photograph, masks: MaskSource, options: ObjectOptions) -> Optional[Path]:
    """File of a picture's mask; None where none is given.

    Raises:
        ValueError: One is given for renderings.
    """
    options.check_mask(masks.given)
    if masks.given is None or not masks.given.is_dir():
        return masks.given
    return photo.beside(masks.given, masks.suffix)


def weights_digest(model: nn.Module) -> str:
    """16 hexadecimal digits that follow from all weights of a model."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
