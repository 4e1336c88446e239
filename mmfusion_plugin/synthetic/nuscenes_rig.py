"""The sensor rig of the nuScenes car: where the LiDAR and the six cameras sit, and when each of them fires.

Every number is the calibration of one nuScenes v1.0-mini keyframe (sample ca9a282c9e77460f8360f564131a8af5), rounded
to 0.1 mm, 1e-6 and 0.001 px. Frames are the official ones: ego x forward, y left, z up, origin on the ground under
the rear axle; camera x right, y down, z forward; LiDAR x right, y forward, z up.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

import numpy as np

from mmfusion_plugin.converters.nuscenes_geometry import pose_matrix
from mmfusion_plugin.converters.nuscenes_taxonomy import IMAGE_SIZE

IMAGE_WIDTH, IMAGE_HEIGHT = IMAGE_SIZE


class CameraCalibration(NamedTuple):
    """One camera: ``translation`` (m) and ``rotation`` (quaternion w, x, y, z) camera-to-ego, focal length and
    principal point in pixels, and the time in microseconds at which it fires relative to the LiDAR's timestamp."""

    translation: Tuple[float, float, float]
    rotation: Tuple[float, float, float, float]
    focal: float
    cx: float
    cy: float
    offset_us: int

    @property
    def intrinsic(self) -> np.ndarray:
        """(3, 3) float64 pinhole matrix in pixels."""
        return np.array([[self.focal, 0.0, self.cx], [0.0, self.focal, self.cy], [0.0, 0.0, 1.0]])

    @property
    def camera_to_ego(self) -> np.ndarray:
        """(4, 4) float64 transform from the camera frame to the ego frame."""
        return rigid(self.translation, self.rotation)


CAMERAS: Dict[str, CameraCalibration] = {
    'CAM_FRONT': CameraCalibration(
        (1.7008, 0.0159, 1.511), (-0.499802, 0.503032, -0.49978, 0.497371), 1266.417, 816.267, 491.507, -35491
    ),
    'CAM_FRONT_RIGHT': CameraCalibration(
        (1.5508, -0.4934, 1.4957), (0.206035, -0.202694, 0.682451, -0.671361), 1260.847, 807.968, 495.334, -27612
    ),
    'CAM_BACK_RIGHT': CameraCalibration(
        (1.0149, -0.4806, 1.5624), (-0.12281, 0.132401, 0.700431, -0.690496), 1259.514, 807.253, 501.196, -20058
    ),
    'CAM_BACK': CameraCalibration(
        (0.0283, 0.0035, 1.5791), (0.503787, -0.497402, -0.494185, 0.50455), 809.221, 829.220, 481.778, -10426
    ),
    'CAM_BACK_LEFT': CameraCalibration(
        (1.0357, 0.4848, 1.591), (-0.692419, 0.703162, 0.116483, -0.112033), 1256.741, 792.113, 492.776, -528
    ),
    'CAM_FRONT_LEFT': CameraCalibration(
        (1.5239, 0.4946, 1.5093), (0.675727, -0.673627, 0.21214, -0.211228), 1272.598, 826.615, 479.752, -43107
    ),
}

LIDAR_TRANSLATION = (0.9437, 0.0, 1.8402)
LIDAR_ROTATION = (0.707796, -0.006492, 0.010646, -0.706307)

# Measured on the keyframe's sweep: 32 rings, 1084 firings a turn, elevations evenly spaced to 0.02 degrees.
LIDAR_RINGS = 32
LIDAR_FIRINGS = 1084
LIDAR_ELEVATION = (-30.67, 10.67)
LIDAR_PERIOD_US = 50_000


def rigid(translation: Tuple[float, ...], quaternion: Tuple[float, ...]) -> np.ndarray:
    """(4, 4) float64 transform made of a translation (m) and a quaternion (w, x, y, z)."""
    return pose_matrix(quaternion, translation)


def planar_pose(x: float, y: float, yaw: float) -> np.ndarray:
    """(4, 4) float64 pose of something that stands upright on the ground at (x, y) m, turned by ``yaw`` rad."""
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    matrix[:2, 3] = x, y
    return matrix


def yaw_quaternion(yaw: float) -> Tuple[float, float, float, float]:
    """Quaternion (w, x, y, z) of a turn by ``yaw`` rad about z."""
    return float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))
