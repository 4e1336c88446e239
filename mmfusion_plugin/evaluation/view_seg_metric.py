"""Segmentation metric of the views of a sample, to score an image network before it joins points."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import torch
from mmdet3d.registry import METRICS

from .lidar_seg_metric import LidarSegMetric


@METRICS.register_module()
class ViewSegMetric(LidarSegMetric):
    """mIoU over all pixels of all views of all samples, for :class:`~mmfusion_plugin.models.segmentors.ViewSegmentor`.

    Counting is :class:`LidarSegMetric`'s, with a pixel in the place of a point: sample by sample into one small matrix,
    summed over processes, so that a pixel seen by two samples counts twice. Pixels of a missing view are labelled
    "ignore" and count nowhere.

    Samples are dicts with ``pred_sem_seg.sem_seg`` ``(V, H, W)`` int in 0..C-1, ``gt_sem_seg.sem_seg`` ``(V, H, W)``
    int in 0..C-1 or the ignore index (absent where a split has no labels), and a name: ``scan_id`` with ``frames``,
    ``views`` or ``sample_idx`` (what tells apart the samples of one scan) where there are any. ``dataset_meta`` gives
    ``classes`` and ``ignore_index`` (default C).

    Args:
        prefix: Put before each metric's name, as in mmengine.
        collect_device: Accepted as in other metrics.

    Raises:
        ValueError: Prediction and labels differ in shape or hold what is no class, or samples are missing or counted
            twice; the text names the sample.
    """

    def __init__(self, prefix: Optional[str] = None, collect_device: str = 'cpu') -> None:
        super().__init__(prefix=prefix, collect_device=collect_device)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add samples; see the class for what each must hold. ``data_batch`` is not looked at."""
        super().process(None, [_pixels_as_points(sample) for sample in data_samples])


def _pixels_as_points(sample: dict) -> dict:
    """The sample with its pixels in a row, under the names of a sweep's points."""
    name = _name(sample)
    predicted, truth = _map(sample, 'pred_sem_seg'), _map(sample, 'gt_sem_seg')
    if predicted is None:
        raise ValueError(f'sample {name} has no pred_sem_seg.sem_seg (it has {sorted(sample)}): use ViewSegMetric with '
                         'a model that labels images, such as ViewSegmentor')
    if truth is not None and truth.shape != predicted.shape:
        raise ValueError(f'sample {name}: predictions {tuple(predicted.shape)} for labels {tuple(truth.shape)}; need '
                         'one of each per pixel (V, H, W)')
    labels = {} if truth is None else {'pts_semantic_mask': truth.flatten()}
    return {'pred_pts_seg': {'pts_semantic_mask': predicted.flatten()}, 'eval_ann_info': labels, 'token': name}


def _map(sample: dict, key: str) -> Optional[torch.Tensor]:
    part = sample.get(key)
    return None if part is None else torch.as_tensor(part['sem_seg'])


def _name(sample: dict) -> str:
    """The scan's name, and what tells apart its samples."""
    if sample.get('scan_id') is None and sample.get('sample_idx') is None:
        raise ValueError(f'a sample carries neither scan_id nor sample_idx (it has {sorted(sample)}): list them in the '
                         "packer's meta_keys")
    parts = [sample[key] for key in ('scan_id', 'sample_idx') if sample.get(key) is not None]
    frames = next((sample[key] for key in ('frames', 'views') if sample.get(key) is not None), ())
    return ' '.join(map(str, [*parts, *torch.as_tensor(frames).flatten().tolist()]))
