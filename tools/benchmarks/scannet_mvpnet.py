"""ScanNet as MVPNet prepares it, written from its description, for ``scannet.py``.

numpy, Pillow and scikit-learn's ball tree, with two faults left out that would spoil a comparison: camera matrices are
those of the pixels that nearest resizing takes, and a view that adds nothing ends the choice.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from sklearn.neighbors import BallTree

from mmfusion_plugin.converters.scannet_images import nearest_intrinsic
from mmfusion_plugin.converters.scannet_taxonomy import NYU40_TO_CLASS
from mmfusion_plugin.converters.sens import SensReader

SMALL, COARSE = (160, 120), (80, 60)


class Scan(NamedTuple):
    """A converted scan in memory, as MVPNet keeps its points and overlap: one large pickle read at the start."""

    name: str
    folder: Path
    frames: list[int]
    points: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    poses: np.ndarray
    depth2img: np.ndarray
    base: np.ndarray
    seen: np.ndarray


def load_scan(data: Path, entry: dict) -> Scan:
    """Read a labelled scan of an info file."""
    rgbd, name = entry['rgbd'], entry['scan_id']
    folder = data / 'frames' / rgbd['path']
    depth = [np.asarray(Image.open(folder / f'depth/{n}.png')) / rgbd['depth_shift'] for n in rgbd['frames']]
    with np.load(folder / 'overlap.npz', allow_pickle=False) as file:
        base, seen = file['base'], np.unpackbits(file['seen'], axis=1, count=len(file['base'])).astype(bool)
    points = np.fromfile(data / 'points' / entry['lidar_points']['lidar_path'], '<f4').reshape(-1, 6)[:, :3]
    ids = np.fromfile(data / 'semantic_mask' / entry['pts_semantic_mask_path'], '<i8')
    poses = np.load(folder / 'poses.npy', allow_pickle=False)
    return Scan(name, folder, rgbd['frames'], points, np.array(NYU40_TO_CLASS)[ids], np.array(depth, np.float32), poses,
                np.array(rgbd['depth2img']), base, seen)


def write_as_mvpnet(scan: Scan, folder: Path) -> None:
    """The frames as MVPNet's samples open them: colour as PNG, poses as text."""
    (folder / scan.name).mkdir(parents=True)
    for number, pose in zip(scan.frames, scan.poses):
        Image.open(scan.folder / f'color/{number}.jpg').save(folder / scan.name / f'{number}.png')
        np.savetxt(folder / scan.name / f'{number}.txt', pose, '%f')


def convert(raw: Path, name: str, out: Path) -> None:
    """Frames and label images of a scan: everything in full size first, then small copies of it."""
    source, full, small = raw / 'scans' / name, out / 'full', out / 'small'
    for folder in (full, small):
        for kind in ('color', 'depth', 'label'):
            (folder / kind).mkdir(parents=True)
    with SensReader(source / f'{name}.sens') as reader:
        for frame in reader.frames():
            Image.fromarray(frame.color()).save(full / f'color/{frame.index}.jpg')
            Image.fromarray(frame.depth()).save(full / f'depth/{frame.index}.png')
            np.savetxt(full / f'{frame.index}.txt', frame.camera_to_world, '%f')
    with zipfile.ZipFile(source / f'{name}_2d-label.zip') as archive:
        archive.extractall(full)
    for path in (path for kind in ('color', 'depth', 'label') for path in (full / kind).iterdir()):
        method = Image.Resampling.BILINEAR if path.suffix == '.jpg' else Image.Resampling.NEAREST
        Image.open(path).resize(SMALL, method).save(small / path.parent.name / f'{path.stem}.png')


def overlap(scan: Scan) -> np.ndarray:
    """``(K, F)`` bool: the base points that are nearest to a pixel of a frame, within 0.1 m."""
    tree, size = BallTree(scan.points[scan.base]), scan.depth.shape[:0:-1]
    matrix = nearest_intrinsic(scan.depth2img, size, COARSE)
    seen = np.zeros((len(scan.base), len(scan.frames)), bool)
    for column, (depth, pose) in enumerate(zip(scan.depth, scan.poses)):
        coarse = np.asarray(Image.fromarray(depth).resize(COARSE, Image.Resampling.NEAREST))
        distance, index = tree.query(unproject(coarse, matrix, pose)[coarse.ravel() > 0], k=1)
        seen[index[distance <= 0.1], column] = True
    return seen


def unproject(depth: np.ndarray, matrix: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Pixels of an image ``(H, W)`` as points ``(H W, 3)`` of the scan."""
    v, u = np.indices(depth.shape)
    rays = np.stack([u.ravel(), v.ravel(), np.ones(depth.size)]) * depth.ravel()
    return (pose[:3, :3] @ (np.linalg.inv(matrix) @ rays) + pose[:3, 3:]).T


def choose_views(seen: np.ndarray, num_views: int) -> list[int]:
    """Greedy choice among the columns of ``(K, F)``, the frames."""
    left, chosen = seen.copy(), []
    for _ in range(num_views):
        gain = left.sum(axis=0)
        best = int(np.argmax(gain))
        if not gain[best]:
            break
        chosen.append(best)
        left[left[:, best]] = False
    return chosen
