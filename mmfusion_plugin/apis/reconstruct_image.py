"""Reconstruct the objects in pictures: clouds, turntables, how sure they are, and scores where the truth is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.photographs import Photograph
from mmfusion_plugin.evaluation import ReconstructionMetric
from mmfusion_plugin.evaluation.reconstruction_report import IDENTITY, as_table, sizes, summarise
from mmfusion_plugin.evaluation.reconstruction_scores import EXACT_LIMIT
from mmfusion_plugin.files import write_text

from .mask_sources import MaskSource
from .object_inferencer import ObjectOptions, mask_of
from .picture_entries import each_picture, read_entry, stamp_of
from .reconstruction_files import POINT_SUFFIXES, drawing_turn, model_stamp, score_line, write_shape
from .shape_inferencer import ReconstructedShape, ShapeInferencer
from .true_shapes import TrueShapes


@dataclass(frozen=True)
class ReconstructionOptions(ObjectOptions):
    """How pictures are read, see ``ObjectOptions``, and shapes compared.

    Attributes:
        up: Which axis of the model's clouds points up, for the pictures: '+y', '-x', ...
        align: Of ``ReconstructionMetric``.
        scale: The same.

    Raises:
        ValueError: As there, or ``up`` is no direction.
    """

    up: str = '+y'
    align: str = 'none'
    scale: str = 'none'

    def __post_init__(self) -> None:
        super().__post_init__()
        drawing_turn(self.up)


def reconstruct_images(
    inferencer: ShapeInferencer,
    sources: Sequence[Path],
    out_dir: Path,
    masks: Optional[MaskSource] = None,
    truths: Optional[TrueShapes] = None,
    options: Optional[ReconstructionOptions] = None,
) -> Dict[str, Any]:
    """Reconstruct pictures, write everything to ``out_dir`` and print what came of them.

    Each gets the files of :func:`~mmfusion_plugin.apis.reconstruction_files.write_shape`; ``results.json`` says all.
    Pictures whose files were made alike are not reconstructed again; those that cannot be read, or in which no object
    is to be found, are noted and passed over.

    Args:
        inferencer: The model.
        sources: Pictures and folders of pictures.
        out_dir: Where everything goes; the structure of folders is kept.
        masks: Where their masks are, if they have any; its network is not asked.
        truths: Where the true shapes are.
        options: See there.

    Returns:
        The content of ``results.json``: ``config``, ``prediction``, ``samples``, ``seed``, ``images`` (entries),
        ``broken`` (``image`` and ``reason``), and ``table``, the mean scores with their protocol, or None.

    Raises:
        FileNotFoundError: A source does not exist.
        ValueError: There is no picture, one mask or shape for several, options do not go together, or a result
            would lie over a true shape.
    """
    masks, truths, options = masks or MaskSource(), truths or TrueShapes(), options or ReconstructionOptions()
    options.check_mask(masks.given)
    photos = masks.photographs(sources, out_dir)
    if truths.given is not None and truths.given.is_file() and len(photos) > 1:
        raise ValueError(f'{truths.given} is one shape for {len(photos)} pictures: name a folder of shapes')
    truths.keep_from(photos, out_dir, POINT_SUFFIXES)
    job = _Job(inferencer, out_dir, masks, truths, options)
    entries, broken = each_picture(photos, job.entry, _lines, unit='picture', desc='Reconstructing')
    head = inferencer.model.head
    summary = dict(config=inferencer.name, prediction=inferencer.prediction, samples=head.num_samples, seed=head.seed,
                   images=entries, broken=broken, table=job.table(entries))  # fmt: skip
    write_text(out_dir / 'results.json', json.dumps(summary, indent=1) + '\n')
    return summary


class _Job:
    """What is the same for all pictures."""

    def __init__(
        self, inferencer: ShapeInferencer, out_dir: Path, masks: MaskSource, truths: TrueShapes,
        options: ReconstructionOptions,
    ) -> None:  # fmt: skip
        self.inferencer, self.out_dir, self.masks, self.truths = inferencer, out_dir, masks, truths
        self.options = options
        self.points = min(inferencer.model.head.num_points, EXACT_LIMIT)
        self.metric = ReconstructionMetric(align=options.align, scale=options.scale, points=self.points)
        self.settings = {**model_stamp(inferencer), **asdict(options), 'turn': truths.turn,
                         'normalize': truths.normalize, 'columns': list(IDENTITY)}  # fmt: skip

    def entry(self, photo: Photograph) -> Dict[str, Any]:
        """The entry of a picture in the results, read or made."""
        mask, truth = mask_of(photo, self.masks, self.options), self.truths.find(photo)
        stamp = stamp_of(self.settings, dict(image=photo.path, mask=mask, truth=truth))
        known = read_entry(photo, self.out_dir, stamp)
        return known or self._reconstruct(photo, mask, truth, stamp)

    def table(self, entries: List[Dict[str, Any]]) -> Optional[str]:
        """Mean scores above their protocol; None without any."""
        records = [entry['scores'] for entry in entries if entry['scores'] is not None]
        return as_table(summarise(records), self.metric.protocol.describe(*sizes(records))) if records else None

    def _reconstruct(
        self, photo: Photograph, mask: Optional[Path], truth: Optional[Path], stamp: Dict[str, Any]
    ) -> Dict[str, Any]:
        seen = self.inferencer.look_at(photo.path, mask, self.options)
        found, shape = seen.found, self.inferencer.reconstruct(seen)
        true = None if truth is None else self._true_points(truth)
        scores = None if true is None else self._scores(photo, shape, true)
        spread = None if shape.spread is None else float(shape.spread.mean())
        entry = {
            'image': str(photo.path), 'object': found.origin, 'mask': None if mask is None else str(mask),
            'foreground': None if found.mask is None else round(float(found.mask.mean()), 6),
            'points': len(shape.points), 'low': shape.points.min(axis=0).tolist(),
            'high': shape.points.max(axis=0).tolist(), 'spread': spread,
            'truth': None if truth is None else str(truth), 'scores': scores,
        }  # fmt: skip
        return write_shape(photo, self.out_dir, entry, stamp, found, shape, true, self.options.up)

    def _true_points(self, path: Path) -> np.ndarray:
        points = self.truths.read(path, self.points)
        if len(points) < self.points:
            raise CorruptDataError(f'{path} has {len(points)} points, but {self.points} are compared: name a mesh, or '
                                   'a cloud of more points')  # fmt: skip
        return points

    def _scores(self, photo: Photograph, shape: ReconstructedShape, true: np.ndarray) -> Dict[str, Any]:
        """As ``tools/test.py`` scores a sample."""
        sample = dict(pred_points=shape.points, gt_points=true, img_path=str(photo.path))
        if shape.samples is not None:
            sample['pred_samples'] = shape.samples
        self.metric.process(None, [sample])
        return self.metric.results.pop()


def _lines(entry: Dict[str, Any]) -> str:
    """What is printed of a picture."""
    found = f'object by its {entry["object"]}' if entry['object'] != 'rendering' else 'taken as a rendering'
    if entry['foreground'] is not None:
        found += f', {100 * entry["foreground"]:.1f} % of the picture'
    rows = [f'{entry["image"]} ({found}): {entry["points"]} points']
    if entry['spread'] is not None:
        rows.append(f'  mean spread of a point over the samples: {entry["spread"]:.4f}')
    if entry['scores'] is not None:
        rows.append(f'  {score_line(entry["scores"])}')
    return '\n'.join([*rows, *(f'  {path}' for path in entry['files'])])
