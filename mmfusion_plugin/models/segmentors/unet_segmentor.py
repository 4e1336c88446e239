"""A U-Net that finds the object in a photograph: where SIM-Net's masks come from."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Union

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor

from .point_set import Part, build_part

Samples = List[BaseDataElement]


@MODELS.register_module()
class UNetSegmentor(BaseModel):
    """Foreground or not, for each pixel of images of any size.

    Args:
        backbone: Config of a network with one logit per pixel (``UNet``).
        loss_mask: Config of the loss (``MaskLoss``).
        data_preprocessor: Config of the data preprocessor (``FusionDataPreprocessor``).
        init_cfg: Of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        backbone: Optional[Part] = None,
        loss_mask: Optional[Part] = None,
        data_preprocessor: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        # Built here, so that the model also builds where no default scope is set.
        super().__init__(MODELS.build(data_preprocessor or {'type': 'FusionDataPreprocessor'}), init_cfg)
        self.backbone = build_part(backbone or {'type': 'UNet'})
        self.loss_mask = build_part(loss_mask or {'type': 'MaskLoss'})

    def forward(
        self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None, mode: str = 'tensor'
    ) -> Union[Tensor, Dict[str, Tensor], Samples]:
        """Losses, predictions or logits.

        Args:
            inputs: ``img`` (B, 3, H, W), normalised.
            data_samples: One per image.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            What :meth:`loss` or :meth:`predict` return; (B, 1, H, W) logits for ``'tensor'``.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.backbone(inputs['img'])
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, inputs: Dict[str, Any], data_samples: Samples) -> Dict[str, Tensor]:
        """``loss_bce`` and ``loss_dice``.

        Args:
            inputs: ``img`` (B, 3, H, W).
            data_samples: With ``gt_mask`` (1, H, W), 0 being background and all else foreground.

        Raises:
            ValueError: A mask is missing or of another size than its image.
        """
        logits = self.backbone(inputs['img'])
        return self.loss_mask(logits, _true_masks(logits, data_samples))

    def predict(self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None) -> Samples:
        """Set ``pred_mask`` (1, H, W) of each sample: probability of foreground, in pixels of the network's input.

        None makes new samples.
        """
        chances = self.backbone(inputs['img']).sigmoid()
        samples = data_samples or [BaseDataElement() for _ in chances]
        for sample, chance in zip(samples, chances):
            sample.pred_mask = chance
        return samples


def _true_masks(logits: Tensor, samples: Samples) -> Tensor:
    """(B, 1, H, W) bool."""
    masks = []
    shape = tuple(logits.shape[1:])
    for number, sample in enumerate(samples):
        mask = sample.get('gt_mask')
        if mask is None or mask.shape != shape:
            found = 'no gt_mask' if mask is None else f'a gt_mask {tuple(mask.shape)}'
            raise ValueError(f"{sample.get('img_path', f'sample {number}')} has {found}, need one {shape}: load masks "
                             'before what resizes images, and pack them for training')
        masks.append(mask)
    return torch.stack(masks) > 0
