"""The one data preprocessor: moves a batch to the device, stacks and normalises its images."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Union

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

_LAYOUTS = {'imgs': '(V, 3, H, W)', 'img': '(3, H, W)'}


@MODELS.register_module()
class FusionDataPreprocessor(BaseDataPreprocessor):
    """Batch of points, images and point-to-pixel matches.

    Args:
        mean: Per channel, in the channel order after ``bgr_to_rgb``; None leaves values as they are.
        std: Per channel.
        bgr_to_rgb: Reverse the channels (images are loaded as BGR).
        non_blocking: Of the copy to the device.
    """

    def __init__(
        self,
        mean: Optional[Sequence[float]] = None,
        std: Optional[Sequence[float]] = None,
        bgr_to_rgb: bool = False,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking)
        if (mean is None) != (std is None):
            raise ValueError('mean and std come together: give both or neither')
        self.bgr_to_rgb = bgr_to_rgb
        self.normalise = mean is not None
        self.register_buffer('mean', torch.tensor(mean or [0.0]).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std or [1.0]).view(-1, 1, 1), persistent=False)

    def forward(
        self, data: Union[Dict[str, Any], List[Dict[str, Any]]], training: bool = False
    ) -> Union[Dict[str, Any], List[Dict[str, Any]]]:
        """Prepare a batch.

        Args:
            data: ``inputs`` with ``points`` (list of (N_i, C)) and, where images were loaded, ``imgs`` (list of
                (V, 3, H, W) of equal size) and ``pixels`` (list of (N_i, V, 2)), or ``img`` of samples with one image
                (list of (3, H, W) of equal size); ``data_samples``. A list of such dictionaries is a batch of test-time
                augmentations.
            training: Unused; training and testing are prepared alike.

        Returns:
            The same with everything on the device and ``imgs`` (B, V, 3, H, W) or ``img`` (B, 3, H, W) float32.
        """
        if isinstance(data, list):
            return [self.forward(view, training) for view in data]
        data = self.cast_data(data)
        inputs = dict(data['inputs'])
        for key, layout in _LAYOUTS.items():
            if key in inputs:
                inputs[key] = self._images(inputs[key], layout)
        return {'inputs': inputs, 'data_samples': data.get('data_samples')}

    def _images(self, images: Union[Tensor, List[Tensor]], layout: str) -> Tensor:
        """(B, V, 3, H, W) or (B, 3, H, W) float32, normalised."""
        sizes = {tuple(image.shape) for image in images}
        if len(sizes) != 1 or len(next(iter(sizes))) != layout.count(',') + 1:
            views = ' and load the same number of views' if 'V' in layout else ''
            raise ValueError(
                f'images of a batch must share one shape {layout}, got {sorted(sizes)}: resize them to one size{views} '
                'in the pipeline'
            )
        batch = images if isinstance(images, Tensor) else torch.stack(list(images))
        if self.bgr_to_rgb:
            batch = batch.flip(-3)
        batch = batch.float()
        return (batch - self.mean) / self.std if self.normalise else batch
