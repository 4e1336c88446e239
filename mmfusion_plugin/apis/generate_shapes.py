"""Generate shapes for pictures, or without any: files of voxels and meshes, and all samples in one picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from mmfusion_plugin.datasets.photographs import Photograph
from mmfusion_plugin.files import write_text
from mmfusion_plugin.visualization.shape_tiles import Tile, shape_tiles

from .mask_sources import MaskSource
from .object_inferencer import ObjectOptions, SeenObject, mask_of
from .object_tiles import numbered_tiles, picture_tile
from .older_files import remove_older
from .picture_entries import ENTRY, each_picture, read_entry, stamp_of, write_entry
from .voxel_files import write_voxels
from .voxel_inferencer import VoxelInferencer

_COLUMNS = 6
_NAME = 'unconditional'


def generate_shapes(
    inferencer: VoxelInferencer,
    sources: Sequence[Path],
    out_dir: Path,
    masks: Optional[MaskSource] = None,
    options: Optional[ObjectOptions] = None,
) -> Dict[str, Any]:
    """Draw samples for each picture, write them, and print what came of it.

    Each gets ``<name>_<k>.npy``, ``.binvox`` and ``.obj`` for k = 00, 01, ..., ``<name>_samples.png`` and
    ``<name>_shape.json``; ``results.json`` says all. Pictures whose files were made alike are not drawn again; samples
    of an earlier run that had more are removed.

    Args:
        inferencer: The model; it draws without pictures if it is ``unconditional``.
        sources: Pictures and folders of pictures; none without a condition.
        out_dir: Where everything goes; the structure of folders is kept.
        masks: Where the pictures' masks are, if they have any.
        options: How pictures are read.

    Returns:
        The content of ``results.json``: ``config``, ``sampling``, ``images`` (entries) and ``broken``.

    Raises:
        FileNotFoundError: A source does not exist.
        ValueError: There is no picture, or there are some and none is wanted, or options do not go together.
    """
    masks, options = masks or MaskSource(), options or ObjectOptions()
    if inferencer.unconditional and (sources or masks.given is not None):
        raise ValueError('--unconditional draws shapes without an image: leave out the images and masks, or the option')
    if not inferencer.unconditional and not sources:
        raise ValueError('there is no image to draw shapes for: name one, or say --unconditional')
    settings = {**inferencer.stamp, **asdict(options)}
    if inferencer.unconditional:
        photos = [Photograph(Path(_NAME), _NAME)]
    else:
        photos = masks.photographs(sources, out_dir)

    def entry_of(photo: Photograph) -> Dict[str, Any]:
        """The entry of a picture, read or made."""
        mask = mask_of(photo, masks, options)
        stamp = stamp_of(settings, dict(image=None if inferencer.unconditional else photo.path, mask=mask))
        known = read_entry(photo, out_dir, stamp)
        return known or _generate(inferencer, photo, mask, options, out_dir, stamp)

    entries, broken = each_picture(photos, entry_of, _lines, disable=True)  # as each sampling has its bar
    summary = dict(config=inferencer.name, sampling=settings['sampling'], images=entries, broken=broken)
    write_text(out_dir / 'results.json', json.dumps(summary, indent=1) + '\n')
    return summary


def _generate(
    inferencer: VoxelInferencer, photo: Photograph, mask: Optional[Path], options: ObjectOptions, out_dir: Path,
    stamp: Dict[str, Any],
) -> Dict[str, Any]:  # fmt: skip
    """The entry of a picture, whose files are written when all samples are drawn."""
    seen, embedding = None, None
    if not inferencer.unconditional:
        seen = inferencer.look_at(photo.path, mask, options)
        embedding = inferencer.embed(seen)[None]
    (samples,) = inferencer.draw(embedding, photo.path.name)
    digits = max(len(str(len(samples) - 1)), 2)
    files = [path for number, sample in enumerate(samples)
             for path in write_voxels(photo.beside(out_dir, f'_{number:0{digits}d}'), sample)]  # fmt: skip
    drawn = photo.beside(out_dir, '_samples.png')
    files.append(shape_tiles(drawn, _tiles(photo, seen, samples), _COLUMNS, _title(inferencer, photo, len(samples))))
    entry = {
        'image': None if seen is None else str(photo.path), 'object': None if seen is None else seen.found.origin,
        'mask': None if mask is None else str(mask), 'voxels': samples.reshape(len(samples), -1).sum(axis=1).tolist(),
        'files': [str(path) for path in files],
    }  # fmt: skip
    remove_older(photo.beside(out_dir, ENTRY), photo.beside(out_dir, '_').name, files)
    return write_entry(photo, out_dir, entry, stamp)


def _tiles(photo: Photograph, seen: Optional[SeenObject], samples: np.ndarray) -> List[Tile]:
    tiles = []
    if seen is not None:
        height, width = seen.image.shape[:2]
        tiles = [picture_tile(f'picture\n{photo.name}', seen.found),
                 Tile(f'what the network sees,\n{width} x {height}', image=seen.image)]  # fmt: skip
    return tiles + numbered_tiles('sample', samples)


def _title(inferencer: VoxelInferencer, photo: Photograph, count: int) -> str:
    how = inferencer.sampling
    steps = how.steps or inferencer.model.diffusion.num_steps
    guided = 'unconditional' if inferencer.unconditional else f'{photo.name}: w = {how.guidance:g}'
    return f'{guided}, {count} samples, {how.sampler.upper()} in {steps} steps, seed {how.seed}'


def _lines(entry: Dict[str, Any]) -> str:
    """What is printed of a picture."""
    head = 'without an image' if entry['image'] is None else f'{entry["image"]} (object by its {entry["object"]})'
    empty = sum(not count for count in entry['voxels'])
    rows = [f'{head}: {len(entry["voxels"])} samples of {min(entry["voxels"])} to {max(entry["voxels"])} voxels']
    if empty:
        rows.append(f'  {empty} of them without any voxel: take more steps, another guidance or a longer training')
    return '\n'.join([*rows, *(f'  {path}' for path in entry['files'])])
