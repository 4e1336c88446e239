"""A recording of the user's own with an RGB-D camera: which colour, depth and pose belong together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional, Sequence, TypeVar, Union

import numpy as np
from PIL import Image

from mmfusion_plugin.ops.projection import unproject_depth

from .rgbd_files import image_size, list_images, number_of, read_color, read_depth, read_intrinsic, read_poses
from .scannet_frames import EMPTY, LOST, FrameSet, ScanOptions, SmallFrame
from .scannet_images import Size, averaged_intrinsic, shrink_colour, shrink_nearest

UPS = ('+x', '-x', '+y', '-y', '+z', '-z')
"""Axes of the recording's world that may point up."""

_ASPECT = 0.01  # relative; 1296 x 968 and 640 x 480, which ScanNet takes for one field of view, differ by 0.4 %
_SHOWN = 5
Item = TypeVar('Item')


@dataclass(frozen=True, eq=False)
class RecordedFrame:
    """Files of a frame, and its ``(4, 4)`` float64 camera-to-world pose in metres, +z up."""

    number: int
    color: Path
    depth: Path
    pose: np.ndarray

    def depth_metres(self, depth_shift: float) -> np.ndarray:
        """``(H, W)`` float64 along the optical axis, 0 unmeasured."""
        return read_depth(self.depth) / depth_shift


@dataclass(frozen=True, eq=False)
class Recording:
    """Frames of one camera, whose colour and depth images show the same at each place of the image.

    Attributes:
        frames: In order; those whose pose is not finite are in ``lost``.
        intrinsic: ``(3, 3)`` float64 camera matrix of the depth images, pixel centres at integers.
        depth_size: Width and height of the depth images.
        color_size: Width and height of the colour images.
        depth_shift: Units of the depth images per metre.
        turn: ``(3, 3)`` float64 rotation from the world of the files to the one with +z up.
        lost: Numbers of frames without a place.
    """

    frames: list[RecordedFrame]
    intrinsic: np.ndarray
    depth_size: Size
    color_size: Size
    depth_shift: float
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    lost: list[int] = field(default_factory=list)

    @property
    def intrinsic_color(self) -> np.ndarray:
        """``(3, 3)`` camera matrix of the colour images."""
        return averaged_intrinsic(self.intrinsic, self.depth_size, self.color_size)

    def small_frames(self, found: FrameSet, options: ScanOptions) -> Iterator[SmallFrame]:
        """Yield the frames that are kept in their converted size; ``found`` fills on the way.

        Raises:
            ValueError: An image is damaged.
        """
        if self.lost:
            found.dropped[LOST] = list(self.lost)
        for frame in self.frames[:: options.frame_skip]:
            depth = shrink_nearest(read_depth(frame.depth), options.image_size)
            if not depth.any():
                found.dropped.setdefault(EMPTY, []).append(frame.number)
                continue
            try:
                with Image.open(frame.color) as image:
                    color = shrink_colour(image, options.image_size)
            except (OSError, SyntaxError) as error:
                raise ValueError(f'{frame.color} is damaged ({error})') from error
            pose = frame.pose.astype(np.float32)
            found.numbers.append(frame.number)
            found.poses.append(pose)
            yield SmallFrame(frame.number, pose, color, depth, {})

    def unprojected(self, frame: RecordedFrame, max_depth: float = np.inf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The measured pixels of a frame in space.

        Args:
            frame: One of the recording.
            max_depth: Metres beyond which pixels are left out.

        Returns:
            ``(N, 3)`` float32 metres, +z up; ``(N, 3)`` uint8 RGB of the nearest colour pixel; ``(N,)`` depth.
        """
        depth = frame.depth_metres(self.depth_shift)
        rows, columns = np.nonzero((depth > 0) & (depth <= max_depth))
        (xyz,) = unproject_depth(depth[None], frame.pose[None], self.intrinsic)
        places = [((np.arange(small) + 0.5) * (large / small)).astype(np.int64)
                  for small, large in zip(self.depth_size, self.color_size)]
        colours = read_color(frame.color)[places[1][rows], places[0][columns]]
        return xyz[rows, columns], colours, depth[rows, columns]


def open_recording(
    color: Path,
    depth: Path,
    poses: Path,
    intrinsics: Union[Path, Sequence[float]],
    depth_shift: float = 1000.0,
    up: str = '+z',
    by_order: bool = False,
) -> Recording:
    """Find out which files belong together; the headers of all images are read, no image is.

    Args:
        color: Folder of JPEG or PNG images.
        depth: Folder of PNG images with 16 bits, registered to the colour images (same view; the size may differ).
        poses: See :func:`~.rgbd_files.read_poses`.
        intrinsics: Of the depth images; see :func:`~.rgbd_files.read_intrinsic`.
        depth_shift: Units of the depth images per metre.
        up: Axis of the poses' world that points up, one of :data:`UPS`; the world is turned so that it is +z, as in
            ScanNet. A camera's own axes (right, down, forward) at the first frame have '-y' up.
        by_order: Match files of different numbers by their order.

    Raises:
        FileNotFoundError: Something is missing.
        ValueError: Numbers, sizes or values do not fit each other.
    """
    if up not in UPS:
        raise ValueError(f'up must be one of {", ".join(UPS)}, got {up!r}')
    if not (np.isfinite(depth_shift) and depth_shift > 0):
        raise ValueError(f'depth_shift must be a positive number of units per metre, got {depth_shift}')
    images = [[(number_of(path), path) for path in list_images(folder)] for folder in (color, depth)]
    matched = _match({f'colour images in {color}': images[0], f'depth images in {depth}': images[1],
                      f'poses in {poses}': read_poses(poses)}, by_order)
    color_size, depth_size = (_common_size([paths[kind] for _, paths in matched]) for kind in range(2))
    if abs(color_size[0] * depth_size[1] / (color_size[1] * depth_size[0]) - 1) > _ASPECT:
        raise ValueError(
            f'colour images of {color_size} and depth images of {depth_size} pixels cannot show the same: register '
            'depth to colour first (the makers of RGB-D cameras have functions for it)'
        )
    intrinsic, belongs_to = read_intrinsic(intrinsics)
    if belongs_to is not None and belongs_to != depth_size:
        if belongs_to != color_size:
            raise ValueError(f'{intrinsics} is of images of {belongs_to} pixels, depth images have {depth_size}')
        intrinsic = averaged_intrinsic(intrinsic, color_size, depth_size)
    turn = np.eye(4)
    turn[:3, :3] = upright(up)
    finite = {number: bool(np.isfinite(items[2]).all()) for number, items in matched}
    frames = [RecordedFrame(number, *items[:2], turn @ items[2]) for number, items in matched if finite[number]]
    if not frames:
        raise ValueError(f'{poses}: none of {len(matched)} poses is finite')
    lost = [number for number in finite if not finite[number]]
    return Recording(frames, intrinsic, depth_size, color_size, depth_shift, upright(up), lost)


def upright(up: str) -> np.ndarray:
    """Rotation ``(3, 3)`` that turns an axis of :data:`UPS` to +z; '+z' is left as it is."""
    sign, axis = (1.0 if up[0] == '+' else -1.0), 'xyz'.index(up[1])
    rows = np.roll(np.eye(3), -(axis + 1), axis=0)  # the two axes after it in turn, then the axis itself
    return rows * np.array([[1.0], [sign], [sign]])


def _match(kinds: dict[str, list[tuple[Optional[int], Item]]], by_order: bool) -> list[tuple[int, list[Item]]]:
    """Rows of one item of each kind: by number where all have the same ones, by order where some have none.

    Raises:
        ValueError: There are not as many of each, or their numbers differ and the order is not to be relied on.
    """
    tables = [dict(items) for items in kinds.values()]
    if all(set(table) == set(tables[0]) and len(table) == len(items) for table, items in zip(tables, kinds.values())) \
            and None not in tables[0]:
        return [(number, [table[number] for table in tables]) for number in sorted(tables[0])]
    counts = {name: len(items) for name, items in kinds.items()}
    if len(set(counts.values())) > 1:
        numbered = [{number for number in table if number is not None} for table in tables]
        every = set().union(*numbered)
        lacking = [f'{name}: {len(items)}' + _lacks(every - numbers)
                   for (name, items), numbers in zip(kinds.items(), numbered)]
        raise ValueError('each frame needs a colour image, a depth image and a pose; there are ' + '; '.join(lacking))
    numbered = all(None not in table and len(table) == len(items) for table, items in zip(tables, kinds.values()))
    if numbered and not by_order:
        ranges = '; '.join(f'{name}: {min(table)} to {max(table)}' for name, table in zip(kinds, tables))
        raise ValueError(f'images and poses have different numbers ({ranges}): rename them, or pass --by-order')
    print('Images and poses are matched in their order')
    return [(place, [item for _, item in items]) for place, items in enumerate(zip(*kinds.values()))]


def _lacks(numbers: set[int]) -> str:
    if not numbers:
        return ''
    shown = ', '.join(map(str, sorted(numbers)[:_SHOWN]))
    return f' (none with number {shown}{", ..." if len(numbers) > _SHOWN else ""})'


def _common_size(paths: Sequence[Path]) -> Size:
    sizes = [image_size(path) for path in paths]
    for path, size in zip(paths, sizes):
        if size != sizes[0]:
            raise ValueError(f'{path} has {size} pixels and {paths[0]} {sizes[0]}: all must be of one camera')
    return sizes[0]
