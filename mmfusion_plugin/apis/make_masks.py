"""Masks for a folder of photographs, by a trained U-Net."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
from tqdm import tqdm

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.mask_files import read_mask
from mmfusion_plugin.datasets.photographs import (
    Photograph,
    check_outputs,
    find_photographs,
    read_photograph,
    write_mask,
)
from mmfusion_plugin.files import write_text
from mmfusion_plugin.visualization.contact_sheet import contact_sheet

from .mask_inferencer import MaskInferencer, PreparedPhotograph
from .object_inferencer import weights_digest

STAMP = 'make_masks.json'
"""File beside the masks that says how they were made."""
SHEET = 'make_masks_sheet.png'


@dataclass(frozen=True)
class MaskOptions:
    """How masks are made and named.

    Attributes:
        threshold: Probability from which a pixel is foreground.
        batch_size: Photographs at a time.
        mask_suffix: What stands in a mask's name instead of the photograph's extension.
        overwrite: Make masks anew that are there already. They are removed first, so that a stopped run goes on without
            this option and leaves no old ones among the new.
        pictures: Photographs on the contact sheet; 0 makes none.
    """

    threshold: float = 0.5
    batch_size: int = 4
    mask_suffix: str = '.png'
    overwrite: bool = False
    pictures: int = 12


@dataclass
class MadeMasks:
    """What became of a folder.

    Attributes:
        shares: Share of foreground pixels in the masks made now, by photograph's name.
        skipped: Number of photographs whose mask was there.
        broken: Photographs that could not be read, and why.
        sheet: Contact sheet, where one was made.
    """

    shares: Dict[str, float]
    skipped: int
    broken: List[Tuple[Path, str]]
    sheet: Optional[Path] = None


def make_masks(
    images: Path, config: Path, checkpoint: Path, out_dir: Path, options: MaskOptions, device: Optional[str] = None
) -> MadeMasks:
    """Write a mask for each photograph below ``images``: PNG of 8 bits, 0 and 255, in the photograph's size.

    Stopped, it goes on with the first photograph without a mask when called again. Beside the masks lie
    ``make_masks.json`` (by what they were made, and what could not be read) and the contact sheet,
    ``make_masks_sheet.png``.

    Args:
        images: Folder, or a single photograph; its structure is that of ``out_dir`` as well.
        config: Config of a ``UNetSegmentor``.
        checkpoint: Its weights.
        out_dir: Folder of the masks.
        options: See there.
        device: 'cpu', 'cuda', ...; None takes CUDA where there is one.

    Raises:
        FileNotFoundError: Folder, config or checkpoint do not exist.
        ValueError: There is no photograph, masks would replace photographs, the folder's masks were made otherwise, or
            the model makes no masks.
    """
    if options.batch_size < 1 or options.pictures < 0:
        raise ValueError(f'batch_size={options.batch_size} must be at least 1, pictures={options.pictures} at least 0')
    same = (images if images.is_dir() else images.parent).resolve() == out_dir.resolve()
    if same and options.mask_suffix == '.png':
        raise ValueError(f'masks in {out_dir} would replace photographs of the same name: choose another folder, or '
                         'another name with --mask-suffix _mask.png')  # fmt: skip
    photos = find_photographs([images], out_dir, options.mask_suffix if same else None)
    photos = [photo for photo in photos if photo.path.name != SHEET]  # of an earlier run, beside the photographs
    check_outputs(photos, (photo.beside(out_dir, options.mask_suffix) for photo in photos))
    inferencer = MaskInferencer(config, checkpoint, device, options.threshold)
    stamp = _stamp(inferencer, checkpoint, options)
    _check_stamp(out_dir / STAMP, stamp, options.overwrite)
    if options.overwrite:
        for photo in photos:
            photo.beside(out_dir, options.mask_suffix).unlink(missing_ok=True)
    write_text(out_dir / STAMP, json.dumps(stamp, indent=1) + '\n')
    left = [photo for photo in photos if not photo.beside(out_dir, options.mask_suffix).is_file()]
    made = MadeMasks({}, len(photos) - len(left), [])
    for photo, mask in _masks(inferencer, left, options.batch_size, made):
        write_mask(photo.beside(out_dir, options.mask_suffix), mask)
        made.shares[photo.name] = float(mask.mean())
    broken = [{'image': str(path), 'reason': reason} for path, reason in made.broken]
    write_text(out_dir / STAMP, json.dumps({**stamp, 'photographs': len(photos), 'broken': broken}, indent=1) + '\n')
    made.sheet = _sheet(photos, made, out_dir, options)
    return made


def _masks(
    inferencer: MaskInferencer, photos: List[Photograph], batch_size: int, made: MadeMasks
) -> Iterator[Tuple[Photograph, np.ndarray]]:
    """Masks in batches of photographs whose networks' inputs have one size; broken ones are noted in ``made``."""
    waiting: Dict[tuple, List[Tuple[Photograph, PreparedPhotograph]]] = defaultdict(list)

    def finish(batch: List[Tuple[Photograph, PreparedPhotograph]]) -> Iterator[Tuple[Photograph, np.ndarray]]:
        """Masks of a batch."""
        yield from zip([photo for photo, _ in batch], inferencer.masks([prepared for _, prepared in batch]))
        bar.update(len(batch))

    with tqdm(total=len(photos), unit='photograph', desc='Masks') as bar:
        for photo in photos:
            try:
                prepared = inferencer.prepare(read_photograph(photo.path), str(photo.path))
            except CorruptDataError as error:
                made.broken.append((photo.path, str(error)))
                bar.update(1)
                continue
            batch = waiting[prepared.input_shape]
            batch.append((photo, prepared))
            if len(batch) == batch_size:
                yield from finish(waiting.pop(prepared.input_shape))
        for batch in waiting.values():
            yield from finish(batch)


def _stamp(inferencer: MaskInferencer, checkpoint: Path, options: MaskOptions) -> Dict[str, Any]:
    """How the masks are made; equal stamps mean equal masks."""
    return {'config': inferencer.name, 'checkpoint': str(checkpoint), 'weights': weights_digest(inferencer.model),
            'pipeline': str(inferencer.steps), 'threshold': options.threshold}  # fmt: skip


def _check_stamp(path: Path, stamp: Dict[str, Any], overwrite: bool) -> None:
    """Masks of one folder are made alike; names of files may change."""
    if overwrite or not path.is_file():
        return
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is damaged ({error}): remove it, or make all masks anew with --overwrite') from error
    other = [key for key in ('weights', 'pipeline', 'threshold') if found.get(key) != stamp[key]]
    if other:
        raise ValueError(
            f'{path.parent} holds masks made with another {" and ".join(other)} (by {found.get("checkpoint")}, '
            f'threshold {found.get("threshold")}): choose another --out, or make them anew with --overwrite'
        )


def _sheet(photos: List[Photograph], made: MadeMasks, out_dir: Path, options: MaskOptions) -> Optional[Path]:
    """Photographs spread evenly over the folder, with the outlines of their masks."""
    broken = {path for path, _ in made.broken}
    sound = [photo for photo in photos if photo.path not in broken]
    chosen = np.linspace(0, len(sound) - 1, min(len(sound), options.pictures)).round().astype(int)
    if not len(chosen):
        return None
    tiles = [
        (sound[i].name, read_photograph(sound[i].path)[..., ::-1],
         read_mask(str(sound[i].beside(out_dir, options.mask_suffix))))
        for i in tqdm(chosen, unit='photograph', desc='Contact sheet', leave=False)
    ]  # fmt: skip
    return contact_sheet(out_dir / SHEET, tiles, f'{len(tiles)} of {len(photos)} photographs and their masks')
