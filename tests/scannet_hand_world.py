"""ScanNet in small, from formulas: empty box rooms whose depth, labels and vertices can be computed anywhere."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from mmfusion_plugin.converters.sens import SensHeader, SensWriter

LOWER, UPPER = np.array([-2.0, -1.5, 0.0]), np.array([2.0, 1.5, 2.5])
"""The room, metres; its faces are numbered x-, x+, y-, y+, z-, z+."""

FACES = (('wall', 1, 1), ('oil "painting', 1300, 11), ('wall', 1, 1), (None, 0, 0), ('floor', 3, 2),
         ('ceiling', 41, 22))
"""Raw category, raw id and NYU40 id of each face; nobody annotated the fourth."""

COLOR, DEPTH = (130, 97), (64, 48)  # as in ScanNet, one ratio is whole and one is not
INTRINSIC_COLOR = np.array([[70.0, 0, 64, 0], [0, 71, 47, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
INTRINSIC_DEPTH = np.array([[34.0, 0, 31, 0], [0, 35, 24, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
SCANS = {'train': ('scene0000_00', 'scene0000_01'), 'val': ('scene0011_00',), 'test': ('scene0707_00',)}
NUM_FRAMES, LOST, EMPTY = 6, 2, 3
"""Frames of each scan, and the numbers of the one without a pose and the one without depth."""


def camera_pose(number: int, scan: int = 0) -> np.ndarray:
    """Camera to world of a frame: turned by 60 degrees from the one before; ``(4, 4)`` float32."""
    yaw, pitch = np.deg2rad(60 * number + 7 * scan), np.deg2rad(12)
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = 0.3 + 0.1 * scan, -0.2, 1.2
    return pose.astype(np.float32)


def look(pose: np.ndarray, intrinsic: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth along the optical axis (metres) and face that pixels ``u, v`` of any common shape see."""
    rays = np.stack([(u - intrinsic[0, 2]) / intrinsic[0, 0], (v - intrinsic[1, 2]) / intrinsic[1, 1],
                     np.ones_like(u, dtype=np.float64)], axis=-1) @ pose[:3, :3].astype(np.float64).T
    rays = np.where(np.abs(rays) < 1e-12, 1e-12, rays)
    steps = (np.where(rays > 0, UPPER, LOWER) - pose[:3, 3].astype(np.float64)) / rays
    axis = steps.argmin(axis=-1)
    upper = np.take_along_axis(rays, axis[..., None], -1)[..., 0] > 0
    return steps.min(axis=-1), 2 * axis + upper


def pixels(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of all pixels of an image, each ``(H, W)``."""
    return np.meshgrid(np.arange(size[0], dtype=np.float64), np.arange(size[1], dtype=np.float64))


def depth_image(number: int, scan: int = 0) -> np.ndarray:
    """``(48, 64)`` uint16, millimetres; some pixels are unmeasured."""
    depth = np.rint(1000 * look(camera_pose(number, scan), INTRINSIC_DEPTH, *pixels(DEPTH))[0]).astype(np.uint16)
    depth[:5, 10:20] = 0
    return depth * (number != EMPTY)


def face_image(number: int, scan: int = 0) -> np.ndarray:
    """``(97, 130)`` number of the face that each colour pixel sees."""
    return look(camera_pose(number, scan), INTRINSIC_COLOR, *pixels(COLOR))[1]


def color_image(number: int, scan: int = 0) -> np.ndarray:
    """``(97, 130, 3)`` uint8: a smooth ramp over the faces."""
    u, v = pixels(COLOR)
    return np.stack([u, 2 * v, 30 * face_image(number, scan) + 10], axis=-1).astype(np.uint8)


def mesh() -> tuple[np.ndarray, np.ndarray]:
    """Vertices ``(N, 6)`` float32 (metres, RGB) on the room's faces, and the face of each."""
    parts, faces = [], []
    for face in range(6):
        axis, others = face // 2, [k for k in range(3) if k != face // 2]
        grids = np.meshgrid(*[np.arange(LOWER[k] + 0.1, UPPER[k], 0.25) for k in others])
        part = np.zeros((grids[0].size, 3))
        part[:, axis] = (LOWER, UPPER)[face % 2][axis]
        part[:, others] = np.stack([grid.ravel() for grid in grids], axis=1)
        parts.append(part)
        faces += [face] * len(part)
    xyz = np.concatenate(parts)
    colours = np.random.default_rng(0).integers(0, 256, xyz.shape)
    return np.concatenate([xyz, colours], axis=1).astype(np.float32), np.array(faces)


def write_mesh(path: Path) -> None:
    """The mesh as ScanNet writes it: little endian, with alpha and triangles."""
    vertices, _ = mesh()
    lines = ['ply', 'format binary_little_endian 1.0', 'comment by hand', f'element vertex {len(vertices)}']
    lines += [f'property float {name}' for name in 'xyz']
    lines += [f'property uchar {name}' for name in ('red', 'green', 'blue', 'alpha')]
    lines += ['element face 2', 'property list uchar int vertex_indices', 'end_header', '']
    data = '\n'.join(lines).encode()
    data += b''.join(struct.pack('<3f4B', *row[:3].tolist(), *row[3:].astype(int).tolist(), 255) for row in vertices)
    path.write_bytes(data + struct.pack('<B3iB3i', 3, 0, 1, 2, 3, 2, 1, 0))


def png(image: np.ndarray) -> bytes:
    """A label image as ScanNet stores it: 16 bits."""
    buffer = io.BytesIO()
    Image.fromarray(image.astype(np.uint16)).save(buffer, 'PNG')
    return buffer.getvalue()


def write_labels(folder: Path, name: str, scan: int) -> None:
    """Label zips, segments (vertices of a face, split in two) and aggregation."""
    ids = np.array([raw for _, raw, _ in FACES])
    for kind in ('label', 'label-filt'):
        with zipfile.ZipFile(folder / f'{name}_2d-{kind}.zip', 'w') as archive:
            for number in range(NUM_FRAMES):
                faces = face_image(number, scan)
                raw = np.where((faces == 1) & (kind == 'label-filt'), 0, ids[faces])
                archive.writestr(f'{kind}/{number}.png', png(raw))
    _, faces = mesh()
    segments = 100 * faces + np.arange(len(faces)) % 2
    (folder / f'{name}_vh_clean_2.0.010000.segs.json').write_text(json.dumps(
        dict(params={}, sceneId=name, segIndices=segments.tolist())))
    groups = [dict(id=face, objectId=face, segments=[100 * face, 100 * face + 1], label=label)
              for face, (label, _, _) in enumerate(FACES) if label is not None]
    (folder / f'{name}.aggregation.json').write_text(json.dumps(dict(sceneId=name, segGroups=groups)))


def write_sens(path: Path, scan: int) -> None:
    """The frames."""
    header = SensHeader(COLOR, DEPTH, INTRINSIC_COLOR, INTRINSIC_DEPTH)
    with SensWriter(path, header) as writer:
        for number in range(NUM_FRAMES):
            pose = np.full((4, 4), -np.inf, np.float32) if number == LOST else camera_pose(number, scan)
            writer.write(pose, color_image(number, scan), depth_image(number, scan), number, number)


def make_world(root: Path) -> Path:
    """Write everything below ``root``, which is created; returns it."""
    root.mkdir(parents=True)
    rows = sorted({(raw, label, nyu40) for label, raw, nyu40 in FACES if label}) + [(1357, 'never seen', '')]
    (root / 'scannetv2-labels.combined.tsv').write_text(
        'id\traw_category\tcategory\tcount\tnyu40id\teigen13id\n'
        + ''.join(f'{raw}\t{label}\t{label}\t7\t{nyu40}\t\n' for raw, label, nyu40 in rows))
    number = 0
    for split, names in SCANS.items():
        (root / f'scannetv2_{split}.txt').write_text(''.join(f'{name}\n' for name in names))
        for name in names:
            folder = root / ('scans_test' if split == 'test' else 'scans') / name
            folder.mkdir(parents=True)
            write_sens(folder / f'{name}.sens', number)
            write_mesh(folder / f'{name}_vh_clean_2.ply')
            alignment = '' if split == 'test' else 'axisAlignment = 0 -1 0 0.5 1 0 0 -2 0 0 1 0.25 0 0 0 1 \n'
            (folder / f'{name}.txt').write_text(f'{alignment}colorWidth = 130\nsceneType = Apartment\n')
            if split != 'test':
                write_labels(folder, name, number)
            number += 1
    return root
