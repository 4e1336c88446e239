"""A recording with an RGB-D camera in the box room of ``scannet_hand_world``, as users have it: folders of images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scannet_hand_world import camera_pose, look, pixels

DEPTH, COLOR = (64, 48), (128, 96)
INTRINSIC = np.array([[34.0, 0, 31], [0, 35, 24], [0, 0, 1]])
"""Of the depth images."""

NUMBERS = (3, 7, 8, 20, 21, 100)
FACE_COLOURS = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [200, 200, 30], [200, 30, 200], [30, 200, 200]])
"""RGB of each face of the room."""


def color_intrinsic() -> np.ndarray:
    """Of images twice as large: pixel u of the depth image lies at 2 u + 0.5."""
    return np.array([[68.0, 0, 62.5], [0, 70, 48.5], [0, 0, 1]])


def depth_image(place: int) -> np.ndarray:
    """``(48, 64)`` uint16, tenths of a millimetre; some pixels are unmeasured."""
    depth = np.rint(1e4 * look(camera_pose(place), INTRINSIC, *pixels(DEPTH))[0]).astype(np.uint16)
    depth[:5, 10:20] = 0
    return depth


def color_image(place: int) -> np.ndarray:
    """``(96, 128, 3)`` uint8: each face in its colour."""
    return FACE_COLOURS[look(camera_pose(place), color_intrinsic(), *pixels(COLOR))[1]].astype(np.uint8)


def write_log(path: Path, poses: list[np.ndarray], numbers: tuple[int, ...] = NUMBERS) -> Path:
    """Open3D's trajectory."""
    text = ''
    for number, pose in zip(numbers, poses):
        text += f'{number} {number} {number + 1}\n' + ''.join(' '.join(map(repr, row)) + '\n' for row in pose.tolist())
    path.write_text(text)
    return path


def write_recording(root: Path) -> Path:
    """Write ``color/``, ``depth/``, ``pose/``, ``trajectory.log``, ``camera.json``, ``camera.txt``; returns ``root``.

    Depth is in tenths of a millimetre.
    """
    for name in ('color', 'depth', 'pose'):
        (root / name).mkdir(parents=True)
    poses = [camera_pose(place).astype(np.float64) for place in range(len(NUMBERS))]
    for place, number in enumerate(NUMBERS):
        Image.fromarray(color_image(place)).save(root / f'color/frame-{number}.png')
        Image.fromarray(depth_image(place)).save(root / f'depth/{number:06d}.png')
        np.savetxt(root / f'pose/{number}.txt', poses[place])
    write_log(root / 'trajectory.log', poses)
    size = dict(width=DEPTH[0], height=DEPTH[1])
    (root / 'camera.json').write_text(json.dumps(dict(size, intrinsic_matrix=INTRINSIC.T.ravel().tolist())))
    np.savetxt(root / 'camera.txt', np.block([[INTRINSIC, np.zeros((3, 1))], [np.zeros((1, 3)), np.eye(1)]]))
    return root
