"""ScanNet's ``.sens`` files: an RGB-D sequence, read and written frame by frame.

Layout, little endian: a header (version, sensor, calibration, sizes, number of frames), then for each frame its pose,
two time stamps, two lengths and the compressed colour and depth images; inertial measurements follow and are not read.
Source: ScanNet, ``SensReader/README.md`` and ``SensReader/c++/src/sensorData.h`` (version 4).
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Callable, Iterator, Optional, Union

import numpy as np
from PIL import Image

from mmfusion_plugin.files import whole_file

VERSION = 4
COLOR_COMPRESSIONS = {0: 'raw', 1: 'png', 2: 'jpeg'}
DEPTH_COMPRESSIONS = {0: 'raw_ushort', 1: 'zlib_ushort'}
_SIZES = struct.Struct('<ii4IfQ')  # compressions, colour and depth width and height, depth shift, number of frames
_FRAME = struct.Struct('<64s4Q')  # pose, time stamps and byte counts of colour and depth
_JPEG_QUALITY = 95
_ZLIB_LEVEL = 6


def _eye() -> np.ndarray:
    return np.eye(4, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class SensHeader:
    """What a ``.sens`` file says before its first frame.

    Attributes:
        color_size: Width and height of the colour images, pixels.
        depth_size: Width and height of the depth images, pixels.
        intrinsic_color: ``(4, 4)`` float32 camera matrix of the colour images, pixel centres at integers.
        intrinsic_depth: ``(4, 4)`` float32, of the depth images.
        extrinsic_color: ``(4, 4)`` float32. ScanNet's images are aligned already: the extrinsics are not to be applied.
        extrinsic_depth: ``(4, 4)`` float32.
        color_compression: 'raw', 'png' or 'jpeg'.
        depth_compression: 'raw_ushort' or 'zlib_ushort'.
        depth_shift: Depth units in a metre.
        sensor_name: For people.
        num_frames: As stored; a writer counts by itself.
    """

    color_size: tuple[int, int]
    depth_size: tuple[int, int]
    intrinsic_color: np.ndarray
    intrinsic_depth: np.ndarray
    extrinsic_color: np.ndarray = field(default_factory=_eye)
    extrinsic_depth: np.ndarray = field(default_factory=_eye)
    color_compression: str = 'jpeg'
    depth_compression: str = 'zlib_ushort'
    depth_shift: float = 1000.0
    sensor_name: str = 'StructureSensor'
    num_frames: int = 0


@dataclass(frozen=True, eq=False)
class SensFrame:
    """One frame; its images are decoded on request.

    Attributes:
        index: Its number in the file, from 0.
        camera_to_world: ``(4, 4)`` float32, metres; all ``-inf`` where tracking was lost.
        timestamp_color: Microseconds.
        timestamp_depth: Microseconds.
        color_data: Compressed colour image.
        depth_data: Compressed depth image.
        header: Of its file.
        where: File, number and offset for messages.
    """

    index: int
    camera_to_world: np.ndarray
    timestamp_color: int
    timestamp_depth: int
    color_data: bytes
    depth_data: bytes
    header: SensHeader
    where: str

    def open_color(self) -> Image.Image:
        """Colour image, of which Pillow has read the head only: it can be asked for a smaller ``draft``.

        Raises:
            ValueError: The data are no image of the compression and size that the header declares.
        """
        size, kind = self.header.color_size, self.header.color_compression
        if kind == 'raw':
            if len(self.color_data) != 3 * size[0] * size[1]:
                raise ValueError(f'{self.where}: {len(self.color_data)} bytes for a raw {size[0]} x {size[1]} image')
            return Image.frombytes('RGB', size, self.color_data)
        try:
            image = Image.open(io.BytesIO(self.color_data), formats=[kind.upper()])
        except OSError as error:
            raise ValueError(f'{self.where}: the colour image is no {kind} ({error})') from error
        if image.size != size:
            raise ValueError(f'{self.where}: the colour image has {image.size} pixels, the header says {size}')
        return image

    def color(self) -> np.ndarray:
        """Colour image ``(H, W, 3)`` uint8 RGB.

        Raises:
            ValueError: The data are damaged.
        """
        try:
            return np.asarray(self.open_color().convert('RGB'))
        except (OSError, SyntaxError) as error:  # Pillow calls a broken PNG a syntax error
            raise ValueError(f'{self.where}: the colour image is damaged ({error})') from error

    def depth(self) -> np.ndarray:
        """Depth image ``(H, W)`` uint16 in ``1 / depth_shift`` metres along the optical axis; 0 is unmeasured.

        Raises:
            ValueError: The data are damaged.
        """
        width, height = self.header.depth_size
        data, expected = self.depth_data, 2 * width * height
        if self.header.depth_compression == 'zlib_ushort':
            try:
                # One byte more than expected shows a wrong size without unpacking all of it.
                data = zlib.decompressobj().decompress(data, expected + 1)
            except zlib.error as error:
                raise ValueError(f'{self.where}: the depth image is damaged ({error})') from error
        if len(data) != expected:
            raise ValueError(f'{self.where}: the depth image is not {width} x {height} values of 16 bits')
        return np.frombuffer(data, '<u2').reshape(height, width).astype(np.uint16, copy=False)


class SensReader:
    """Reads a ``.sens`` file as a stream; use it in a ``with`` statement.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: It breaks off, or is of another version or compression.
    """

    def __init__(self, path: Union[str, os.PathLike]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'{self.path} not found')
        self._file: BinaryIO = open(self.path, 'rb')
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            self.header = self._read_header()
        except BaseException:
            self._file.close()
            raise
        self._first = self._file.tell()

    def __enter__(self) -> SensReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def frames(self, wanted: Optional[Callable[[int], bool]] = None) -> Iterator[SensFrame]:
        """Yield frames in order, one in memory at a time.

        Args:
            wanted: Whether a frame number is; the images of others are passed over. None takes all.

        Raises:
            ValueError: The file breaks off; the text names the frame and the offset.
        """
        self._file.seek(self._first)
        for index in range(self.header.num_frames):
            offset, part = self._file.tell(), f'frame {index} of {self.header.num_frames}'
            pose, color_time, depth_time, color_bytes, depth_bytes = _FRAME.unpack(self._read(_FRAME.size, part))
            if wanted is not None and not wanted(index):
                self._require(color_bytes + depth_bytes, part)
                self._file.seek(color_bytes + depth_bytes, os.SEEK_CUR)
                continue
            color, depth = self._read(color_bytes, part), self._read(depth_bytes, part)
            where = f'{self.path}: frame {index} at offset {offset}'
            yield SensFrame(index, _matrix(pose), color_time, depth_time, color, depth, self.header, where)

    def _read_header(self) -> SensHeader:
        (version,) = struct.unpack('<I', self._read(4, 'the header'))
        if version != VERSION:
            raise ValueError(f'{self.path}: version {version}, this reader knows {VERSION}: is it a .sens file?')
        (length,) = struct.unpack('<Q', self._read(8, 'the header'))
        name = self._read(length, 'the header').decode('utf-8', 'replace')
        matrices = [_matrix(self._read(64, 'the header')) for _ in range(4)]
        color, depth, *sizes, shift, frames = _SIZES.unpack(self._read(_SIZES.size, 'the header'))
        for kind, number, known in (('colour', color, COLOR_COMPRESSIONS), ('depth', depth, DEPTH_COMPRESSIONS)):
            if number not in known:
                choices = ', '.join(f'{key} ({value})' for key, value in known.items())
                raise ValueError(f'{self.path}: {kind} compression {number} is not supported; known are {choices}')
        if not (min(sizes) > 0 and np.isfinite(shift) and shift > 0):
            raise ValueError(f'{self.path}: image sizes {sizes} and depth shift {shift} must be positive')
        return SensHeader(
            (sizes[0], sizes[1]), (sizes[2], sizes[3]), matrices[0], matrices[2], matrices[1], matrices[3],
            COLOR_COMPRESSIONS[color], DEPTH_COMPRESSIONS[depth], shift, name, frames,
        )

    def _require(self, count: int, part: str) -> None:
        offset = self._file.tell()
        if offset + count > self._size:
            raise ValueError(
                f'{self.path} breaks off in {part}: {count} bytes are needed at offset {offset}, the file ends at '
                f'{self._size}; download it again'
            )

    def _read(self, count: int, part: str) -> bytes:
        self._require(count, part)
        return self._file.read(count)


class SensWriter:
    """Writes a ``.sens`` file frame by frame; use it in a ``with`` statement, at whose end the file appears.

    The same frames give the same bytes. After an error in the block no file is left behind.

    Args:
        path: File to write.
        header: Its calibration, sizes and compressions; the writer counts ``num_frames`` itself.
    """

    def __init__(self, path: Union[str, os.PathLike], header: SensHeader) -> None:
        self.path, self.header, self._stack = Path(path), replace(header, num_frames=0), ExitStack()

    def __enter__(self) -> SensWriter:
        with ExitStack() as stack:
            self._file: BinaryIO = stack.enter_context(open(stack.enter_context(whole_file(self.path)), 'wb'))
            self._write_header()
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    def _finish(self, error: object, *_: object) -> None:
        if error is None:
            self._file.write(struct.pack('<Q', 0))  # no inertial measurements
            self._file.seek(0)
            self._write_header()  # has the number of frames now

    def write(
        self,
        camera_to_world: np.ndarray,
        color: Union[np.ndarray, bytes],
        depth: np.ndarray,
        timestamp_color: int = 0,
        timestamp_depth: int = 0,
    ) -> None:
        """Append a frame.

        Args:
            camera_to_world: ``(4, 4)`` pose, metres; all ``-inf`` for lost tracking.
            color: ``(H, W, 3)`` uint8 RGB, or bytes that are compressed as the header says.
            depth: ``(H, W)`` uint16 in ``1 / depth_shift`` metres; 0 is unmeasured.
            timestamp_color: Microseconds.
            timestamp_depth: Microseconds.

        Raises:
            ValueError: A shape or type differs from the header's.
        """
        header, pose = self.header, np.asarray(camera_to_world, '<f4')
        _check('camera_to_world', pose, (4, 4), '<f4')
        if not isinstance(color, bytes):
            _check('color', color, (*header.color_size[::-1], 3), 'u1')
            color = _encode(color, header.color_compression)
        _check('depth', depth, header.depth_size[::-1], 'u2')
        values = depth.astype('<u2', copy=False).tobytes()
        packed = zlib.compress(values, _ZLIB_LEVEL) if header.depth_compression == 'zlib_ushort' else values
        self._file.write(_FRAME.pack(pose.tobytes(), timestamp_color, timestamp_depth, len(color), len(packed)))
        self._file.write(color)
        self._file.write(packed)
        self.header = replace(header, num_frames=header.num_frames + 1)

    def _write_header(self) -> None:
        header, name = self.header, self.header.sensor_name.encode('utf-8')
        self._file.write(struct.pack('<IQ', VERSION, len(name)) + name)
        for matrix in (
            header.intrinsic_color, header.extrinsic_color, header.intrinsic_depth, header.extrinsic_depth
        ):
            matrix = np.asarray(matrix, '<f4')
            _check('a matrix of the header', matrix, (4, 4), '<f4')
            self._file.write(matrix.tobytes())
        color, depth = (
            _number(name, known)
            for name, known in (
                (header.color_compression, COLOR_COMPRESSIONS), (header.depth_compression, DEPTH_COMPRESSIONS)
            )
        )
        sizes = (*header.color_size, *header.depth_size)
        self._file.write(_SIZES.pack(color, depth, *sizes, header.depth_shift, header.num_frames))


def _matrix(data: bytes) -> np.ndarray:
    return np.frombuffer(data, '<f4').reshape(4, 4).astype(np.float32)


def _number(name: str, known: dict[int, str]) -> int:
    for number, value in known.items():
        if value == name:
            return number
    raise ValueError(f'compression {name!r} is none of {", ".join(known.values())}')


def _check(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: str) -> None:
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise ValueError(f'{name} must be {shape} {np.dtype(dtype).name}, got {array.shape} {array.dtype}')


def _encode(color: np.ndarray, compression: str) -> bytes:
    if compression == 'raw':
        return color.tobytes()
    buffer = io.BytesIO()
    Image.fromarray(color).save(buffer, format=compression.upper(), quality=_JPEG_QUALITY)
    return buffer.getvalue()
