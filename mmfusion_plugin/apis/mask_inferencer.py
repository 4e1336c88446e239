"""From a photograph to the mask of what it shows, by a trained U-Net."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from mmengine.config import Config

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.models.segmentors.unet_segmentor import UNetSegmentor

from .image_inferencer import ImageInferencer, check_image
from .pixel_placement import find_placement, place


class PreparedPhotograph(NamedTuple):
    """What the network needs of a photograph.

    Attributes:
        sample: Packed.
        matrix: See :func:`~mmfusion_plugin.apis.pixel_placement.find_placement`.
        shape: Height and width of the photograph.
    """

    sample: Dict[str, Any]
    matrix: np.ndarray
    shape: Tuple[int, int]

    @property
    def input_shape(self) -> Tuple[int, ...]:
        """Shape of the network's input; photographs with the same one can be in a batch."""
        return tuple(self.sample['inputs']['img'].shape)


class MaskInferencer(ImageInferencer):
    """Masks of photographs at their own size.

    Args:
        config: See :class:`~mmfusion_plugin.apis.image_inferencer.ImageInferencer`; of a ``UNetSegmentor``.
        checkpoint: The same.
        device: The same.
        threshold: Probability from which a pixel is foreground.

    Raises:
        ValueError: As there, or the threshold is not between 0 and 1.
    """

    def __init__(
        self,
        config: Union[str, Path, Config],
        checkpoint: Union[str, Path, None],
        device: Optional[str] = None,
        threshold: float = 0.5,
    ) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f'threshold must lie between 0 and 1, got {threshold}')
        super().__init__(config, checkpoint, device, UNetSegmentor)
        self.threshold = threshold
        self._placements: Dict[Tuple[int, int], np.ndarray] = {}

    def prepare(self, image: np.ndarray, name: str = '') -> PreparedPhotograph:
        """Get a photograph ``(H, W, 3)`` uint8 BGR ready for :meth:`masks`.

        Raises:
            TypeError: The image is not uint8.
            CorruptDataError: It is too small or too slim for the network.
            ValueError: Its shape is wrong, or the pipeline keeps no track of its pixels.
        """
        check_image(image, name=name)
        shape = image.shape[:2]
        if shape not in self._placements:
            try:
                self._placements[shape] = find_placement(self.transform, shape, self.name)
            except CorruptDataError as error:
                raise CorruptDataError(f'{name or "the image"} gets no mask: {error}') from error
        return PreparedPhotograph(self.pack(self.transform(image, name=name)), self._placements[shape], shape)

    def masks(self, batch: Sequence[PreparedPhotograph]) -> List[np.ndarray]:
        """``(H, W)`` uint8 for each, 1 foreground, 0 background.

        Raises:
            ValueError: The network's inputs differ in size.
        """
        samples = self.predict([photograph.sample for photograph in batch])
        chances = [sample.pred_mask[0].float().cpu().numpy() for sample in samples]
        # Probabilities are interpolated, not decisions: outlines are then finer than the network's pixels.
        return [
            (place(chance, photograph.matrix, photograph.shape) >= self.threshold).astype(np.uint8)
            for chance, photograph in zip(chances, batch)
        ]

    def __call__(self, image: np.ndarray, name: str = '') -> np.ndarray:
        """``(H, W)`` uint8 mask of a photograph ``(H, W, 3)`` uint8 BGR."""
        return self.masks([self.prepare(image, name)])[0]
