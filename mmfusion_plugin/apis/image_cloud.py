"""The cloud that is inferred from a photograph: as numbers, as a PLY file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np
import trimesh

from mmfusion_plugin.datasets.transforms.pixel_to_point import PixelToPoint
from mmfusion_plugin.files import write_bytes

from .image_inferencer import check_image

Z_NAMES = {'mean_rgb': 'mean of R, G and B', 'gray': 'grey value', 'depth': 'depth', 'zero': 'always 0'}
"""What z is, by the option ``z_mode``."""


class ImageCloud(NamedTuple):
    """Points of a photograph's foreground.

    Attributes:
        points: ``(N, 3)`` or ``(N, 6)`` float32, in the frame of ``pixel_to_point``'s ``normalize``.
        colours: ``(N, 3)`` uint8 red, green and blue of each point's pixel.
        pixels: ``(N, 2)`` int64 column and row of each point in the image that it was made of.
        num_foreground: Number of foreground pixels in that image; 0 means that all points are zeros.
        y_down: Whether y counts down the image's rows (``normalize='none'``).
        z_name: What z is.
    """

    points: np.ndarray
    colours: np.ndarray
    pixels: np.ndarray
    num_foreground: int
    y_down: bool
    z_name: str

    def inferred(self) -> Tuple[np.ndarray, np.ndarray]:
        """``points`` and ``colours``, none of them where there is no foreground."""
        count = len(self.points) if self.num_foreground else 0
        return self.points[:count], self.colours[:count]


def image_to_cloud(
    image: np.ndarray, mask: Optional[np.ndarray] = None, seed: int = 0, name: str = '',
    depth_map: Optional[np.ndarray] = None, **options: Any,
) -> ImageCloud:  # fmt: skip
    """Make a cloud of a photograph as it is, without a model.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        mask: ``(H, W)``, 0 being background; None where ``foreground='nonblack'`` does without.
        seed: Of the choice of points.
        name: Of the photograph, for messages.
        depth_map: ``(H, W)`` floating, for ``z_mode='depth'``.
        options: Of :class:`~mmfusion_plugin.datasets.transforms.PixelToPoint`.

    Raises:
        TypeError: The image is not uint8.
        ValueError: A shape or an option is wrong, or a mask or depth map is needed.
    """
    check_image(image, mask, name)
    transform = PixelToPoint(seed=seed, **options)
    sample: Dict[str, Any] = {'img': image, 'sample_idx': 0, 'img_path': name}
    if mask is not None:
        sample['mask'] = (mask != 0).astype(np.uint8)
    if depth_map is not None:
        sample['depth_map'] = depth_map
    return cloud_of(transform(sample), transform.options)


def cloud_of(results: Dict[str, Any], options: Dict[str, Any]) -> ImageCloud:
    """The cloud in what ``PixelToPoint`` with these options returned."""
    points, pixels = results['points'], results['point_pixels']
    points = points if isinstance(points, np.ndarray) else points.tensor.numpy()
    colours = np.zeros((len(points), 3), np.uint8)
    if results['num_foreground']:
        colours = results['img'][pixels[:, 1], pixels[:, 0]]
        colours = colours if options['channel_order'] == 'rgb' else colours[:, ::-1]
    return ImageCloud(points, np.ascontiguousarray(colours), pixels, int(results['num_foreground']),
                      options['normalize'] == 'none', Z_NAMES[options['z_mode']])  # fmt: skip


def write_ply(path: Path, points: np.ndarray, colours: np.ndarray) -> Path:
    """Write a coloured cloud as binary PLY.

    Args:
        path: The file.
        points: ``(N, 3)`` or more columns, of which x, y and z are written as float32.
        colours: ``(N, 3)`` RGB 0..255.

    Returns:
        The path.
    """
    cloud = trimesh.PointCloud(points[:, :3], colors=colours)
    write_bytes(path, cloud.export(file_type='ply'))
    return path
