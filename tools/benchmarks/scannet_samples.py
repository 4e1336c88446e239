"""A training sample of ScanNet as MVPNet loads it, written from its description, beside ours, for ``scannet.py``."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image
from scannet_mvpnet import Scan, choose_views, unproject
from sklearn.neighbors import NearestNeighbors
from torchvision.transforms import ColorJitter

import mmfusion_plugin  # noqa: F401  registers the pipeline's steps

CHUNK, MARGIN, PIXEL_MARGIN, NUM_POINTS, LABELLED, TRIES = 1.5, 0.2, 0.1, 8192, 0.3, 10


def inside(points: np.ndarray, box: Sequence[float], margin: float = 0.0) -> np.ndarray:
    x, y = points[:, 0], points[:, 1]
    x0, y0, x1, y1 = box
    return (x >= x0 - margin) & (y >= y0 - margin) & (x <= x1 + margin) & (y <= y1 + margin)


def chunk_of(scan: Scan, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Box, and which points of the scan are in it."""
    for _ in range(TRIES):
        centre = scan.points[random.integers(len(scan.points)), :2]
        box = np.concatenate([centre - CHUNK / 2 - MARGIN, centre + CHUNK / 2 + MARGIN])
        mask = inside(scan.points, box)
        if (scan.labels[mask] < 20).mean() >= LABELLED:
            break
    return box, mask


def sample(
    scan: Scan, seen: np.ndarray, folder: Path, num_views: int, neighbours: int, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """A training sample; no neighbours are searched where their number is 0."""
    box, mask = chunk_of(scan, random)
    points, labels = scan.points[mask], scan.labels[mask]
    rows = random.choice(len(points), NUM_POINTS, replace=len(points) < NUM_POINTS)
    points, labels = points[rows], labels[rows]
    jitter = ColorJitter(0.4, 0.4, 0.4)
    images, xyz, valid = [], [], []
    for view in choose_views(seen[inside(scan.points[scan.base], box)], num_views):
        number = scan.frames[view]
        image = np.asarray(jitter(Image.open(folder / scan.name / f'{number}.png')))
        depth = np.asarray(Image.open(scan.folder / f'depth/{number}.png')) / 1000
        places = unproject(depth, scan.depth2img, np.loadtxt(folder / scan.name / f'{number}.txt'))
        mask = ((depth.ravel() > 0) & inside(places, box, PIXEL_MARGIN)).reshape(depth.shape)
        places = places.reshape(*depth.shape, 3)
        if random.random() < 0.5:
            image, places, mask = image[:, ::-1], places[:, ::-1], mask[:, ::-1]
        images.append(image), xyz.append(places), valid.append(mask)
    xyz, valid = np.array(xyz, np.float32).reshape(-1, 3), np.array(valid).ravel()
    found = np.zeros((len(points), 0), np.int64)
    nearest = min(neighbours, int(valid.sum()))  # MVPNet stops with an error where there are fewer
    if nearest:
        search = NearestNeighbors(n_neighbors=nearest, algorithm='ball_tree').fit(xyz[valid])
        found = np.flatnonzero(valid)[search.kneighbors(points, return_distance=False)]
    angle = random.uniform(-np.pi, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]], np.float32)
    return {'points': points @ turn, 'labels': labels, 'images': np.array(images), 'xyz': xyz @ turn, 'valid': valid,
            'neighbours': found}


def our_samples(
    config: str, data: Path, num_scans: int, num_views: int, neighbours: int
) -> Callable[[], dict[str, Any]]:
    """A function that loads a training sample by the pipeline of a config, from one scan after the other."""
    init_default_scope('mmdet3d')
    settings = Config.fromfile(config).train_dataloader.dataset
    settings.update(data_root=str(data), indices=num_scans)
    for step in list(settings.pipeline):
        if step.type == 'SelectViews':
            step.num_views = num_views
        elif step.type == 'LoadViews':
            step.labels = None  # MVPNet's points are trained without those of the pixels
        elif step.type == 'FindNeighbours':
            settings.pipeline.remove(step)
    if neighbours:
        settings.pipeline.insert(-1, dict(type='FindNeighbours', pixels=neighbours))
    dataset = DATASETS.build(settings)
    turn = count()
    return lambda: dataset[next(turn) % num_scans]
