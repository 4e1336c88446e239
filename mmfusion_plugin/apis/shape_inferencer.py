"""From a picture of an object to its shape as a point cloud, by a trained ReConstNet."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional, Union

import numpy as np
from mmengine.config import Config

from mmfusion_plugin.datasets.object_images import ObjectImage
from mmfusion_plugin.models.reconstructors import ReConstNet

from .object_inferencer import ObjectInferencer, SeenObject


class ReconstructedShape(NamedTuple):
    """The shape in a picture, in the frame of the clouds that the model was trained on.

    Attributes:
        points: ``(N, 3)`` float32, what the model predicts.
        samples: ``(S, N, 3)`` float32 clouds drawn from its distribution, whose points correspond row by row; None
            where none were asked for.
        image: ``(H, W, 3)`` uint8 RGB, what the network saw.
    """

    points: np.ndarray
    samples: Optional[np.ndarray]
    image: np.ndarray

    @property
    def spread(self) -> Optional[np.ndarray]:
        """``(N,)`` standard deviation of each point over the samples, all axes together; None without samples."""
        if self.samples is None:
            return None
        return np.sqrt(self.samples.astype(np.float64).var(axis=0, ddof=1).sum(axis=1))


class ShapeInferencer(ObjectInferencer):
    """Reconstructs shapes.

    Args:
        config: See :class:`~mmfusion_plugin.apis.image_inferencer.ImageInferencer`; of a ``ReConstNet``, with a
            pipeline that loads by ``LoadRendering``, or by ``LoadObjectImage`` and ``FitObject``.
        checkpoint: The same.
        device: The same.
        samples: Number of clouds drawn of each picture, 2 or more; 0 draws none.
        seed: Of the samples, which are those of a picture's file name, in whatever order pictures come.

    Raises:
        ValueError: As there, ``samples`` is wrong, or the model's code has no spread to draw from.
    """

    def __init__(
        self,
        config: Union[str, Path, Config],
        checkpoint: Union[str, Path, None],
        device: Optional[str] = None,
        samples: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(config, checkpoint, device, ReConstNet)
        if samples < 0 or samples == 1:
            raise ValueError(f'need two samples or more to show a spread, or none (0), got {samples}')
        head = self.model.head
        if samples > 1 and getattr(head, 'log_variance', None) is None:
            raise ValueError(f'{self.name} has a code without spread, whose samples would all be the same: leave out '
                             f'the {samples} samples')  # fmt: skip
        head.num_samples, head.seed = max(samples, 1), seed
        self.fitting()  # a config without is an error here, not at the first picture

    @property
    def prediction(self) -> str:
        """Where ``points`` come from: the ``'mean'`` of the code, or a ``'sample'`` of it, as the config says."""
        return self.model.head.test_mode

    def __call__(self, image: np.ndarray, mask: np.ndarray, name: str = '') -> ReconstructedShape:
        """Reconstruct what a mask shows; it is cut out, scaled and put before the background of the training's images.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            mask: ``(H, W)``, 0 being background.
            name: Of the picture's file.

        Raises:
            TypeError: The image is not uint8.
            ValueError: A shape is wrong, or the mask is empty.
        """
        return self.reconstruct(self._fitted(ObjectImage(image, mask, 'mask'), name))

    def reconstruct(self, seen: SeenObject) -> ReconstructedShape:
        """Reconstruct what :meth:`look_at` saw."""
        (sample,) = self.predict([seen.sample])
        drawn = sample.get('pred_samples')
        return ReconstructedShape(
            sample.pred_points.float().cpu().numpy(), None if drawn is None else drawn.float().cpu().numpy(), seen.image
        )
