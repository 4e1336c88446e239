"""``.sens`` files against a layout packed by hand, in both directions, and cut off everywhere."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmfusion_plugin.converters.sens import SensHeader, SensReader, SensWriter

COLOR, DEPTH, FRAMES = (12, 8), (6, 4), 3
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (FRAMES, COLOR[1], COLOR[0], 3), dtype=np.uint8)
DEPTHS = RNG.integers(0, 5000, (FRAMES, DEPTH[1], DEPTH[0]), dtype=np.uint16)
POSES = RNG.normal(size=(FRAMES, 4, 4)).astype(np.float32)
MATRICES = RNG.normal(size=(4, 4, 4)).astype(np.float32)  # in the order of the file
POSES[1] = -np.inf


def compressed(picture: np.ndarray, kind: str) -> bytes:
    if kind == 'raw':
        return picture.tobytes()
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, quality=95)
    return buffer.getvalue()


def packed(color: str = 'png', depth: str = 'zlib_ushort', imu: int = 2) -> bytes:
    """A file as the documentation of the layout has it, field by field."""
    name = 'Kamera ü'.encode()
    data = struct.pack('<I', 4) + struct.pack('<Q', len(name)) + name
    for matrix in MATRICES:
        data += struct.pack('<16f', *matrix.ravel().tolist())
    data += struct.pack('<i', {'raw': 0, 'png': 1, 'jpeg': 2}[color])
    data += struct.pack('<i', {'raw_ushort': 0, 'zlib_ushort': 1}[depth])
    data += struct.pack('<IIII', *COLOR, *DEPTH) + struct.pack('<f', 1000.0) + struct.pack('<Q', FRAMES)
    for i in range(FRAMES):
        picture = compressed(PICTURES[i], color)
        values = struct.pack(f'<{DEPTHS[i].size}H', *DEPTHS[i].ravel().tolist())
        values = zlib.compress(values) if depth == 'zlib_ushort' else values
        data += struct.pack('<16f', *POSES[i].ravel().tolist())
        data += struct.pack('<QQQQ', 10 * i, 10 * i + 1, len(picture), len(values)) + picture + values
    return data + struct.pack('<Q', imu) + bytes(128 * imu)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / 'scene.sens'
    target.write_bytes(packed())
    return target


@pytest.mark.parametrize('color', ['raw', 'png', 'jpeg'])
@pytest.mark.parametrize('depth', ['raw_ushort', 'zlib_ushort'])
def test_reads_the_documented_layout(tmp_path, color, depth):
    path = tmp_path / 'a.sens'
    path.write_bytes(packed(color, depth))
    with SensReader(path) as reader:
        header, frames = reader.header, list(reader.frames())
    assert (header.color_size, header.depth_size, header.num_frames) == (COLOR, DEPTH, FRAMES)
    assert (header.color_compression, header.depth_compression) == (color, depth)
    assert header.depth_shift == 1000 and header.sensor_name == 'Kamera ü'
    names = ('intrinsic_color', 'extrinsic_color', 'intrinsic_depth', 'extrinsic_depth')
    for name, matrix in zip(names, MATRICES):
        np.testing.assert_array_equal(getattr(header, name), matrix)
    for i, frame in enumerate(frames):
        assert (frame.index, frame.timestamp_color, frame.timestamp_depth) == (i, 10 * i, 10 * i + 1)
        np.testing.assert_array_equal(frame.camera_to_world, POSES[i])
        np.testing.assert_array_equal(frame.depth(), DEPTHS[i])
        expected = PICTURES[i]
        if color == 'jpeg':
            expected = np.asarray(Image.open(io.BytesIO(compressed(expected, 'jpeg'))))
        np.testing.assert_array_equal(frame.color(), expected)


def write(path: Path, color: str, depth: str, frames: int = FRAMES) -> None:
    header = SensHeader(COLOR, DEPTH, MATRICES[0], MATRICES[2], MATRICES[1], MATRICES[3], color, depth,
                        sensor_name='Kamera ü', num_frames=77)
    with SensWriter(path, header) as writer:
        for i in range(frames):
            writer.write(POSES[i], PICTURES[i], DEPTHS[i], 10 * i, 10 * i + 1)


@pytest.mark.parametrize('color', ['raw', 'png', 'jpeg'])
@pytest.mark.parametrize('depth', ['raw_ushort', 'zlib_ushort'])
def test_writes_the_documented_layout(tmp_path, color, depth):
    write(tmp_path / 'a.sens', color, depth)
    assert (tmp_path / 'a.sens').read_bytes() == packed(color, depth, imu=0)


def test_compressed_pictures_pass_unchanged(tmp_path):
    data = compressed(PICTURES[0], 'jpeg')
    with SensWriter(tmp_path / 'a.sens', SensHeader(COLOR, DEPTH, MATRICES[0], MATRICES[1])) as writer:
        writer.write(POSES[0], data, DEPTHS[0])
    with SensReader(tmp_path / 'a.sens') as reader:
        assert next(reader.frames()).color_data == data


def test_no_frames(tmp_path):
    write(tmp_path / 'a.sens', 'jpeg', 'zlib_ushort', frames=0)
    with SensReader(tmp_path / 'a.sens') as reader:
        assert reader.header.num_frames == 0 and not list(reader.frames())


def test_unwanted_frames_are_passed_over_and_frames_can_be_read_again(path):
    with SensReader(path) as reader:
        for wanted, expected in ((lambda i: i != 1, [0, 2]), (None, [0, 1, 2]), (lambda i: False, [])):
            frames = list(reader.frames(wanted))
            assert [frame.index for frame in frames] == expected
            for frame in frames:
                np.testing.assert_array_equal(frame.depth(), DEPTHS[frame.index])


def test_every_truncation_is_named(path):
    data = packed(imu=0)
    for length in range(0, len(data) - 8, 7):  # without the count of inertial measurements all frames are whole
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match='breaks off in (the header|frame [012] of 3).*offset'):
            with SensReader(path) as reader:
                list(reader.frames(lambda i: i == 0))
    path.write_bytes(data[:-8])
    with SensReader(path) as reader:
        assert len(list(reader.frames())) == FRAMES


def test_truncation_names_file_frame_and_offset(path):
    data = packed()
    offset = data.index(POSES[2].tobytes())
    path.write_bytes(data[: offset + 20])
    with SensReader(path) as reader, pytest.raises(ValueError) as error:
        list(reader.frames())
    assert f'{path} breaks off in frame 2 of 3: 96 bytes are needed at offset {offset}' in str(error.value)


def test_absurd_length_does_not_fill_the_memory(path):
    data = bytearray(packed())
    offset = data.index(POSES[0].tobytes())
    data[offset + 80: offset + 88] = struct.pack('<Q', 1 << 60)
    path.write_bytes(bytes(data))
    with SensReader(path) as reader, pytest.raises(ValueError, match='frame 0'):
        next(reader.frames())


@pytest.mark.parametrize('old, new, message', [
    (struct.pack('<I', 4), struct.pack('<I', 3), 'version 3'),
    (struct.pack('<iiI', 1, 1, COLOR[0]), struct.pack('<iiI', 1, 2, COLOR[0]), 'depth compression 2'),
    (struct.pack('<iiI', 1, 1, COLOR[0]), struct.pack('<iiI', -1, 1, COLOR[0]), 'colour compression -1'),
    (struct.pack('<iiI', 1, 1, COLOR[0]), struct.pack('<iiI', 1, 1, 0), 'must be positive'),
    (struct.pack('<f', 1000), struct.pack('<f', float('nan')), 'must be positive'),
])
def test_header_without_meaning(path, old, new, message):
    data = packed()
    path.write_bytes(data.replace(old, new, 1))
    assert path.read_bytes() != data
    with pytest.raises(ValueError, match=message):
        SensReader(path)


@pytest.mark.parametrize('part', ['color', 'depth'])
def test_damaged_image_names_the_frame(tmp_path, part):
    path = tmp_path / 'a.sens'
    data = packed('jpeg')
    picture = compressed(PICTURES[1], 'jpeg')
    start = data.index(picture) + (0 if part == 'color' else len(picture))
    path.write_bytes(data[:start] + bytes(10) + data[start + 10:])
    with SensReader(path) as reader:
        frames = list(reader.frames())
    with pytest.raises(ValueError, match=r'a\.sens: frame 1 at offset'):
        getattr(frames[1], part)()
    np.testing.assert_array_equal(frames[2].depth(), DEPTHS[2])


@pytest.mark.parametrize('count', [1, 5, 47, 49, 4 << 20])
def test_depth_of_another_size(path, count):
    with SensReader(path) as reader:
        frame = next(reader.frames())
    object.__setattr__(frame, 'depth_data', zlib.compress(bytes(count)))
    with pytest.raises(ValueError, match='6 x 4'):
        frame.depth()


def test_failed_writing_leaves_nothing(tmp_path):
    header = SensHeader(COLOR, DEPTH, MATRICES[0], MATRICES[1])
    for arguments in ((POSES[0], PICTURES[0][1:], DEPTHS[0]), (POSES[0], PICTURES[0], DEPTHS[0].astype(np.int32)),
                      (POSES[0][:3], PICTURES[0], DEPTHS[0])):
        with pytest.raises(ValueError, match='must be'):
            with SensWriter(tmp_path / 'a.sens', header) as writer:
                writer.write(POSES[0], PICTURES[0], DEPTHS[0])
                writer.write(*arguments)
        assert not list(tmp_path.iterdir())


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.sens'):
        SensReader(tmp_path / 'none.sens')
