"""Clouds of photographs as files and pictures, without a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from tqdm import tqdm

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.photographs import check_outputs, read_photograph, write_mask
from mmfusion_plugin.visualization.image_clouds import image_cloud_picture

from .depth_sources import DepthSource
from .image_cloud import image_to_cloud, write_ply
from .mask_sources import MaskSource

ENDINGS = ('_mask.png', '.ply', '_cloud.png')
"""Of the files about a photograph."""


def draw_clouds(
    sources: Sequence[Path], masks: MaskSource, out_dir: Path, seed: int = 0, depths: Optional[DepthSource] = None,
    **options: Any,
) -> tuple[list[Path], list[tuple[Path, str]]]:  # fmt: skip
    """Write ``<name>.ply``, ``<name>_cloud.png`` and, where there is a mask, ``<name>_mask.png`` of each photograph.

    Args:
        sources: Photographs and folders of photographs.
        masks: Where their masks are.
        out_dir: Where everything goes; the structure of folders is kept.
        seed: Of the choice of points.
        depths: Where their depth maps are, for ``z_mode='depth'``.
        options: Of :class:`~mmfusion_plugin.datasets.transforms.PixelToPoint`.

    Returns:
        The files written, and the photographs without a cloud with the reasons.

    Raises:
        FileNotFoundError: A source does not exist.
        ValueError: There is no photograph, one mask or depth map for several, or an option is wrong.
    """
    photos = masks.photographs(sources, out_dir)
    depths = depths or DepthSource()
    depths.check(photos)
    check_outputs(photos, (photo.beside(out_dir, ending) for photo in photos for ending in ENDINGS))
    files, broken = [], []
    for photo in tqdm(photos, unit='photograph', desc='Clouds', disable=len(photos) < 2):
        try:
            image = read_photograph(photo.path)
            mask = masks.find(photo, image).mask
            if mask is None and options.get('foreground', 'mask') == 'mask':
                raise CorruptDataError(
                    f'{photo.path} has no mask: give one (--mask), a U-Net that makes one (--unet CONFIG CHECKPOINT), '
                    'an image with a transparent background, or take pixels that are not black (--foreground nonblack)'
                )
            depth = depths.read(photo, image, mask)
        except CorruptDataError as error:
            broken.append((photo.path, str(error)))
            continue
        cloud = image_to_cloud(image, mask, seed, str(photo.path), depth, **options)
        if mask is not None:
            files.append(write_mask(photo.beside(out_dir, '_mask.png'), mask))
        points, colours = cloud.inferred()
        files.append(write_ply(photo.beside(out_dir, '.ply'), points, colours))
        files.append(image_cloud_picture(
            photo.beside(out_dir, '_cloud.png'), image[..., ::-1], mask, points, colours, y_down=cloud.y_down,
            z_name=cloud.z_name, title=f'{photo.name}: a cloud of {cloud.num_foreground:,} foreground pixels',
        ))  # fmt: skip
    return files, broken
