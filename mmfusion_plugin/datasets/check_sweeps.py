"""Check of the files of one nuScenes sample."""

from __future__ import annotations

from functools import partial

from .check_report import Report, look_at_ends
from .sweep_files import read_sweep
from .transforms.loading import LoadCameraImages, LoadLidarSeg, LoadLidarSweep


def check_sweep(decode: bool, entry: dict) -> Report:
    """Check the sweep (size, finite values), the earlier ones, the labels (one defined category per point) and images.

    Args:
        decode: Decode images; otherwise only their start and end markers are looked at.
        entry: Of ``NuScenesLidarSegDataset``.
    """
    kinds = ('sweeps', 'earlier sweeps', 'labels', 'images')
    report = Report(dict.fromkeys(kinds, 0), dict.fromkeys(kinds, 0), samples=1)
    if report.check('sweeps', entry['lidar_path'], lambda: LoadLidarSweep().transform(entry)):
        report.points = len(entry['points'])
        if 'pts_semantic_mask_path' in entry:
            report.check('labels', entry['pts_semantic_mask_path'], lambda: LoadLidarSeg().transform(entry))
    for path in entry['lidar_sweeps']:
        report.check('earlier sweeps', path, partial(read_sweep, path, entry['num_pts_feats']))
    for camera, image in entry['images'].items():
        path = image['img_path']
        load = partial(LoadCameraImages([camera]).transform, entry) if decode else partial(look_at_ends, path)
        report.check('images', path, load)
    return report
