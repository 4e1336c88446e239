"""From a point cloud to one class per point."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import NamedTuple, Optional, Sequence, Union

import numpy as np
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmdet3d.structures import Det3DDataSample, LiDARPoints
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmfusion_plugin.datasets.wrapped import innermost_dataset_cfgs
from mmfusion_plugin.engine.config_files import build_model, config_faults, read_config_file
from mmfusion_plugin.engine.launch import enable_tta

from .device import choose_device
from .keyframe import Keyframe
from .weights import load_weights

Sweep = Union[np.ndarray, torch.Tensor, str, Path, Keyframe]

# Transforms that read the sweep, and those that read or map its labels: ours, then MMDetection3D's.
LOADERS = ('LoadLidarSweep', 'LoadPointsFromFile')
LABELLERS = ('LoadLidarSeg', 'LoadAnnotations3D', 'PointSegClassMapping')


class Segmentation(NamedTuple):
    """Result for one sweep of N points and C classes.

    Attributes:
        labels: ``(N,)`` int64 class of every point, also of those outside the network's volume.
        logits: ``(C, N)`` float32 scores whose arg-max are the labels; None where the model keeps none
            (MMDetection3D's ``Seg3DTTAModel`` keeps those of its first vote alone, which are not returned).
    """

    labels: np.ndarray
    logits: Optional[np.ndarray]


class LidarSegInferencer:
    """Segments sweeps with a model that a config and a checkpoint describe; no labels are needed.

    Args:
        config: Path of a config, or a config.
        checkpoint: Path or URL of the weights, read without running any code in it. None keeps the initial weights.
        device: 'cpu', 'cuda', 'cuda:1', ... None takes CUDA where there is one.
        tta: Merge votes over the config's ``tta_pipeline`` with its ``tta_model``.

    Attributes:
        classes: Class names.
        palette: RGB 0..255 per class.

    Raises:
        FileNotFoundError: Config or checkpoint do not exist.
        ValueError: The config has a fault, the checkpoint is damaged or of another model, or there is no such device.
    """

    def __init__(
        self,
        config: Union[str, Path, Config],
        checkpoint: Union[str, Path, None] = None,
        device: Optional[str] = None,
        tta: bool = False,
    ) -> None:
        cfg = deepcopy(config) if isinstance(config, Config) else read_config_file(config)
        init_default_scope(cfg.get('default_scope', 'mmdet3d'))
        self.device = choose_device(device)
        bare = build_model(cfg)
        if checkpoint is not None:
            load_weights(bare, checkpoint, str(cfg.filename or 'the config'))
        if tta:
            enable_tta(cfg)
            # The model is built already: only its wrapper is left to build.
            bare = MODELS.build({**cfg.tta_model, 'module': bare})
        self.model = revert_sync_batchnorm(bare).to(self.device).eval()
        with config_faults(f'test_dataloader of {cfg.filename or "the config"} cannot be used'):
            self._pipeline_cfg = [step for step in _pipeline(cfg) if _name(step) not in LABELLERS]
            self.classes, self.palette = _meta(cfg)

    @torch.no_grad()
    def __call__(self, sweep: Sweep) -> Segmentation:
        """Segment one sweep.

        Args:
            sweep: ``(N, C)`` points (x, y, z in metres in the LiDAR frame, intensity, ...; further columns are
                dropped as the config says), the path of a ``.pcd.bin`` file, or a :class:`Keyframe`, which a config
                that reads images needs.

        Raises:
            ValueError: The points have a wrong shape, hold NaN, or are fewer than one; or the model did not label
                every point.
        """
        results, pipeline = self._prepare(sweep)
        with config_faults('the test pipeline cannot be built'):
            transform = Compose(pipeline)
        data = transform(results)
        if data is None:
            raise ValueError('the test pipeline dropped the sweep: it must keep every point')
        sample = self.model.test_step(pseudo_collate([data]))[0]
        labels = sample.pred_pts_seg.pts_semantic_mask.cpu().numpy().astype(np.int64)
        expected = len(self._points_of(sweep))
        if labels.shape != (expected,):
            raise ValueError(f'the model labelled {labels.shape} of {expected} points: its pipeline dropped some')
        return Segmentation(labels, _logits(sample, labels))

    def _loader(self) -> dict:
        """The pipeline's step that reads the sweep, or nothing."""
        return next((step for step in self._pipeline_cfg if _name(step) in LOADERS), {})

    def _prepare(self, sweep: Sweep) -> tuple[dict, list[dict]]:
        """What enters the pipeline, and the pipeline for it."""
        if isinstance(sweep, Keyframe):
            return sweep.pipeline_input(), self._pipeline_cfg
        points = self._points_of(sweep)
        use_dim = self._loader().get('use_dim', points.shape[1])
        columns = list(range(use_dim)) if isinstance(use_dim, int) else list(use_dim)
        if points.shape[1] <= max(columns):
            raise ValueError(f'the config uses columns {columns} of the points, which have {points.shape[1]}')
        used = torch.from_numpy(np.ascontiguousarray(points[:, columns]))
        results = dict(
            points=LiDARPoints(used, points_dim=len(columns)), num_points_total=len(points), num_pts_feats=len(columns),
            token='', sample_idx=0, lidar_path='' if _is_array(sweep) else str(sweep), images={}, eval_ann_info={},
        )
        return results, [step for step in self._pipeline_cfg if _name(step) not in LOADERS]

    def _points_of(self, sweep: Sweep) -> np.ndarray:
        """``(N, C)`` float32 of a sweep in any form."""
        if isinstance(sweep, Keyframe):
            return sweep.points()
        if not _is_array(sweep):
            return Keyframe('', Path(sweep), self._loader().get('load_dim', 5), {}, *[None] * 4).points()
        points = sweep.detach().cpu().numpy() if isinstance(sweep, torch.Tensor) else sweep
        if points.ndim != 2 or len(points) < 1 or points.shape[1] < 3:
            raise ValueError(f'points must have shape (N, C) with N >= 1 and C >= 3, got {points.shape}')
        if not np.isfinite(points).all():
            raise ValueError('the points hold NaN or infinite values: remove them first')
        return points.astype(np.float32)


def _name(step: dict) -> str:
    """Name of a transform, with the scope ('mmdet3d.LoadPointsFromFile') left out."""
    return step['type'].split('.')[-1]


def _logits(sample: Det3DDataSample, labels: np.ndarray) -> Optional[np.ndarray]:
    """Scores ``(C, N)`` that the labels are the arg-max of."""
    scores = getattr(sample, 'pts_seg_logits', None)
    if scores is None:
        return None
    logits = scores.pts_seg_logits.float().cpu().numpy()
    chosen = np.take_along_axis(logits, labels[None], axis=0)
    return logits if (chosen == logits.max(axis=0)).all() else None


def _is_array(sweep: Sweep) -> bool:
    return isinstance(sweep, (np.ndarray, torch.Tensor))


def _dataset(cfg: Config) -> dict:
    return innermost_dataset_cfgs(cfg.test_dataloader.dataset)[0]


def _pipeline(cfg: Config) -> list[dict]:
    return [dict(step) for step in _dataset(cfg).pipeline]


def _meta(cfg: Config) -> tuple[Sequence[str], Sequence[Sequence[int]]]:
    """Class names and colours of the config's dataset."""
    dataset = _dataset(cfg)
    official = DATASETS.get(dataset['type']).METAINFO
    colours = dict(zip(official['classes'], official['palette']))
    classes = dataset.get('metainfo', {}).get('classes', official['classes'])
    return classes, [colours[name] for name in classes]
