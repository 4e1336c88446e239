"""From a nuScenes sample to its entry in an info file: MMDetection3D 1.4's v2 layout, and what fusion needs besides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from .nuscenes_geometry import box_corners, clip_hulls, heading, inverse_pose, pose_matrix, rotation_matrix
from .nuscenes_tables import Annotation, Frame, Sample, Scene
from .nuscenes_taxonomy import CAMERAS, FINE_NAMES, FINE_TO_DETECTION, IMAGE_SIZE, LIDAR

# Decimals kept. Matrices: 1e-10 displaces a point at 100 m by 1e-8 m. Boxes: a hundredth of a millimetre, a
# thousandth of a pixel. Together they make the files half as large as full float64 would.
_MATRIX, _METRE, _PIXEL = 10, 5, 3


def sample_info(scene: Scene, sample: Sample) -> dict:
    """Entry of one sample, without ``sample_idx``, which is its position in the finished file.

    Args:
        scene: The scene that holds the sample.
        sample: A key frame with all its sensors.

    Returns:
        A dictionary of plain Python values for JSON. File names carry no folder (the dataset's ``data_prefix`` does);
        ``lidar_sweeps`` keep the folder below the root. Boxes in ``instances`` are in the LiDAR frame,
        ``cam_instances`` in the camera's, ``images[CAM]['boxes_2d']`` in pixels of the 1600x900 image.
    """
    lidar = sample.frames[LIDAR]
    lidar2ego, ego2global = pose_matrix(*lidar.sensor2ego), pose_matrix(*lidar.ego2global)
    lidar2global = ego2global @ lidar2ego
    boxes = _Boxes.of(sample.annotations)
    info = {
        'token': sample.token,
        'timestamp': sample.timestamp / 1e6,
        'ego2global': _nested(ego2global, _MATRIX),
        'images': {},
        'lidar_points': {
            'num_pts_feats': 5,
            'lidar_path': _name(lidar.filename),
            'lidar2ego': _nested(lidar2ego, _MATRIX),
            'sample_data_token': lidar.token,
        },
        'lidar_sweeps': [_sweep_info(frame, lidar2global) for frame in sample.sweeps],
        'instances': _instances(boxes, inverse_pose(lidar2global)),
        'scene_name': scene.name,
        'scene_token': scene.token,
    }
    if sample.label_file is not None:
        info['pts_semantic_mask_path'] = _name(sample.label_file)
    if sample.annotations:
        info['cam_instances'] = {}
    for camera in CAMERAS:
        frame = sample.frames[camera]
        cam2ego = pose_matrix(*frame.sensor2ego)
        # The car moves between the two exposures: lidar -> ego(t_lidar) -> global -> ego(t_camera) -> camera.
        global2cam = inverse_pose(pose_matrix(*frame.ego2global) @ cam2ego)
        boxes_2d, mono = _camera_boxes(boxes, global2cam, np.array(frame.intrinsic, dtype=np.float64))
        info['images'][camera] = {
            'img_path': _name(frame.filename),
            'width': IMAGE_SIZE[0],
            'height': IMAGE_SIZE[1],
            'cam2img': frame.intrinsic,
            'cam2ego': _nested(cam2ego, _MATRIX),
            'sample_data_token': frame.token,
            'timestamp': frame.timestamp / 1e6,
            'lidar2cam': _nested(global2cam @ lidar2global, _MATRIX),
            'boxes_2d': boxes_2d,
        }
        if sample.annotations:
            info['cam_instances'][camera] = mono
    return info


@dataclass
class _Boxes:
    """The annotations of a sample as arrays in the global frame."""

    annotations: list[Annotation]
    centre: np.ndarray  # (K, 3)
    size: np.ndarray  # (K, 3) width, length, height
    rotation: np.ndarray  # (K, 3, 3)
    velocity: np.ndarray  # (K, 3) horizontal part; MMDetection3D keeps no other
    corners: np.ndarray  # (K, 8, 3)

    @classmethod
    def of(cls, annotations: list[Annotation]) -> _Boxes:
        """Arrays of ``annotations``, which may be none."""
        centre = np.array([a.pose.translation for a in annotations], dtype=np.float64).reshape(-1, 3)
        size = np.array([a.size for a in annotations], dtype=np.float64).reshape(-1, 3)
        quaternions = np.array([a.pose.rotation for a in annotations], dtype=np.float64).reshape(-1, 4)
        rotation = rotation_matrix(quaternions)
        velocity = np.array([a.velocity for a in annotations], dtype=np.float64).reshape(-1, 3) * (1.0, 1.0, 0.0)
        return cls(annotations, centre, size, rotation, velocity, box_corners(centre, size, rotation))

    def select(self, index: np.ndarray) -> _Boxes:
        """Boxes at the positions ``index``."""
        annotations = [self.annotations[i] for i in index]
        arrays = (self.centre, self.size, self.rotation, self.velocity, self.corners)
        return _Boxes(annotations, *(array[index] for array in arrays))

    def seen_from(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centres ``(K, 3)``, headings ``(K,)`` and velocities ``(K, 3)`` in the frame that ``matrix`` maps global
        into."""
        rotation = matrix[:3, :3]
        return self.centre @ rotation.T + matrix[:3, 3], heading(rotation @ self.rotation), self.velocity @ rotation.T


def _instances(boxes: _Boxes, global2lidar: np.ndarray) -> list[dict]:
    centre, yaw, velocity = boxes.seen_from(global2lidar)
    box_3d = _nested(np.column_stack([centre, boxes.size[:, [1, 0, 2]], yaw]), _METRE)
    speed = _nested(velocity[:, :2], _METRE)
    return [
        {
            'bbox_label': FINE_TO_DETECTION[annotation.category],
            'bbox_3d': box_3d[i],
            'bbox_3d_isvalid': annotation.num_lidar_pts + annotation.num_radar_pts > 0,
            'bbox_label_3d': FINE_TO_DETECTION[annotation.category],
            'num_lidar_pts': annotation.num_lidar_pts,
            'num_radar_pts': annotation.num_radar_pts,
            'velocity': speed[i],
        }
        for i, annotation in enumerate(boxes.annotations)
    ]


def _camera_boxes(boxes: _Boxes, global2cam: np.ndarray, intrinsic: np.ndarray) -> tuple[list[dict], list[dict]]:
    """2D boxes for fusion (all categories) and monocular instances (detection classes, centre in front of the
    camera)."""
    corners = boxes.corners @ global2cam[:3, :3].T + global2cam[:3, 3]
    in_front = corners[..., 2] > 0
    with np.errstate(divide='ignore', invalid='ignore'):
        pixels = (corners @ intrinsic.T)[..., :2] / corners[..., 2:]
    bounds, truncation, seen = clip_hulls(pixels, in_front, *IMAGE_SIZE)
    index = np.flatnonzero(seen)
    boxes = boxes.select(index)
    centre, yaw, velocity = boxes.seen_from(global2cam)
    with np.errstate(divide='ignore', invalid='ignore'):
        centre_2d = _nested((centre @ intrinsic.T)[:, :2] / centre[:, 2:], _PIXEL)
    # Monocular boxes: centre, length, height, width, rotation about the camera's y axis.
    box_3d = _nested(np.column_stack([centre, boxes.size[:, [1, 2, 0]], -yaw]), _METRE)
    bbox, depth, cut = _nested(bounds[index], _PIXEL), _nested(centre[:, 2], _METRE), _nested(truncation[index], 4)
    speed = _nested(velocity[:, [0, 2]], _METRE)
    fusion, mono = [], []
    for i, annotation in enumerate(boxes.annotations):
        fusion.append(
            {
                'bbox': bbox[i],
                'category': annotation.category,
                'category_name': FINE_NAMES[annotation.category],
                'visibility': annotation.visibility,
                'truncation': cut[i],
                'depth': depth[i],
                'instance_token': annotation.instance_token,
            }
        )
        label = FINE_TO_DETECTION[annotation.category]
        if label >= 0 and depth[i] > 0:
            mono.append(
                {
                    'bbox_label': label,
                    'bbox_label_3d': label,
                    'bbox': bbox[i],
                    'bbox_3d_isvalid': True,
                    'bbox_3d': box_3d[i],
                    'velocity': speed[i],
                    'center_2d': centre_2d[i],
                    'depth': depth[i],
                    'attr_label': annotation.attribute,
                }
            )
    return fusion, mono


def _sweep_info(frame: Frame, lidar2global: np.ndarray) -> dict:
    sensor2ego, ego2global = pose_matrix(*frame.sensor2ego), pose_matrix(*frame.ego2global)
    return {
        'timestamp': frame.timestamp / 1e6,
        'ego2global': _nested(ego2global, _MATRIX),
        'lidar_points': {
            'lidar_path': frame.filename,
            'lidar2ego': _nested(sensor2ego, _MATRIX),
            'lidar2sensor': _nested(inverse_pose(ego2global @ sensor2ego) @ lidar2global, _MATRIX),
        },
        'sample_data_token': frame.token,
    }


def _nested(array: np.ndarray, decimals: int) -> list:
    return np.round(array, decimals).tolist()


def _name(filename: str) -> str:
    return PurePosixPath(filename).name
