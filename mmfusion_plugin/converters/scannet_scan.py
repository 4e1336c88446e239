"""Conversion of one scan: vertices, frames, its entry in the info file, and a manifest of what became of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Optional

import numpy as np

from mmfusion_plugin.files import write_bytes, write_text

from .scannet_check import Scan
from .scannet_coverage import BaseOverlap, VertexCoverage
from .scannet_files import read_axis_alignment, read_vertices
from .scannet_frames import FrameReader, FrameSet, ScanOptions, write_frame
from .scannet_images import averaged_intrinsic, nearest_intrinsic
from .scannet_labels import read_label_table, read_mesh_labels
from .scannet_taxonomy import IGNORE_INDEX, NYU40_TO_CLASS

# Raised whenever the files change, so that scans of an older version are converted anew.
_FORMAT = 2
_DECIMALS = 10  # of matrices: 1e-10 displaces a point at 100 m by 1e-8 m


def manifest_path(out_dir: Path, scan: Scan) -> Path:
    """Where the manifest of a scan lies."""
    return out_dir / 'manifests' / f'{scan.name}.json'


def finished(out_dir: Path, scan: Scan, table: Path, options: ScanOptions) -> Optional[dict]:
    """Manifest of a scan that was converted from the same files with the same options; None when there is none."""
    path = manifest_path(out_dir, scan)
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        return None
    return manifest if manifest.get('fingerprint') == fingerprint(scan, table, options) else None


def fingerprint(scan: Scan, table: Path, options: ScanOptions) -> str:
    """What a conversion depends on: options, split, the label table, and the scan's files by size and time."""
    paths = [*scan.needed(options.label_kinds), scan.file('info')]
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.is_file()]
    # The table by what it says: all scans share it, and a copy of it is no reason to convert them again.
    names = hashlib.sha256(table.read_bytes()).hexdigest() if scan.labelled and table.is_file() else ''
    key = json.dumps([_FORMAT, scan.name, scan.split, asdict(options), stats, names])
    return hashlib.sha256(key.encode()).hexdigest()


def convert_scan(out_dir: Path, table: Path, options: ScanOptions, scan: Scan) -> dict:
    """Convert a scan; its manifest appears last, when everything else is in place.

    Args:
        out_dir: Receives ``points/``, ``semantic_mask/``, ``frames/`` and ``manifests/``.
        table: ``scannetv2-labels.combined.tsv``.
        options: See there.
        scan: The scan.

    Returns:
        The manifest: ``entry`` (for the info file), numbers of frames and vertices, ``dropped`` (frame numbers by
        reason), ``seen`` (vertices that a kept frame saw).

    Raises:
        ValueError: A file is damaged; the text names it.
    """
    manifest_path(out_dir, scan).unlink(missing_ok=True)
    points = read_vertices(scan.file('mesh'))
    write_bytes(out_dir / 'points' / f'{scan.name}.bin', points.astype('<f4').tobytes())
    classed = None
    labels = read_label_table(table) if scan.labelled else None
    if labels is not None:
        ids = read_mesh_labels(scan.file('segments'), scan.file('aggregation'), labels, len(points))
        write_bytes(out_dir / 'semantic_mask' / f'{scan.name}.bin', ids.astype('<i8').tobytes())
        classed = int((np.array(NYU40_TO_CLASS)[ids] != IGNORE_INDEX).sum())
    folder = out_dir / 'frames' / scan.name
    with FrameReader(scan, options.label_kinds if scan.labelled else (), labels) as reader:
        matrix = nearest_intrinsic(reader.header.intrinsic_depth, reader.header.depth_size, options.image_size)
        coverage = VertexCoverage(points[:, :3], matrix)
        overlap = BaseOverlap(scan.name, points[:, :3], matrix)
        frames = _convert_frames(reader, folder, coverage, overlap, options)
        entry = _entry(scan, len(points), frames, reader, matrix, options)
    manifest = {
        'scan': scan.name,
        'split': scan.split,
        'fingerprint': fingerprint(scan, table, options),
        'options': asdict(options),
        'frames_in_file': reader.header.num_frames,
        'frames_kept': len(frames.numbers),
        'dropped': frames.dropped,
        'vertices': len(points),
        'seen': coverage.seen,
        **({} if classed is None else {'vertices_of_a_class': classed}),
        'entry': entry,
    }
    write_text(manifest_path(out_dir, scan), json.dumps(manifest, indent=1) + '\n')
    return manifest


def _convert_frames(
    reader: FrameReader, folder: Path, coverage: VertexCoverage, overlap: BaseOverlap, options: ScanOptions
) -> FrameSet:
    """Write the frames beside their final folder, and move them there together."""
    staging = folder.with_name(f'.{folder.name}.partial')
    shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
    staging.mkdir(parents=True)
    frames = FrameSet()
    try:
        for name in ('color', 'depth', *reader.label_kinds):
            (staging / name).mkdir()
        for frame in reader.frames(frames, options):
            write_frame(frame, staging)
            for collector in (coverage, overlap):
                collector.add(frame.depth / reader.header.depth_shift, frame.pose)
        np.save(staging / 'poses.npy', np.array(frames.poses, '<f4').reshape(-1, 4, 4))
        overlap.save(staging / 'overlap.npz')
        # One request for all of some thousand small files, before the name says that they are whole.
        os.sync()
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(staging, folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return frames


def _entry(
    scan: Scan, num_points: int, frames: FrameSet, reader: FrameReader, depth2img: np.ndarray, options: ScanOptions
) -> dict:
    """Entry of the info file without ``sample_idx``: MMDetection3D 1.4's v2 layout, and ``rgbd``."""
    header, name = reader.header, f'{scan.name}.bin'
    cam2img = averaged_intrinsic(header.intrinsic_color, header.color_size, options.image_size)
    entry = {
        'scan_id': scan.name,
        'lidar_points': {'num_pts_feats': 6, 'lidar_path': name},
        'num_points': num_points,
        'axis_align_matrix': _nested(read_axis_alignment(scan.file('info'))),
        'instances': [],
        'rgbd': {
            'path': scan.name,
            'frames': frames.numbers,
            'width': options.image_size[0],
            'height': options.image_size[1],
            'cam2img': _nested(cam2img),
            'depth2img': _nested(depth2img),
            'depth_shift': header.depth_shift,
            'labels': list(reader.label_kinds),
        },
    }
    if scan.labelled:
        entry['pts_semantic_mask_path'] = name
    return entry


def _nested(matrix: np.ndarray) -> list:
    return np.round(matrix, _DECIMALS).tolist()
