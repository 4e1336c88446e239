"""Files of a reconstructed shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import numpy as np

from mmfusion_plugin.converters.cloud_axes import turned
from mmfusion_plugin.datasets.object_images import ObjectImage
from mmfusion_plugin.datasets.photographs import Photograph
from mmfusion_plugin.files import whole_file
from mmfusion_plugin.synthetic.shapenet_mesh import upright_turn
from mmfusion_plugin.visualization.shape_pictures import samples_picture, turntable_picture
from mmfusion_plugin.visualization.turntable import height_colours, spread_colours, stage_of

from .image_cloud import write_ply
from .object_inferencer import drawable, weights_digest
from .picture_entries import write_entry
from .shape_inferencer import ReconstructedShape, ShapeInferencer

#: Ends of all the files of a picture that hold points; the others are pictures and text.
POINT_SUFFIXES = ('.npy', '.ply', '_samples.npy', '_spread.npy')


def write_shape(
    photo: Photograph,
    out_dir: Path,
    entry: Dict[str, Any],
    stamp: Dict[str, Any],
    found: ObjectImage,
    shape: ReconstructedShape,
    truth: Optional[np.ndarray],
    up: str,
) -> Dict[str, Any]:
    """Write ``<name>.npy``, ``<name>.ply`` (coloured by spread, or by height), ``<name>_turntable.png`` and, with
    samples, ``<name>_samples.npy``, ``<name>_spread.npy`` and ``<name>_samples.png``; last ``<name>_shape.json``.

    Args:
        photo: The picture.
        out_dir: Where its files go.
        entry: What the results say of it.
        stamp: Of :func:`~mmfusion_plugin.apis.picture_entries.stamp_of`.
        found: The picture and its object; the mask may be None.
        shape: Reconstructed.
        truth: ``(M, 3)`` true points.
        up: Which axis of the clouds points up.

    Returns:
        The entry with ``files``.
    """
    turn = drawing_turn(up)
    upright = turned(shape.points, turn)
    files = [_write_array(photo.beside(out_dir, '.npy'), shape.points)]
    colours = height_colours(upright, stage_of([upright], [(0.0, 0.0)]))
    if shape.samples is not None:
        colours = spread_colours(shape.spread)
        files += [_write_array(photo.beside(out_dir, '_samples.npy'), shape.samples),
                  _write_array(photo.beside(out_dir, '_spread.npy'), shape.spread.astype(np.float32))]  # fmt: skip
        title = f'{photo.name}: {len(shape.samples)} samples, mean spread of a point {shape.spread.mean():.4f}'
        drawn = photo.beside(out_dir, '_samples.png')
        files.append(samples_picture(drawn, upright, turned(shape.samples, turn), shape.spread, title))
    files.append(write_ply(photo.beside(out_dir, '.ply'), shape.points, np.rint(255 * colours).astype(np.uint8)))
    true = None if truth is None else turned(truth, turn)
    drawn = photo.beside(out_dir, '_turntable.png')
    files.append(turntable_picture(
        drawn, drawable(found), found.mask, shape.image, upright, true, _title(photo, entry)))  # fmt: skip
    return write_entry(photo, out_dir, {**entry, 'files': [str(path) for path in files]}, stamp)


def drawing_turn(up: str) -> str:
    """The turn that puts clouds upright, see ``converters/cloud_axes.py``.

    Raises:
        ValueError: ``up`` is no direction.
    """
    return upright_turn(up, '+y' if up[1:] == 'x' else '+x')


def model_stamp(inferencer: ShapeInferencer) -> Dict[str, Any]:
    """The model's part in :func:`~mmfusion_plugin.apis.picture_entries.stamp_of`."""
    head = inferencer.model.head
    return {'weights': weights_digest(inferencer.model), 'pipeline': str(inferencer.steps),
            'prediction': inferencer.prediction, 'samples': head.num_samples, 'seed': head.seed}  # fmt: skip


def _title(photo: Photograph, entry: Dict[str, Any]) -> str:
    return photo.name if entry['scores'] is None else f'{photo.name}: {score_line(entry["scores"])}'


def score_line(scores: Mapping[str, Any]) -> str:
    """Scores of ``ReconstructionMetric`` in words."""
    return f'CD {scores["cd"]:.2f}, EMD {scores["emd"]:.2f} (both x100), F-score {scores["f_score"]:.1f} %'


def _write_array(path: Path, values: np.ndarray) -> Path:
    with whole_file(path) as partial, open(partial, 'wb') as file:
        np.save(file, values)
    return path
