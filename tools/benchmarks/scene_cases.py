"""A whole scene to segment, for ``whole_scene.py``: a random room, or a scan of a config's test set."""

from __future__ import annotations

import argparse
from typing import Any, Sequence

import numpy as np
import torch
from mmdet3d.registry import DATASETS
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from numpy.random import Generator

from mmfusion_plugin.ops.chunks import chunk_grid, in_box

HEIGHT, WIDTH, FOCAL = 120, 160, 144.0  # ScanNet's camera at the papers' image size: 58 degrees wide
ROOM_HEIGHT, EYE = 2.5, 1.6


def load_scene(cfg: Config, args: argparse.Namespace) -> dict[str, Any]:
    """A collated batch of one scene: scan ``args.index`` of the config's test set, or a random room."""
    if args.index is not None:
        return pseudo_collate([DATASETS.build(cfg.test_dataloader.dataset)[args.index]])
    return random_room(np.random.default_rng(0), args.size, args.points, args.views, args.views_per_chunk)


def random_room(rng: Generator, size: Sequence[float], count: int, num_views: int, per_chunk: int) -> dict[str, Any]:
    """An empty room with noise: points on floor and walls, cameras that turn about, noise as images.

    Args:
        rng: Randomness.
        size: Width and depth, metres.
        count: Number of points.
        num_views: Number of views.
        per_chunk: Views of each chunk: those with most pixels in it.
    """
    extent = np.array([*size, ROOM_HEIGHT])
    points = surface_points(rng, extent, count)
    boxes = chunk_grid(points)
    xyz = np.stack([unproject(rng, extent) for _ in range(num_views)]) if num_views else np.zeros((0, 1, 3))
    inside = np.array([[in_box(view, box).sum() for view in xyz] for box in boxes]).reshape(len(boxes), num_views)
    chosen = np.argsort(-inside, axis=1, kind='stable')[:, :per_chunk]
    inputs = dict(
        points=[torch.from_numpy(np.concatenate([points, rng.random((count, 3))], 1)).float()],
        chunk_boxes=[torch.from_numpy(boxes).float()],
        chunk_views=[torch.from_numpy(chosen)],
        imgs=[torch.from_numpy(rng.integers(0, 256, (num_views, 3, HEIGHT, WIDTH), dtype=np.uint8))],
        pixel_xyz=[torch.from_numpy(xyz.reshape(-1, 3)).float()],
        pixel_index=[torch.arange(num_views * HEIGHT * WIDTH)],
    )
    return dict(inputs=inputs, data_samples=[Det3DDataSample()])


def surface_points(rng: Generator, extent: np.ndarray, count: int) -> np.ndarray:
    """(count, 3) points spread evenly over floor and walls, with 5 mm of noise."""
    width, depth, height = extent
    areas = np.array([width * depth, width * height, width * height, depth * height, depth * height])
    face = rng.choice(5, count, p=areas / areas.sum())
    points = rng.random((count, 3)) * extent
    for number, (axis, value) in enumerate(((2, 0.0), (1, 0.0), (1, depth), (0, 0.0), (0, width))):
        points[face == number, axis] = value
    return points + 0.005 * rng.standard_normal(points.shape)


def unproject(rng: Generator, extent: np.ndarray) -> np.ndarray:
    """(HEIGHT * WIDTH, 3) where the pixels of a level camera at eye height meet the room."""
    eye = np.array([*(extent[:2] * rng.uniform(0.25, 0.75, 2)), EYE])
    turn, tilt = rng.uniform(-np.pi, np.pi), rng.uniform(0.0, 0.6)
    forward = np.array([np.cos(turn) * np.cos(tilt), np.sin(turn) * np.cos(tilt), -np.sin(tilt)])
    right = np.array([np.sin(turn), -np.cos(turn), 0.0])
    column, row = np.meshgrid((np.arange(WIDTH) - WIDTH / 2) / FOCAL, (np.arange(HEIGHT) - HEIGHT / 2) / FOCAL)
    rays = forward + column.reshape(-1, 1) * right + row.reshape(-1, 1) * np.cross(forward, right)
    walls = np.where(rays > 0, extent, 0.0)
    with np.errstate(divide='ignore'):
        reach = np.min(np.where(rays == 0, np.inf, (walls - eye) / rays), axis=1, keepdims=True)
    return eye + reach * rays + 0.005 * rng.standard_normal(rays.shape)
