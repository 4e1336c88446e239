"""From one picture's shape to another's, along a line between their embeddings and out of the same noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch

from mmfusion_plugin.datasets.photographs import Photograph, check_outputs
from mmfusion_plugin.evaluation.generation_protocol import GenerationProtocol
from mmfusion_plugin.evaluation.interpolation_scores import interpolation_smoothness, interpolation_steps
from mmfusion_plugin.files import write_text
from mmfusion_plugin.visualization.shape_tiles import Tile, shape_tiles

from .object_inferencer import ObjectOptions, SeenObject
from .object_tiles import numbered_tiles, picture_tile
from .older_files import remove_older
from .voxel_files import ENDINGS, write_voxels
from .voxel_inferencer import VoxelInferencer

MODES = ('lerp', 'slerp')
_STRIP, _REPORT = 'strip.png', 'interpolation.json'
# Of the angle's sine: directions that are closer to one line have no arc between them that rounding leaves whole.
_FLAT = 1e-6


def interpolate_shapes(
    inferencer: VoxelInferencer,
    ends: Tuple[Path, Path],
    out_dir: Path,
    count: int = 8,
    mode: str = 'lerp',
    masks: Optional[Sequence[Path]] = None,
    options: Optional[ObjectOptions] = None,
) -> Dict[str, Any]:
    """Draw shapes for embeddings between those of two pictures, and write them when all are drawn.

    Writes ``00.npy``, ``00.binvox``, ``00.obj``, ``01.npy``, ..., ``strip.png`` and ``interpolation.json``. Numbers
    that an earlier path had and this one has not are removed.

    Args:
        inferencer: The model, which draws one sample of each embedding.
        ends: Both pictures.
        out_dir: Where everything goes.
        count: Shapes, those of the pictures themselves among them.
        mode: See :func:`between`.
        masks: Of both pictures.
        options: How pictures are read.

    Returns:
        The content of ``interpolation.json``: ``ends``, ``mode``, ``sampling``, ``chamfer`` (``mean_step``,
        ``max_step`` and ``ends``, see ``interpolation_smoothness``, and all ``steps``), ``protocol``, ``voxels``,
        ``empty`` (how many shapes have none: steps between these are 0) and ``files``. Distances are multiplied as the
        protocol says.

    Raises:
        CorruptDataError: A picture or mask is missing or damaged, or no object is to be found in it.
        ValueError: An option is wrong, or a picture or mask would be written over.
    """
    if mode not in MODES or count < 2:
        raise ValueError(f'need two shapes or more and a mode of {MODES}, got {count} and {mode!r}')
    options = options or ObjectOptions()
    for mask in masks or ():
        options.check_mask(mask)
    seen = [inferencer.look_at(path, mask, options) for path, mask in zip(ends, masks or (None, None))]
    check_outputs([Photograph(path, path.stem) for path in (*ends, *(masks or ()))], _outputs(out_dir, count))
    voxels = _draw(inferencer, seen, count, mode)
    scores = _score(voxels)
    title = f'{mode} between embeddings, seed {inferencer.sampling.seed}; mean Chamfer step ' \
            f'{scores["chamfer"]["mean_step"]:.3f}'  # fmt: skip
    pictures = [picture_tile(f'{name}\n{end.name}', one.found) for name, end, one in zip('AB', ends, seen)]
    files = _write(out_dir, voxels, pictures, title)
    remove_older(out_dir / _REPORT, '', files)
    summary = dict(ends=[str(end) for end in ends], mode=mode, sampling=inferencer.stamp['sampling'], **scores,
                   files=[str(file) for file in files])  # fmt: skip
    write_text(out_dir / _REPORT, json.dumps(summary, indent=1) + '\n')
    return summary


def _outputs(out_dir: Path, count: int) -> List[Path]:
    """All that is written."""
    numbered = [f'{number:02d}{ending}' for number in range(count) for ending in ENDINGS]
    return [out_dir / name for name in (*numbered, _STRIP, _REPORT)]


def _draw(inferencer: VoxelInferencer, seen: Sequence[SeenObject], count: int, mode: str) -> np.ndarray:
    """``(count, R, R, R)`` bool, the shapes of both pictures among them."""
    first, last = (inferencer.embed(one) for one in seen)
    path = np.stack([between(first, last, share, mode) for share in np.linspace(0, 1, count)])
    return inferencer.draw(path, 'interpolation')[:, 0]


def _score(voxels: np.ndarray) -> Dict[str, Any]:
    """``chamfer``, ``protocol``, ``voxels`` and ``empty`` of a path ``(S, R, R, R)``."""
    protocol = GenerationProtocol()
    clouds = torch.stack([protocol.cloud(shape) for shape in voxels])
    chamfer: Dict[str, Any] = {key: protocol.factor * value for key, value in interpolation_smoothness(clouds).items()}
    chamfer['steps'] = (protocol.factor * interpolation_steps(clouds)).tolist()
    said = f'{protocol.points} points on the outer faces of voxels, each shape scaled to the unit cube; squared ' \
           f'distances, both ways added, x{protocol.factor:g}'  # fmt: skip
    counts = voxels.reshape(len(voxels), -1).sum(axis=1).tolist()
    return dict(chamfer=chamfer, protocol=said, voxels=counts, empty=counts.count(0))


def _write(out_dir: Path, voxels: np.ndarray, pictures: Sequence[Tile], title: str) -> List[Path]:
    """Files of a path, and the strip between both pictures."""
    files = [path for number, shape in enumerate(voxels) for path in write_voxels(out_dir / f'{number:02d}', shape)]
    strip = [pictures[0], *numbered_tiles('shape', voxels), pictures[1]]
    return [*files, shape_tiles(out_dir / _STRIP, strip, len(strip), title)]


def between(first: np.ndarray, last: np.ndarray, share: float, mode: str = 'lerp') -> np.ndarray:
    """A vector between two.

    Args:
        first: ``(D,)``, at share 0.
        last: ``(D,)``, at share 1.
        share: 0 to 1.
        mode: ``'lerp'``: on the straight line. ``'slerp'``: the direction turns evenly and the length changes evenly;
            where both directions lie on one line, or a vector is 0, as ``'lerp'``.

    Returns:
        ``(D,)`` float32.
    """
    first, last = first.astype(np.float64), last.astype(np.float64)
    straight = (1 - share) * first + share * last
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    if mode == 'lerp' or not min(lengths):
        return straight.astype(np.float32)
    one, other = first / lengths[0], last / lengths[1]
    angle = np.arccos(np.clip(one @ other, -1, 1))
    if np.sin(angle) < _FLAT:
        return straight.astype(np.float32)
    direction = (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)
    return (((1 - share) * lengths[0] + share * lengths[1]) * direction).astype(np.float32)
