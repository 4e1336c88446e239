"""Pictures of predictions while a model is tested or validated, with no display and no open3d."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Sequence

from mmdet3d.registry import HOOKS
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmfusion_plugin.visualization import draw_sample


@HOOKS.register_module()
class SegmentationPicturesHook(Hook):
    """Write how points are labelled, beside the truth where it is known: from above, and over the cameras' images.

    ``<index>_bird_eye_view.png`` and, where a sample's images exist, ``<index>_cameras.png``, or of indoor scans
    ``<index>_scan.png`` and ``<index>_views.png``; ``<index>`` is the sample's place in the dataset, so that several
    processes share the work without meeting. Expects samples of ``PackFusionInputs`` and predictions in
    ``pred_pts_seg.pts_semantic_mask`` or ``pred_sem_seg.sem_seg``. Test-time augmentation is drawn as its first view
    sees the points.

    Args:
        out_dir: Folder of the pictures; None draws nothing (``tools/test.py --show-dir`` sets it).
        interval: Draw every ``interval``-th sample of the dataset.
        max_samples: Draw at most so many samples, over all processes.
        draw_val: Draw when validating too, into ``<out_dir>/iter_<iteration>`` (0 without training).
    """

    priority = 'LOW'

    def __init__(
        self, out_dir: Optional[str] = None, interval: int = 1, max_samples: int = 10, draw_val: bool = False
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.interval = interval
        self.max_samples = max_samples
        self.draw_val = draw_val

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Optional[Sequence] = None
    ) -> None:
        """Draw the samples of a batch whose turn it is."""
        if self.out_dir is not None:
            self._draw(runner.test_dataloader, batch_idx, data_batch, outputs, self.out_dir)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Optional[Sequence] = None
    ) -> None:
        """The same in validation, if asked."""
        if self.out_dir is not None and self.draw_val:
            # runner.iter would build the training dataset where only validation runs.
            training = isinstance(runner._train_loop, BaseLoop)
            folder = self.out_dir / f'iter_{runner.iter if training else 0}'
            self._draw(runner.val_dataloader, batch_idx, data_batch, outputs, folder)

    def _draw(self, loader: Any, batch_idx: int, data_batch: dict, outputs: Sequence, out_dir: Path) -> None:
        inputs, samples = data_batch['inputs'], data_batch['data_samples']
        if not isinstance(inputs, dict):  # the views of test-time augmentation
            inputs, samples = inputs[0], samples[0]
        rank, world_size = get_dist_info()
        for place, (sample, output) in enumerate(zip(samples, outputs)):
            # mmengine's sampler deals the samples out in turn and begins anew to fill the last round.
            index = (batch_idx * loader.batch_size + place) * world_size + rank
            turn, rest = divmod(index, self.interval)
            if rest or turn >= self.max_samples or index >= len(loader.dataset):
                continue
            packed = dict(inputs={key: value[place] for key, value in inputs.items()}, data_samples=sample)
            points, views = (getattr(output, key, None) for key in ('pred_pts_seg', 'pred_sem_seg'))
            labels = None if points is None else points.pts_semantic_mask.cpu().numpy()
            pixels = None if views is None else views.sem_seg.cpu().numpy()
            draw_sample(packed, loader.dataset.metainfo, out_dir, f'{index:06d}', labels, pixels)
