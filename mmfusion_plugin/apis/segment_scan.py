"""Segment a recording of the user's own and show the result: labels, a coloured cloud, pictures."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict, Optional, Union

import numpy as np
from mmengine.config import Config
from plyfile import PlyData, PlyElement

from mmfusion_plugin.converters.rgbd_recording import Recording
from mmfusion_plugin.converters.rgbd_scan import convert_recording
from mmfusion_plugin.converters.scannet_frames import ScanOptions
from mmfusion_plugin.evaluation.scannet_submission import nyu40_ids
from mmfusion_plugin.files import whole_file, write_text
from mmfusion_plugin.visualization.scan_pictures import scan_views, value_views

from .scan_agreement import agreement_report, fusion_agreement
from .scan_inferencer import ScanInferencer, ScanSegmentation

_PANELS = {
    'geometric': 'geometric similarity', 'contextual': 'contextual similarity', 'product': 'their product',
}  # fmt: skip


def segment_scan(
    config: Union[str, Path, Config],
    checkpoint: Union[str, Path, None],
    recording: Recording,
    out_dir: Path,
    name: str = 'scan',
    mesh: Optional[Path] = None,
    options: Optional[ScanOptions] = None,
    voxel: float = 0.02,
    max_depth: float = 4.0,
    similarity: bool = False,
    device: Optional[str] = None,
) -> Dict[str, Any]:
    """Convert a recording, segment it as a whole, write everything to ``out_dir`` and print what became of it.

    Writes ``data/`` (the converted scan), ``<name>_labels.txt`` (one NYU40 id per point, as in a submission),
    ``<name>.ply`` (the points in the colours of their classes), ``<name>_views.png``, with ``similarity``
    ``<name>_similarity.png`` and ``<name>_similarity.npz``, and ``<name>.json``.

    Args:
        config: See :class:`~.scan_inferencer.ScanInferencer`.
        checkpoint: The same.
        recording: From :func:`~mmfusion_plugin.converters.rgbd_recording.open_recording`.
        out_dir: Where everything goes.
        name: Of the scan; it names files.
        mesh: See :func:`~mmfusion_plugin.converters.rgbd_scan.convert_recording`; the four below as well.
        options: Size of the images, frames to skip.
        voxel: Distance of the points when there is no mesh, metres.
        max_depth: Metres beyond which pixels give no point.
        similarity: Also draw what a ``SAFNet`` thinks of the pixels around each point.
        device: 'cpu', 'cuda', ...; None takes CUDA where there is one.

    Returns:
        The content of ``<name>.json``: ``points``, ``points_per_class``, ``seconds``, and ``agreement``, for each pair
        of consecutive frames the median and the 90th percentile of the distances between their points, metres.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: There is no checkpoint, or something does not fit.
    """
    inferencer = ScanInferencer(config, checkpoint, device)  # a fault in it shows before the conversion
    if similarity:
        inferencer.similarity_names()
    info_file = convert_recording(recording, out_dir / 'data', name, mesh, options, voxel, max_depth, prefix=name)
    pairs = fusion_agreement(recording, max_depth)
    print(agreement_report(pairs))
    begin = time.perf_counter()
    result = inferencer(info_file, similarity)
    seconds = time.perf_counter() - begin
    counts = np.bincount(result.labels, minlength=len(inferencer.classes)).tolist()
    summary = dict(
        scan=name, checkpoint=str(checkpoint), points=len(result.labels), seconds=round(seconds, 3),
        points_per_class=dict(zip(inferencer.classes, counts)),
        agreement=[dict(frames=one.numbers, points=one.points, median=_finite(one.median),
                        ninetieth=_finite(one.ninetieth)) for one in pairs],
    )  # fmt: skip
    files = _write(result, inferencer, recording, out_dir, name)
    write_text(out_dir / f'{name}.json', json.dumps(summary, indent=1) + '\n')
    print(f'{len(result.labels):,} points labelled in {seconds:.1f} s')
    for label in np.argsort(counts)[::-1]:
        if counts[label]:
            print(f'  {inferencer.classes[label]:16} {100 * counts[label] / len(result.labels):5.1f} %')
    for path in (*files, out_dir / f'{name}.json'):
        print(f'  {path}')
    return summary


def _write(
    result: ScanSegmentation, inferencer: ScanInferencer, recording: Recording, out_dir: Path, name: str
) -> list[Path]:
    """Labels, cloud and pictures; returns their paths."""
    ids = nyu40_ids(inferencer.classes)[result.labels]
    files = [out_dir / f'{name}_labels.txt', out_dir / f'{name}.ply']
    write_text(files[0], '\n'.join(map(str, ids.tolist())) + '\n')
    xyz, palette = result.points[:, :3], np.array(inferencer.palette)
    write_cloud(files[1], xyz, palette[result.labels], ids)
    # From behind the cameras, as far as they look into one direction.
    forward = np.mean([frame.pose[:3, 2] for frame in recording.frames], axis=0)
    azimuth = float(np.degrees(np.arctan2(-forward[1], -forward[0])))
    files.append(scan_views(
        out_dir / f'{name}_views.png', xyz, result.points[:, 3:], result.labels, inferencer.classes, inferencer.palette,
        azimuth=azimuth, title=f'{name}: {len(xyz):,} points',
    ))
    if result.similarity:
        panels = {_PANELS[kind]: values for kind, values in result.similarity.items()}
        title = f'{name}: likeness of points and the pixels around them (grey: no pixel)'
        files.append(value_views(out_dir / f'{name}_similarity.png', xyz, panels, azimuth, title))
        files.append(out_dir / f'{name}_similarity.npz')
        with whole_file(files[-1]) as partial, open(partial, 'wb') as stream:
            np.savez(stream, **result.similarity)
    return files


def write_cloud(path: Path, xyz: np.ndarray, colours: np.ndarray, labels: np.ndarray) -> None:
    """Write a coloured cloud as binary PLY.

    Args:
        path: The file.
        xyz: ``(N, 3)`` metres.
        colours: ``(N, 3)`` RGB 0..255.
        labels: ``(N,)`` 0..255, the property ``label`` of each vertex.
    """
    names, kinds = ('x', 'y', 'z', 'red', 'green', 'blue', 'label'), ('<f4',) * 3 + ('u1',) * 4
    rows = np.empty(len(xyz), list(zip(names, kinds)))
    for name, column in zip(names, (*xyz.T, *colours.T, labels)):
        rows[name] = column
    with whole_file(path) as partial, open(partial, 'wb') as stream:
        PlyData([PlyElement.describe(rows, 'vertex')], byte_order='<').write(stream)


def _finite(value: float) -> Optional[float]:
    return round(value, 6) if np.isfinite(value) else None
