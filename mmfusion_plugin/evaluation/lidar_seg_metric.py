"""LiDAR segmentation metric that keeps one small matrix instead of every mask."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np
import torch
from mmdet3d.registry import METRICS
from mmengine.dist import all_gather_object, all_reduce, get_rank
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from terminaltables import AsciiTable

from .confusion import SegmentationScores, confusion_matrix, segmentation_scores
from .nuscenes_submission import NuScenesSubmissionWriter


@METRICS.register_module()
class LidarSegMetric(BaseMetric):
    """mIoU over all points, equal to the nuScenes-lidarseg evaluator's, in constant memory.

    Every frame is added to a confusion matrix at once; the processes' matrices are summed at the end. Where frames do
    not divide evenly among processes, mmengine's ``DefaultSampler`` repeats frames to fill the last round. The repeated
    frame is always the last one of a process, so each process holds its last frame back until it is known whether that
    frame is a repetition.

    Frames are dicts with ``pred_pts_seg.pts_semantic_mask`` ``(N,)`` int in 0..C-1, ``eval_ann_info.pts_semantic_mask``
    ``(N,)`` int in 0..C-1 or the ignore index (absent where a split has no labels), and a ``lidar_sample_data_token``,
    ``token``, ``sample_idx`` or ``lidar_path``. ``dataset_meta`` gives ``classes`` and ``ignore_index`` (default C).

    Args:
        submission_prefix: Folder to write the nuScenes-lidarseg submission to while scoring; the dataset's classes must
            be classes of nuScenes-lidarseg. None writes none.
        eval_set: Official split of the frames ('val', 'test', 'mini_val', ...). None takes ``eval_set`` or ``split``
            of the dataset's metainfo, and 'test' for the version v1.0-test.
        submission_meta: Overrides of the submission's declared inputs, e.g. ``dict(use_camera=True)``; see
            :class:`NuScenesSubmissionWriter`.
        prefix: Put before each metric's name, as in mmengine.
        collect_device: Accepted as in other metrics; the matrix is summed on the device that the backend needs.

    Raises:
        ValueError: A frame's prediction is not one valid class per point, or frames are missing or counted twice; the
            text names the frame.
    """

    # Names without a prefix, as in MMDetection3D's logs; None would have mmengine warn about it in every run.
    default_prefix = ''

    def __init__(
        self,
        submission_prefix: Optional[str] = None,
        eval_set: Optional[str] = None,
        submission_meta: Optional[dict[str, bool]] = None,
        prefix: Optional[str] = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.eval_set = eval_set
        self.writer = (
            None if submission_prefix is None else NuScenesSubmissionWriter(submission_prefix, submission_meta)
        )
        self._reset()

    def _reset(self) -> None:
        self.frames = self.labelled_frames = 0
        self._sum: Optional[np.ndarray] = None  # all labelled frames but the last
        self._last: Optional[np.ndarray] = None
        self._first_name = self._last_name = ''

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add frames; see the class for what each must hold."""
        num_points = _points_per_frame(data_batch, len(data_samples))
        for sample, expected in zip(data_samples, num_points):
            name = _name(sample)
            predicted = _to_numpy(sample['pred_pts_seg']['pts_semantic_mask'])
            truth = (sample.get('eval_ann_info') or {}).get('pts_semantic_mask')
            try:
                self._add(name, predicted, None if truth is None else _to_numpy(truth), expected)
            except ValueError as error:
                raise ValueError(f'frame {name}: {error}') from error
            if self.writer is not None:
                token = sample.get('lidar_sample_data_token')
                if token is None:
                    raise ValueError(
                        f'frame {name} has no lidar_sample_data_token, which names its submission file: create the '
                        "infos with tools/create_data.py and list the key in the packer's meta_keys"
                    )
                self.writer.write(str(token), predicted, self._split(), self._classes()[0])

    def _add(self, name: str, predicted: np.ndarray, truth: Optional[np.ndarray], expected: Optional[int]) -> None:
        classes, ignore_index = self._classes()
        if expected is not None and len(predicted) != expected:
            raise ValueError(f'{len(predicted)} predictions for a sweep of {expected} points')
        target = np.full(predicted.shape, ignore_index, np.int64) if truth is None else truth
        matrix = confusion_matrix(target, predicted, len(classes), ignore_index)
        if self._last is None:
            self._sum, self._first_name = np.zeros_like(matrix), name
        else:
            self._sum += self._last
        self._last, self._last_name = matrix, name
        self.frames += 1
        self.labelled_frames += truth is not None

    def evaluate(self, size: int) -> dict[str, float]:
        """Sum over all processes and score.

        Args:
            size: Number of frames in the dataset.

        Returns:
            ``miou``, ``fwiou``, ``acc``, ``acc_cls`` and ``iou_<class>``, each a float (nan for a class that occurs
            nowhere), the same on each process; empty for a split without labels.
        """
        try:
            matrix, labelled = self._reduce(size)
            if self.writer is not None:
                self.writer.finish(self._split(), size)
        finally:
            self._reset()
        if not labelled:
            print_log(f'{size} frames without labels: nothing to score', logger='current')
            return {}
        metrics = self.compute_metrics([matrix])
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()} if self.prefix else metrics

    def _reduce(self, size: int) -> tuple[np.ndarray, bool]:
        """Confusion matrix ``(C + 1, C)`` of the whole dataset, and whether it has labels."""
        classes, _ = self._classes()
        state = (self.frames, self.labelled_frames, self._first_name, self._last_name)
        counts, labelled, firsts, lasts = zip(*all_gather_object(state))
        surplus = sum(counts) - size
        if 0 < sum(labelled) < sum(counts):
            raise ValueError(f'{sum(counts) - sum(labelled)} of {sum(counts)} frames have no labels; need all or none')
        # Frame i goes to process i % world: what was appended to fill the last round is the last frame of the last
        # `surplus` processes, and repeats one of the first frames.
        repeating = range(len(counts) - surplus, len(counts))
        if not 0 <= surplus < len(counts) or any(lasts[rank] not in firsts for rank in repeating):
            raise ValueError(
                f'{sum(counts)} frames were evaluated, {list(counts)} per process, but the dataset holds {size}: some '
                "are missing or counted twice. Use sampler=dict(type='DefaultSampler', shuffle=False)"
            )
        total = np.zeros((len(classes) + 1, len(classes)), np.int64)
        if self._last is not None:
            # With a sampler that repeats nothing, `repeating` is empty.
            total += self._sum if get_rank() in repeating else self._sum + self._last
        tensor = torch.from_numpy(total)
        all_reduce(tensor, op='sum')
        self.confusion_matrix = tensor.cpu().numpy()
        return self.confusion_matrix, sum(labelled) > 0

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Log the table and return the scores of the summed matrices ``(C + 1, C)`` in ``results``."""
        classes, _ = self._classes()
        scores = segmentation_scores(sum(results))
        print_log('\n' + score_table(classes, scores, sum(results)), logger='current')
        metrics = {name: getattr(scores, name) for name in ('miou', 'fwiou', 'acc', 'acc_cls')}
        return {**metrics, **{f'iou_{name}': float(iou) for name, iou in zip(classes, scores.iou)}}

    def _classes(self) -> tuple[Sequence[str], int]:
        meta = self.dataset_meta or {}
        if 'classes' not in meta:
            raise ValueError("the dataset's metainfo names no 'classes', which LidarSegMetric needs")
        return meta['classes'], int(meta.get('ignore_index', len(meta['classes'])))

    def _split(self) -> str:
        meta = self.dataset_meta or {}
        split = self.eval_set or meta.get('eval_set') or meta.get('split')
        if split is None and str(meta.get('version', '')).endswith('-test'):
            split = 'test'  # the only split of that version
        if split is None:
            raise ValueError(
                'a submission needs the official split of its frames: set eval_set of LidarSegMetric, e.g. '
                "--cfg-options test_evaluator.eval_set=val"
            )
        return str(split)


def score_table(classes: Sequence[str], scores: SegmentationScores, matrix: np.ndarray) -> str:
    """Text table: a row per class with its IoU (%) and labelled points, then the means.

    Args:
        classes: C names.
        scores: Of :func:`~mmfusion_plugin.evaluation.confusion.segmentation_scores`.
        matrix: ``(C + 1, C)`` or ``(C, C)`` confusion matrix that ``scores`` come from.
    """
    points = matrix.sum(1)
    rows = [['class', 'IoU (%)', 'points']]
    rows += [[name, f'{100 * iou:.2f}', f'{count:,}'] for name, iou, count in zip(classes, scores.iou, points)]
    footer = f'mIoU {100 * scores.miou:.2f}, fwIoU {100 * scores.fwiou:.2f}, acc {100 * scores.acc:.2f}'
    ignored = int(points[len(classes) :].sum())
    return f'{AsciiTable(rows).table}\n{footer} over {int(points[: len(classes)].sum()):,} points; {ignored:,} ignored'


def _name(sample: dict) -> str:
    for key in ('lidar_sample_data_token', 'token', 'sample_idx', 'lidar_path'):
        if sample.get(key) is not None:
            return str(sample[key])
    raise ValueError(
        f'a frame carries none of lidar_sample_data_token, token, sample_idx, lidar_path (it has {sorted(sample)}): '
        "list one in the packer's meta_keys"
    )


def _points_per_frame(data_batch: Any, frames: int) -> list[Optional[int]]:
    """Points that entered the network per frame, where the batch shows them (not under test-time augmentation)."""
    inputs = data_batch.get('inputs') if isinstance(data_batch, dict) else None
    points = inputs.get('points') if isinstance(inputs, dict) else None
    if isinstance(points, (list, tuple)) and len(points) == frames and all(hasattr(p, 'shape') for p in points):
        return [len(p) for p in points]
    return [None] * frames


def _to_numpy(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
