"""The pictures of one packed RGB-D sample: its points, and its views."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from .scan_pictures import scan_views
from .view_pictures import view_pictures


def draw_scan_sample(
    packed: dict[str, Any],
    metainfo: dict,
    out_dir: Path,
    name: str,
    predicted: Optional[np.ndarray] = None,
    predicted_pixels: Optional[np.ndarray] = None,
) -> list[Path]:
    """Draw a scan, a chunk of one, or some of its frames.

    Args:
        packed: ``inputs`` with ``points``, ``imgs`` (BGR) or both; ``data_samples`` with perhaps ``gt_pts_seg`` and
            ``gt_sem_seg``.
        metainfo: Names and colours: ``classes``, ``palette``.
        out_dir: Folder of the PNGs.
        name: Start of their names.
        predicted: ``(N,)`` classes of the points.
        predicted_pixels: ``(V, H, W)`` classes of the pixels.

    Returns:
        ``<name>_scan.png`` where there are points and ``<name>_views.png`` where there are images.
    """
    inputs, sample = packed['inputs'], packed['data_samples']
    classes, palette, meta = metainfo['classes'], metainfo['palette'], sample.metainfo
    pictures = []
    if len(inputs.get('points', ())):
        points = inputs['points'].cpu().numpy()
        colours = 255 * points[:, 3:6] if points.shape[1] >= 6 else None
        truth = sample.gt_pts_seg.pts_semantic_mask.cpu().numpy() if 'gt_pts_seg' in sample else None
        if truth is None and predicted is None and colours is None:
            truth = np.full(len(points), len(classes))  # in the colour of ignored points
        title = f'{name}: {meta.get("scan_id", "")}, {len(points):,} points'
        path = out_dir / f'{name}_scan.png'
        pictures.append(scan_views(path, points[:, :3], colours, predicted, classes, palette, truth, title=title))
    if len(inputs.get('imgs', ())):
        images = inputs['imgs'].cpu().numpy().transpose(0, 2, 3, 1)[..., ::-1]
        truth = sample.gt_sem_seg.sem_seg.cpu().numpy() if 'gt_sem_seg' in sample else None
        names = [f'frame {number}' if number >= 0 else 'no view' for number in meta.get('frames', range(len(images)))]
        title, path = f'{name}: {meta.get("scan_id", "")}', out_dir / f'{name}_views.png'
        pictures.append(view_pictures(path, images, classes, palette, truth, predicted_pixels, names, title))
    return pictures
