"""Scores of predicted masks: intersection over union and Dice."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric


@METRICS.register_module()
class MaskMetric(BaseMetric):
    """IoU and Dice of foreground, as the mean over images (``iou``, ``dice``) and over all pixels (``iou_global``,
    ``dice_global``), each in 0..1.

    Where both mask and prediction are empty, in an image or in the whole set, the prediction is right and both scores
    are 1; where one alone is, they are 0.

    Samples are dicts with ``pred_mask`` (1, H, W), a probability, and ``gt_mask`` (1, H, W), 0 being background.
    Samples are collected over processes by mmengine, two numbers each.

    Args:
        threshold: Probability from which a pixel is foreground.
        prefix: Put before each metric's name, as in mmengine.
        collect_device: Of mmengine's ``BaseMetric``.

    Raises:
        ValueError: A mask is missing, or the two differ in shape; the text names the image.
    """

    def __init__(self, threshold: float = 0.5, prefix: Optional[str] = None, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.threshold = threshold

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of samples; see the class for what each must hold. ``data_batch`` is not looked at."""
        for sample in data_samples:
            found, truth = (_mask(sample, key) for key in ('pred_mask', 'gt_mask'))
            if found.shape != truth.shape:
                raise ValueError(f'{_name(sample)}: prediction {tuple(found.shape)} for a mask {tuple(truth.shape)}; '
                                 'score at the size of the prediction, or resize it first')
            found, truth = found >= self.threshold, truth > 0
            shared, either = int((found & truth).sum()), int((found | truth).sum())
            self.results.append((shared, either))

    def compute_metrics(self, results: List[tuple]) -> Dict[str, float]:
        """Scores of (intersection, union) in pixels, one pair per image."""
        shared, either = np.array(results, np.int64).reshape(-1, 2).T
        iou, dice = _scores(shared, either)
        iou_global, dice_global = _scores(shared.sum(), either.sum())
        scores = dict(iou=iou.mean(), dice=dice.mean(), iou_global=iou_global, dice_global=dice_global)
        return {key: float(value) for key, value in scores.items()}


def _scores(shared: np.ndarray, either: np.ndarray) -> tuple:
    """IoU and Dice. Prediction and mask together have as many pixels as their union and their intersection."""
    iou = np.where(either > 0, shared / np.maximum(either, 1), 1.0)
    return iou, 2 * iou / (1 + iou)


def _mask(sample: dict, key: str) -> torch.Tensor:
    if sample.get(key) is None:
        raise ValueError(f'{_name(sample)} has no {key} (it has {sorted(sample)}): use MaskMetric with UNetSegmentor, '
                         'on data whose masks are loaded and packed in the test pipeline too')
    return torch.as_tensor(sample[key])


def _name(sample: dict) -> str:
    return str(sample.get('img_path') or f"sample {sample.get('sample_idx')}")
