"""The frames of a scan: decoded with their 2D labels, judged, shrunk and written."""

from __future__ import annotations

import io
import zipfile
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional, Sequence

import numpy as np
from PIL import Image

from .scannet_check import Scan
from .scannet_images import Size, shrink_colour, shrink_nearest
from .scannet_labels import LabelTable
from .scannet_taxonomy import BAD_FRAMES, LABEL_KINDS
from .sens import SensFrame, SensReader

KNOWN_BAD, LOST, EMPTY, DAMAGED = 'known bad frame', 'pose not finite', 'depth without a measurement', 'damaged'
"""Reasons for which a frame is dropped."""

_JPEG_QUALITY = 95


@dataclass(frozen=True)
class ScanOptions:
    """What can be chosen.

    Attributes:
        image_size: Width and height of the converted images, pixels.
        frame_skip: Keep frames whose number is a multiple of it.
        label_kinds: 2D label images to convert, some of :data:`~.scannet_taxonomy.LABEL_KINDS`.
        drop_damaged: Drop and list frames that cannot be decoded instead of stopping.
    """

    image_size: tuple[int, int] = (160, 120)
    frame_skip: int = 1
    label_kinds: tuple[str, ...] = LABEL_KINDS
    drop_damaged: bool = False

    def __post_init__(self) -> None:
        if min(*self.image_size, self.frame_skip) < 1:
            raise ValueError(f'image size {self.image_size} and frame skip {self.frame_skip} must be at least 1')
        unknown = sorted(set(self.label_kinds) - set(LABEL_KINDS))
        if unknown:
            raise ValueError(f'label images {unknown[0]!r} are none of {", ".join(LABEL_KINDS)}')


@dataclass
class FrameSet:
    """What was kept and what was not.

    Attributes:
        numbers: Original numbers of the frames kept, rising.
        poses: ``(4, 4)`` float32 camera-to-world pose of each, metres.
        dropped: Original numbers of the others by reason; frames passed over by ``frame_skip`` are not among them.
    """

    numbers: list[int] = field(default_factory=list)
    poses: list[np.ndarray] = field(default_factory=list)
    dropped: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SmallFrame:
    """A frame in its converted size: ``color`` RGB, ``depth (h, w)`` uint16 in the file's unit, ``labels`` per kind
    ``(h, w)`` uint8 NYU40 ids, ``pose (4, 4)`` float32."""

    number: int
    pose: np.ndarray
    color: Image.Image
    depth: np.ndarray
    labels: dict[str, np.ndarray]


class FrameReader:
    """Reads a scan's ``.sens`` and the zips of its label images side by side; use it in a ``with`` statement.

    Args:
        scan: The scan.
        label_kinds: Label images to read.
        table: What their ids mean; needed when there are any.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is damaged.
    """

    def __init__(self, scan: Scan, label_kinds: Sequence[str], table: Optional[LabelTable]) -> None:
        self.scan, self.label_kinds, self._table = scan, tuple(label_kinds), table
        with ExitStack() as stack:
            self._sens = stack.enter_context(SensReader(scan.file('sens')))
            self._zips = {kind: stack.enter_context(_open_zip(scan.file(kind))) for kind in label_kinds}
            self._stack = stack.pop_all()
        self.header = self._sens.header

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    def frames(self, found: FrameSet, options: ScanOptions) -> Iterator[SmallFrame]:
        """Yield the frames that are kept, in order; ``found`` fills on the way.

        Raises:
            ValueError: The file breaks off, or a frame is damaged and ``options`` do not drop such frames.
        """
        bad = BAD_FRAMES.get(self.scan.name, frozenset())
        chosen = range(0, self.header.num_frames, options.frame_skip)
        if bad.intersection(chosen):
            found.dropped[KNOWN_BAD] = sorted(bad.intersection(chosen))
        for frame in self._sens.frames(lambda index: index in chosen and index not in bad):
            try:
                reason, small = self._shrink(frame, options.image_size)
            except ValueError as error:
                if not options.drop_damaged:
                    raise ValueError(f'{error}; download it again, or pass --drop-damaged-frames') from error
                reason, small = DAMAGED, None
            if small is None:
                found.dropped.setdefault(reason, []).append(frame.index)
                continue
            found.numbers.append(frame.index)
            found.poses.append(frame.camera_to_world)
            yield small

    def _shrink(self, frame: SensFrame, size: Size) -> tuple[str, Optional[SmallFrame]]:
        """The frame, or None and the reason why it is dropped."""
        if not np.isfinite(frame.camera_to_world).all():
            return LOST, None
        depth = shrink_nearest(frame.depth(), size)
        if not depth.any():
            return EMPTY, None
        try:
            color = shrink_colour(frame.open_color(), size)
        except (OSError, SyntaxError) as error:  # Pillow calls a broken PNG a syntax error
            raise ValueError(f'{frame.where}: the colour image is damaged ({error})') from error
        labels = {kind: self._table.by_id[shrink_nearest(self._label(kind, frame.index), size)] for kind in self._zips}
        return '', SmallFrame(frame.index, frame.camera_to_world, color, depth, labels)

    def _label(self, kind: str, number: int) -> np.ndarray:
        """Raw ids ``(H, W)`` of a label image."""
        archive, name = self._zips[kind], f'{kind}/{number}.png'
        try:
            image = np.asarray(Image.open(io.BytesIO(archive.read(name)), formats=['PNG']))
        except (KeyError, zipfile.BadZipFile, zlib.error, OSError, SyntaxError) as error:
            raise ValueError(f'{archive.filename}: {name} is missing or damaged ({error})') from error
        if image.ndim != 2 or image.dtype.kind not in 'iu' or image.min() < 0 or image.max() >= len(self._table.by_id):
            raise ValueError(f'{archive.filename}: {name} must hold one 16-bit id per pixel, got {image.shape}')
        return image


def write_frame(frame: SmallFrame, folder: Path) -> None:
    """Write ``color/N.jpg``, ``depth/N.png`` (16 bits) and ``<kind>/N.png`` (8 bits) into folders that are there."""
    frame.color.save(folder / 'color' / f'{frame.number}.jpg', quality=_JPEG_QUALITY, subsampling=0)
    Image.fromarray(frame.depth).save(folder / 'depth' / f'{frame.number}.png')
    for kind, ids in frame.labels.items():
        Image.fromarray(ids).save(folder / kind / f'{frame.number}.png')


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f'{path} is no complete zip file: download it again') from error
