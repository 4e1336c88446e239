"""Classify photographs and show why: probabilities, the mask, the inferred cloud."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
from tqdm import tqdm

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.photographs import Photograph, check_outputs, read_photograph, write_mask
from mmfusion_plugin.files import write_text
from mmfusion_plugin.visualization.image_clouds import image_cloud_picture

from .depth_sources import DepthSource
from .image_class_inferencer import ImageClassInferencer
from .image_cloud import write_ply
from .mask_sources import FoundMask, MaskSource

ENDINGS = ('_mask.png', '.ply', '_classes.png')
"""Of the files about a photograph."""
_TOP = 5  # classes printed of each photograph


def classify_images(
    inferencer: ImageClassInferencer, sources: Sequence[Path], masks: MaskSource, out_dir: Path, checkpoint: str = '',
    depths: Optional[DepthSource] = None,
) -> Dict[str, Any]:  # fmt: skip
    """Classify photographs, write everything to ``out_dir`` and print the classes.

    Writes for each ``<name>_classes.png`` (photograph with the mask's outline, cloud, probabilities),
    ``<name>_mask.png`` where a mask was used, ``<name>.ply`` where the model has a point branch, and for all of them
    ``results.csv`` and ``results.json``. Photographs that cannot be read or lack a mask are noted and passed over.

    Args:
        inferencer: The model.
        sources: Photographs and folders of photographs.
        masks: Where their masks are.
        out_dir: Where everything goes; the structure of folders is kept.
        checkpoint: Named in ``results.json``.
        depths: Where their depth maps are, for a model that takes z from them.

    Returns:
        The content of ``results.json``: ``config``, ``checkpoint``, ``classes``, ``images`` (each with ``image``,
        ``class``, ``probabilities``, ``mask``, ``foreground`` (share of the photograph), ``foreground_pixels`` (at the
        network's size; 0: it saw no object), ``points``, ``files``) and ``broken``.

    Raises:
        FileNotFoundError: A source does not exist.
        ValueError: There is no photograph, one mask or depth map for several, or depth maps are needed.
    """
    photos, depths = masks.photographs(sources, out_dir), depths or DepthSource()
    depths.check(photos)
    if inferencer.needs_depth and depths.given is None:
        raise ValueError(f'{inferencer.name} takes z from depth maps: name one, or a folder of them (--depth)')
    check_outputs(photos, (photo.beside(out_dir, ending) for photo in photos for ending in ENDINGS))
    entries, broken = [], []
    for photo in tqdm(photos, unit='photograph', desc='Classifying', disable=len(photos) < 2):
        try:
            entry = _classify(inferencer, photo, masks, depths, out_dir)
        except CorruptDataError as error:
            broken.append({'image': str(photo.path), 'reason': str(error)})
            continue
        entries.append(entry)
        tqdm.write(_lines(entry, inferencer.needs_mask))
    summary = dict(config=inferencer.name, checkpoint=checkpoint, classes=list(inferencer.classes), images=entries,
                   broken=broken)  # fmt: skip
    write_text(out_dir / 'results.json', json.dumps(summary, indent=1) + '\n')
    write_text(out_dir / 'results.csv', _table(entries, inferencer.classes))
    return summary


def _classify(
    inferencer: ImageClassInferencer, photo: Photograph, masks: MaskSource, depths: DepthSource, out_dir: Path
) -> Dict[str, Any]:
    """One photograph; its entry in the results."""
    image = read_photograph(photo.path)
    found = masks.find(photo, image)
    if found.mask is None and inferencer.needs_mask:
        raise CorruptDataError(
            f'{photo.path} has no mask, but this model looks at the object alone: give one (--mask), a U-Net that '
            'makes one (--unet CONFIG CHECKPOINT), or an image with a transparent background'
        )
    result = inferencer(image, found.mask, str(photo.path), depths.find(photo))
    chances = dict(zip(inferencer.classes, result.scores.tolist()))
    best, cloud = inferencer.classes[result.label], result.cloud
    points, colours = (None, None) if cloud is None else cloud.inferred()
    files = []
    if result.mask is not None:
        files.append(write_mask(photo.beside(out_dir, '_mask.png'), result.mask))
    if cloud is not None:
        files.append(write_ply(photo.beside(out_dir, '.ply'), points, colours))
    drawn = {} if cloud is None else dict(points=points, colours=colours, y_down=cloud.y_down, z_name=cloud.z_name)
    title = f'{photo.name}: {best}, {100 * chances[best]:.1f} %'
    picture = photo.beside(out_dir, '_classes.png')
    files.append(image_cloud_picture(picture, image[..., ::-1], result.mask, chances=chances, title=title, **drawn))
    return {
        'image': str(photo.path), 'class': best, 'probabilities': chances, 'mask': found.source,
        'foreground': _share(result.mask, found), 'foreground_pixels': result.num_foreground,
        'points': None if cloud is None else len(points), 'files': [str(path) for path in files],
    }  # fmt: skip


def _share(mask: Optional[np.ndarray], found: FoundMask) -> Optional[float]:
    return None if mask is None or found.mask is None else round(float(mask.mean()), 6)


def _lines(entry: Dict[str, Any], needs_mask: bool) -> str:
    """What is printed of a photograph."""
    mask = f'mask: {entry["mask"]}'
    if entry['foreground'] is not None:
        mask += f', {100 * entry["foreground"]:.1f} % foreground'
    if (needs_mask or entry['points'] == 0) and not entry['foreground_pixels']:
        vanished = "nothing is left of it at the network's size, " if entry['foreground'] else ''
        mask += f' (EMPTY: {vanished}the model saw no object)'
    ranked = sorted(entry['probabilities'].items(), key=lambda item: -item[1])[:_TOP]
    rows = [f'  {100 * chance:5.1f} %  {name}' for name, chance in ranked]
    return '\n'.join([f'{entry["image"]} ({mask})', *rows, *(f'  {path}' for path in entry['files'])])


def _table(entries: Sequence[Dict[str, Any]], classes: Sequence[str]) -> str:
    """A row for each photograph: its class, and the probability of every one."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator='\n')
    rows.writerow(['image', 'class', *classes])
    for entry in entries:
        chances = (f'{entry["probabilities"][name]:.6f}' for name in classes)
        rows.writerow([entry['image'], entry['class'], *chances])
    return text.getvalue()
