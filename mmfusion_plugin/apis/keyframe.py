"""One entry of an info file with everything that a picture or a prediction needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from mmfusion_plugin.converters.nuscenes_taxonomy import (
    CAMERAS,
    CLASSES,
    DETECTION_CLASSES,
    FINE_TO_CLASS,
    IGNORE_INDEX,
    IMAGE_SIZE,
    LIDAR,
)
from mmfusion_plugin.datasets.info_files import load_info_file
from mmfusion_plugin.datasets.photographs import read_photograph
from mmfusion_plugin.datasets.sweep_files import read_labels, read_sweep
from mmfusion_plugin.structures import PointPixelMatch


@dataclass(frozen=True)
class Keyframe:
    """A sweep, its cameras and its annotations.

    Attributes:
        name: Token of the sample, or the sweep's file name.
        lidar_path: Sweep of float32 values.
        num_features: Values per point in the file.
        images: Per camera ``img_path`` and the matrices ``lidar2cam`` (4, 4) and ``cam2img`` (3, 3).
        boxes: ``(K, 7)`` float64 x, y, z of the centre, length, width, height in metres and yaw in radians, in the
            LiDAR frame.
        box_classes: ``(K,)`` int64 segmentation class 0..15 of each box; 16 for what belongs to none (debris, ...).
        label_path: uint8 fine categories, or None.
        token: sample_data token of the sweep, or None.
    """

    name: str
    lidar_path: Path
    num_features: int
    images: dict[str, dict]
    boxes: np.ndarray
    box_classes: np.ndarray
    label_path: Optional[Path]
    token: Optional[str]

    def points(self) -> np.ndarray:
        """``(N, num_features)`` float32; nuScenes: x, y, z in metres, intensity, ring.

        Raises:
            CorruptDataError: The file is missing, empty, truncated, or holds NaN or infinity.
        """
        return read_sweep(self.lidar_path, self.num_features)

    def truth(self) -> Optional[np.ndarray]:
        """``(N,)`` int64 classes 0..15 or 16 (ignored), or None where the keyframe has no labels.

        Raises:
            CorruptDataError: Sweep or labels are damaged, or do not belong together.
        """
        if self.label_path is None:
            return None
        return np.array(FINE_TO_CLASS)[read_labels(self.label_path, len(self.points()))]

    def load_images(self) -> list[np.ndarray]:
        """Per camera ``(H, W, 3)`` uint8 RGB, in the order of ``images``.

        Raises:
            CorruptDataError: An image is missing, truncated or damaged.
        """
        return [read_photograph(Path(image['img_path']))[..., ::-1].copy() for image in self.images.values()]

    def match(self, xyz: np.ndarray) -> np.ndarray:
        """Pixels ``(N, V, 2)`` float32 of points ``(N, 3)`` in images of 1600x900; -1, -1 where unseen."""
        images = self.images.values()
        lidar2cam, cam2img = [image['lidar2cam'] for image in images], [image['cam2img'] for image in images]
        width, height = IMAGE_SIZE
        sizes = [(image.get('height', height), image.get('width', width)) for image in images]
        return PointPixelMatch.project(xyz, lidar2cam, cam2img, sizes).pixels

    def pipeline_input(self) -> dict:
        """What a dataset would hand to its pipeline for this entry."""
        lidar = str(self.lidar_path)
        return dict(
            token=self.name, sample_idx=self.name, lidar_path=lidar, num_pts_feats=self.num_features,
            lidar_points=dict(lidar_path=lidar, num_pts_feats=self.num_features), images=self.images,
            lidar_sample_data_token=self.token, seg_label_mapping=np.array(FINE_TO_CLASS), eval_ann_info={},
        )


def load_keyframe(info_file: Union[str, Path], index: int = 0) -> Keyframe:
    """Read one entry of an info file.

    Files are looked for beside the info file, then where nuScenes keeps them (``samples/<sensor>/``,
    ``lidarseg/<version>/``) below its folder.

    Args:
        info_file: ``.json`` of ``tools/create_data.py``, or a file of MMDetection3D.
        index: Position in ``data_list``.

    Raises:
        FileNotFoundError: The info file, or a file that the entry names, is missing.
        ValueError: The info file is damaged or has fewer entries, or the entry lacks something.
    """
    info_file = Path(info_file)
    metainfo, entries = load_info_file(str(info_file))
    if not 0 <= index < len(entries):
        raise ValueError(f'{info_file} has {len(entries)} entries, counted from 0, and none of index {index}')
    missing = _missing(entries[index])
    if missing:
        raise ValueError(f'{info_file}: entry {index} is not complete, it lacks {", ".join(missing)}: generate it with '
                         'tools/create_data.py')  # fmt: skip
    return _keyframe(entries[index], metainfo, info_file.parent)


def _missing(info: dict) -> list[str]:
    """Names of the keys that an entry lacks, as ``instances[3].bbox_3d``."""
    needed = [('lidar_points', info.get('lidar_points'), ('lidar_path',))]
    needed += [(f'images.{name}', image, ('cam2img', 'lidar2cam')) for name, image in _pictured(info).items()]
    needed += [(f'instances[{row}]', box, ('bbox_3d', 'bbox_label_3d'))
               for row, box in enumerate(info.get('instances', []))]  # fmt: skip
    return [f'{where}.{key}' for where, part, keys in needed for key in keys if (part or {}).get(key) is None]


def _pictured(info: dict) -> dict[str, dict[str, Any]]:
    """Entries of the cameras that have an image; a file of MMDetection3D may name a camera without."""
    return {name: image for name, image in info.get('images', {}).items() if name in CAMERAS and 'img_path' in image}


def _keyframe(info: dict, metainfo: dict, root: Path) -> Keyframe:
    lidar = info['lidar_points']
    images = {
        camera: {
            **image,
            'img_path': str(_locate(root, image['img_path'], f'samples/{camera}')),
            'cam2img': np.asarray(image['cam2img'], np.float64)[:3, :3],
            'lidar2cam': np.asarray(image['lidar2cam'], np.float64),
        }
        for camera, image in _pictured(info).items()
    }
    label = info.get('pts_semantic_mask_path')
    boxes = info.get('instances', [])
    return Keyframe(
        name=str(info.get('token', Path(lidar['lidar_path']).stem)),
        lidar_path=_locate(root, lidar['lidar_path'], f'samples/{LIDAR}'),
        num_features=int(lidar.get('num_pts_feats', 5)),
        images=images,
        boxes=np.array([box['bbox_3d'] for box in boxes], np.float64).reshape(-1, 7),
        box_classes=np.array([_class_of_box(box, metainfo) for box in boxes], np.int64),
        label_path=None if label is None else _locate(root, label, f'lidarseg/{metainfo.get("version", "")}'),
        token=lidar.get('sample_data_token'),
    )


def _class_of_box(box: dict, metainfo: dict) -> int:
    """Segmentation class of a detection label; the ten detection classes are all segmentation classes by name."""
    names = {label: name for name, label in metainfo.get('categories', {}).items()}
    names = names if set(DETECTION_CLASSES) <= set(names.values()) else dict(enumerate(DETECTION_CLASSES))
    name = names.get(box['bbox_label_3d'])
    return CLASSES.index(name) if name in CLASSES else IGNORE_INDEX


def _locate(root: Path, name: str, folder: str) -> Path:
    for path in (root / name, root / folder / name):
        if path.is_file():
            return path
    raise FileNotFoundError(f'{name} is neither in {root} nor in {root / folder}')
