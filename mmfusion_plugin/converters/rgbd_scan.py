"""A recording of the user's own, converted to what ``tools/create_data.py scannet`` makes of a scan."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Optional

import numpy as np

from mmfusion_plugin.files import write_bytes, write_text

from .rgbd_cloud import fuse_frames
from .rgbd_recording import Recording
from .scannet_coverage import BaseOverlap
from .scannet_files import read_vertices
from .scannet_frames import FrameSet, ScanOptions, write_frame
from .scannet_images import averaged_intrinsic, nearest_intrinsic
from .scannet_taxonomy import CLASSES

FEW_SEEN = 0.01  # share of points below which the poses hardly belong to the mesh; a choice of ours
_DECIMALS = 10  # of matrices: 1e-10 displaces a point at 100 m by 1e-8 m


def convert_recording(
    recording: Recording,
    out_dir: Path,
    name: str = 'scan',
    mesh: Optional[Path] = None,
    options: Optional[ScanOptions] = None,
    voxel: float = 0.02,
    max_depth: float = 4.0,
    prefix: str = 'scan',
) -> Path:
    """Write a recording as the only scan of a test split; see :func:`~.scannet.create_scannet_infos` for the layout.

    Args:
        recording: From :func:`~.rgbd_recording.open_recording`.
        out_dir: Where everything goes; created when missing.
        name: Of the scan; it names files.
        mesh: Coloured PLY in the frame of the files' poses, whose vertices are the points to label. None takes those
            of the depth images, see :func:`~.rgbd_cloud.fuse_frames`.
        options: Size of the images, frames to skip.
        voxel: Distance of the depth images' points, metres.
        max_depth: Metres beyond which they are left out.
        prefix: Start of the info file's name.

    Returns:
        ``{prefix}_infos_test.json``.

    Raises:
        FileNotFoundError: The mesh is missing.
        ValueError: The name is no file name, a file is damaged, or no frame has a measurement.
    """
    if not re.fullmatch(r'[A-Za-z0-9][\w-]*', name, re.ASCII):
        raise ValueError(f'{name!r} cannot name a scan: take letters, digits, _ and -')
    options = options or ScanOptions()
    chosen = recording.frames[:: options.frame_skip]
    if mesh is None:
        points = fuse_frames(recording, chosen, voxel, max_depth)
    else:
        points = read_vertices(mesh)
        points[:, :3] = points[:, :3] @ recording.turn.T.astype(np.float32)
    depth2img = nearest_intrinsic(recording.intrinsic, recording.depth_size, options.image_size)
    folder, path = out_dir / 'frames' / name, out_dir / f'{prefix}_infos_test.json'
    staging = folder.with_name(f'.{name}.partial')
    frames = _write_frames(recording, staging, BaseOverlap(name, points[:, :3], depth2img), options)
    path.unlink(missing_ok=True)  # an earlier conversion is not whole from here on
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(staging, folder)
    write_bytes(out_dir / 'points' / f'{name}.bin', points.astype('<f4').tobytes())
    share = _share_seen(folder / 'overlap.npz')
    print(f'{name}: {len(frames.numbers)} frames, dropped: {frames.dropped or "none"}; {len(points):,} points, '
          f'{100 * share:.1f} % of them seen by a frame')
    if share < FEW_SEEN:
        print(f'{name}: warning: hardly a point is seen. Poses that are world-to-camera, a mesh of another world, '
              'another unit of depth or another vertical axis than the one named look like this')
    metainfo = dict(categories={label: number for number, label in enumerate(CLASSES)}, dataset='scannet',
                    split='test', info_version='1.1')
    entry = _entry(recording, name, len(points), frames.numbers, depth2img, options)
    write_text(path, json.dumps(dict(metainfo=metainfo, data_list=[entry])) + '\n')
    return path


def _write_frames(recording: Recording, folder: Path, overlap: BaseOverlap, options: ScanOptions) -> FrameSet:
    """Write the frames to a folder that is not left behind when something is wrong with one."""
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    frames = FrameSet()
    try:
        for kind in ('color', 'depth'):
            (folder / kind).mkdir(parents=True)
        for frame in recording.small_frames(frames, options):
            write_frame(frame, folder)
            overlap.add(frame.depth / recording.depth_shift, frame.pose)
        if not frames.numbers:
            raise ValueError(f'no depth image holds a measurement: {frames.dropped}')
        np.save(folder / 'poses.npy', np.array(frames.poses, '<f4'))
        overlap.save(folder / 'overlap.npz')
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return frames


def _share_seen(overlap: Path) -> float:
    """Share of the base points that a frame sees: near 0 where a mesh lies in another world than the poses."""
    with np.load(overlap) as stored:
        seen = np.unpackbits(np.bitwise_or.reduce(stored['seen'], axis=0), count=len(stored['base']))
    return float(seen.mean())


def _entry(
    recording: Recording, name: str, num_points: int, numbers: list[int], depth2img: np.ndarray, options: ScanOptions
) -> dict:
    cam2img = averaged_intrinsic(recording.intrinsic_color, recording.color_size, options.image_size)
    return {
        'sample_idx': 0,
        'scan_id': name,
        'lidar_points': {'num_pts_feats': 6, 'lidar_path': f'{name}.bin'},
        'num_points': num_points,
        'axis_align_matrix': np.eye(4).tolist(),
        'instances': [],
        'rgbd': {
            'path': name,
            'frames': numbers,
            'width': options.image_size[0],
            'height': options.image_size[1],
            'cam2img': np.round(cam2img, _DECIMALS).tolist(),
            'depth2img': np.round(depth2img, _DECIMALS).tolist(),
            'depth_shift': recording.depth_shift,
            'labels': [],
        },
    }
