"""The pictures of one packed sample: from above, and over its cameras' images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import mmcv
import numpy as np

from mmfusion_plugin.ops.projection import transform_points
from mmfusion_plugin.structures import PointPixelMatch

from .bird_eye_view import bird_eye_view
from .camera_overlay import camera_overlay
from .scan_sample import draw_scan_sample


def draw_sample(
    packed: dict[str, Any],
    metainfo: dict,
    out_dir: Path,
    name: str,
    predicted: Optional[np.ndarray] = None,
    predicted_pixels: Optional[np.ndarray] = None,
) -> list[Path]:
    """Draw one packed sample (see ``PackFusionInputs``), its labels beside the prediction where it has both.

    Args:
        packed: ``inputs`` with ``points`` and perhaps ``imgs`` and ``pixels``; ``data_samples`` with perhaps
            ``gt_pts_seg``. Without ``imgs``, the images that the sample names are read, if they exist, and its
            calibrations used.
        metainfo: Names and colours: ``classes``, ``palette``.
        out_dir: Folder of the PNGs.
        name: Start of their names.
        predicted: ``(N,)`` int classes.
        predicted_pixels: ``(V, H, W)`` int classes, of frames of a scan.

    Returns:
        ``<name>_bird_eye_view.png`` and, where there are images, ``<name>_cameras.png``; of scans and their frames
        those of :func:`draw_scan_sample`.
    """
    inputs, sample = packed['inputs'], packed['data_samples']
    if 'scan_id' in sample.metainfo:
        return draw_scan_sample(packed, metainfo, out_dir, name, predicted, predicted_pixels)
    points = inputs['points'].cpu().numpy()
    classes, palette = metainfo['classes'], metainfo['palette']
    truth = _truth(sample)
    if truth is None and predicted is None:
        truth = np.full(len(points), len(classes))  # in the colour of ignored points
    meta = sample.metainfo
    title = f'{name}: {meta.get("token", "")}, {len(points):,} points'
    pictures = [
        bird_eye_view(out_dir / f'{name}_bird_eye_view.png', points, predicted, classes, palette, truth, title=title)
    ]
    if 'imgs' in inputs and 'pixels' in inputs:
        images = [np.ascontiguousarray(image.transpose(1, 2, 0)[..., ::-1]) for image in inputs['imgs'].cpu().numpy()]
        pixels = inputs['pixels'].cpu().numpy()
    elif meta.get('img_path') and all(Path(path).is_file() for path in meta['img_path']):
        images = [mmcv.imread(path, channel_order='rgb') for path in meta['img_path']]
        pixels = _project(points, meta, images)
    else:
        return pictures
    distance = np.linalg.norm(points[:, :3], axis=1)
    path, cameras = out_dir / f'{name}_cameras.png', list(meta['cam_names'])
    overlay = camera_overlay(path, images, pixels, distance, predicted, classes, palette, cameras, truth, title)
    return [*pictures, overlay]


def _truth(sample: Any) -> Optional[np.ndarray]:
    """Labels of the sample where the training or the test pipeline leaves them."""
    if 'gt_pts_seg' in sample:
        return sample.gt_pts_seg.pts_semantic_mask.cpu().numpy()
    return (sample.get('eval_ann_info') or {}).get('pts_semantic_mask')


def _project(points: np.ndarray, meta: dict, images: list[np.ndarray]) -> np.ndarray:
    """Pixels ``(N, V, 2)`` by calibration, with the augmentation of the points undone first."""
    xyz = points[:, :3].astype(np.float64)
    if 'lidar_aug_matrix' in meta:
        xyz = transform_points(xyz, np.linalg.inv(meta['lidar_aug_matrix']))
    sizes = [image.shape[:2] for image in images]
    return PointPixelMatch.project(xyz, meta['lidar2cam'], meta['cam2img'], sizes).pixels
