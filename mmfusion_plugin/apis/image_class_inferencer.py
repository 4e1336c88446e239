"""From a photograph and its mask to classes with probabilities, by a trained SIM-Net or one of its branches."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple, Union

import numpy as np
from mmengine.config import Config

from mmfusion_plugin.datasets.transforms.pixel_to_point import PixelToPoint
from mmfusion_plugin.models.classifiers.sim_net import SIMNet

from .image_cloud import ImageCloud, cloud_of
from .image_inferencer import ImageInferencer, step_name


class ImageClassification(NamedTuple):
    """Result for one photograph and C classes.

    Attributes:
        scores: ``(C,)`` float32 probabilities.
        label: Position of the largest.
        mask: ``(H, W)`` uint8 in the photograph's size, what was taken for foreground; None where no mask was given.
        cloud: What the point branch saw; None for a model without one.
        num_foreground: Foreground pixels at the network's size, where a small object may have vanished; None where
            there is neither a cloud nor a mask.
    """

    scores: np.ndarray
    label: int
    mask: Optional[np.ndarray]
    cloud: Optional[ImageCloud]
    num_foreground: Optional[int]


class ImageClassInferencer(ImageInferencer):
    """Classifies photographs.

    Args:
        config: See :class:`~mmfusion_plugin.apis.image_inferencer.ImageInferencer`; of a ``SIMNet``.
        checkpoint: The same.
        device: The same.

    Attributes:
        classes: Names from the checkpoint, from the config, or numbers.
        needs_mask: Whether the result depends on the mask, which then must be given. Not of an image branch alone that
            sees whole images, nor where the config's ``LoadImageAndMask`` takes a missing mask for the whole image.
        needs_depth: Whether the pipeline reads a depth map, whose file then must be named.

    Raises:
        ValueError: As there, or the model has other classes than the checkpoint names.
    """

    def __init__(
        self, config: Union[str, Path, Config], checkpoint: Union[str, Path, None], device: Optional[str] = None
    ) -> None:
        super().__init__(config, checkpoint, device, SIMNet)
        self.needs_depth = 'LoadDepthMap' in {step_name(step) for step in self.steps}
        self._cloud_options = None
        if self.model.point_backbone is not None:
            points = [step for step in self.steps if step_name(step) == 'PixelToPoint']
            if not points:
                raise ValueError(f'{self.name} has a point branch, but no PixelToPoint in its test pipeline')
            self._cloud_options = PixelToPoint(**{k: v for k, v in points[-1].items() if k != 'type'}).options
        self.classes = self._classes()
        self.needs_mask = self._needs_mask()

    def __call__(
        self, image: np.ndarray, mask: Optional[np.ndarray] = None, name: str = '', depth_path: Optional[Path] = None
    ) -> ImageClassification:
        """Classify a photograph.

        Args:
            image: ``(H, W, 3)`` uint8 BGR, as mmcv loads it.
            mask: ``(H, W)``, 0 being background.
            name: Of the photograph, for messages.
            depth_path: File of its depth map, which ``LoadDepthMap`` of the pipeline reads.

        Raises:
            CorruptDataError: The depth map is damaged, or of another size and the config does not stretch it.
            TypeError: The image is not uint8.
            ValueError: A mask or depth map is missing or of another size, or the model does not score each class.
        """
        if mask is None and self.needs_mask:
            raise ValueError(f'{name or "the image"} has no mask, on which the result of {self.name} depends')
        if depth_path is None and self.needs_depth:
            raise ValueError(f'{name or "the image"} has no depth map, from which {self.name} takes z')
        results = self.transform(image, mask, name, **({'depth_path': str(depth_path)} if self.needs_depth else {}))
        (sample,) = self.predict([self.pack(results)])
        scores = sample.pred_score.float().cpu().numpy()
        if scores.shape != (len(self.classes),):
            raise ValueError(f'the model has {scores.shape} scores, but there are {len(self.classes)} classes: '
                             f'{", ".join(self.classes)}')  # fmt: skip
        cloud, count = None, None if mask is None else int(np.count_nonzero(results['mask']))
        if self._cloud_options is not None:
            cloud = cloud_of(results, self._cloud_options)
            count = cloud.num_foreground
        return ImageClassification(scores, int(scores.argmax()), _used(mask, results), cloud, count)

    def _classes(self) -> Tuple[str, ...]:
        named = self.meta.get('classes') or self.dataset_cfg.get('metainfo', {}).get('classes')
        if named:
            return tuple(map(str, named))
        count = getattr(self.model.head, 'num_classes', 0)
        return tuple(f'class {number}' for number in range(count))

    def _needs_mask(self) -> bool:
        steps = {step_name(step): step for step in self.steps}
        if steps.get('LoadImageAndMask', {}).get('missing') == 'whole':
            return False
        if 'CropToMask' in steps or steps['PackImageInputs'].get('image_source') == 'segmented':
            return True
        return self._cloud_options is not None and self._cloud_options['foreground'] == 'mask'


def _used(mask: Optional[np.ndarray], results: Dict[str, Any]) -> Optional[np.ndarray]:
    """The mask, unless the pipeline's rule for empty ones took the whole image."""
    if mask is None:
        return None
    replaced = results.get('mask_state') == 'empty' and results['mask'].any()
    return np.ones(mask.shape, np.uint8) if replaced else (mask != 0).astype(np.uint8)
