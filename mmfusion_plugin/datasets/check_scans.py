"""Check of the files of one ScanNet scan, or of one of its frames."""

from __future__ import annotations

from functools import partial
from os import path as osp

from .check_report import Report, look_at_ends
from .scan_files import (
    read_colour,
    read_depth,
    read_overlap,
    read_pixel_labels,
    read_poses,
    read_scan_labels,
    read_scan_points,
)


def check_scan(decode: bool, entry: dict) -> Report:
    """Check vertices, labels, poses, overlap and the images of all frames of an entry of ``ScanNetRGBDDataset``.

    Args:
        decode: Decode images; otherwise only their start and end markers are looked at.
        entry: The entry.
    """
    report, count, rgbd = Report(samples=1), entry['num_points'], entry['rgbd']
    if report.check('vertices', entry['lidar_path'], partial(read_scan_points, entry['lidar_path'], count)):
        report.points = count
    if 'pts_semantic_mask_path' in entry:
        path = entry['pts_semantic_mask_path']
        report.check('labels', path, partial(read_scan_labels, path, count))
    frames = len(rgbd['frames'])
    poses, overlap = osp.join(rgbd['path'], 'poses.npy'), osp.join(rgbd['path'], 'overlap.npz')
    report.check('poses', poses, partial(read_poses, poses, frames))
    report.check('overlap', overlap, partial(read_overlap, overlap, frames, count))
    _check_images(report, rgbd, decode, ('color', 'depth', *rgbd['labels']))
    return report


def check_view(decode: bool, entry: dict) -> Report:
    """Check colour and labels of the frame of an entry of ``ScanNetViewDataset``; arguments as above."""
    report = Report(samples=1)
    _check_images(report, entry['rgbd'], decode, ('color', *entry['rgbd']['labels']))
    return report


def _check_images(report: Report, rgbd: dict, decode: bool, kinds: tuple[str, ...]) -> None:
    size = (rgbd['width'], rgbd['height'])
    for kind in kinds:
        for number in rgbd['frames']:
            path = osp.join(rgbd['path'], kind, f'{number}.{"jpg" if kind == "color" else "png"}')
            load = partial(look_at_ends, path)
            if decode and kind == 'depth':
                load = partial(read_depth, path, size, rgbd['depth_shift'])
            elif decode:
                load = partial(read_colour if kind == 'color' else read_pixel_labels, path, size)
            report.check(f'{kind} images', path, load)
