"""Loading sweeps, labels, images and 2D boxes; each damaged file is an error that names it."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import LiDARPoints

from ...converters.nuscenes_taxonomy import FINE_NAMES
from ...structures import Boxes2D
from ..damage import CorruptDataError, read_bytes
from ..sweep_files import read_labels, read_sweep
from .arguments import check_number

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'


@TRANSFORMS.register_module()
class LoadLidarSweep(BaseTransform):
    """Load a sweep of float32 values from ``lidar_path`` into ``points``.

    Args:
        load_dim: Values per point in the file; nuScenes: x, y, z, intensity, ring.
        use_dim: Leading values to keep; nuScenes: 4, intensity raw 0..255 (2DPASS).
        backend_args: File backend of mmengine.
    """

    def __init__(self, load_dim: int = 5, use_dim: int = 4, backend_args: Optional[dict[str, Any]] = None) -> None:
        if not 3 <= use_dim <= load_dim:
            raise ValueError(f'use_dim must lie in 3..load_dim={load_dim}, got {use_dim}')
        self.load_dim, self.use_dim, self.backend_args = load_dim, use_dim, backend_args

    def transform(self, results: dict) -> dict:
        """Add ``points``, ``num_points_total`` and ``num_pts_feats``.

        Raises:
            CorruptDataError: The file is missing, empty, truncated, or holds NaN or infinity.
        """
        sweep = read_sweep(results['lidar_path'], self.load_dim, self.backend_args)
        values = np.ascontiguousarray(sweep[:, : self.use_dim])
        results['points'] = LiDARPoints(torch.from_numpy(values), points_dim=self.use_dim)
        results['num_points_total'] = len(values)
        results['num_pts_feats'] = self.use_dim
        return results


@TRANSFORMS.register_module()
class LoadLidarSeg(BaseTransform):
    """Load one uint8 category per point and map it to classes by the dataset's ``seg_label_mapping``.

    A sample without label file (a test split) passes unchanged in evaluation.

    Args:
        backend_args: File backend of mmengine.
    """

    def __init__(self, backend_args: Optional[dict[str, Any]] = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add ``pts_semantic_mask`` ``(N,)`` int64, in evaluation to ``eval_ann_info`` too.

        Raises:
            CorruptDataError: The file is missing, does not hold one label per point, or holds an undefined category.
            ValueError: A training sample has no label file.
        """
        path = results.get('pts_semantic_mask_path')
        if path is None:
            if results.get('test_mode') or 'eval_ann_info' in results:
                return results
            raise ValueError(
                f'sample {results.get("token")} names no label file (pts_semantic_mask_path), without which it cannot '
                'be trained on: generate the info file with lidarseg labels by tools/create_data.py'
            )
        fine = read_labels(path, len(results['points']), self.backend_args, results.get('lidar_path', 'its sweep'))
        results['pts_semantic_mask'] = results['seg_label_mapping'][fine]
        if 'eval_ann_info' in results:
            results['eval_ann_info']['pts_semantic_mask'] = results['pts_semantic_mask']
        return results


@TRANSFORMS.register_module()
class LoadCameraImages(BaseTransform):
    """Load some or all cameras' images.

    Args:
        cameras: Cameras to choose from, in this order; None takes all in the info file's order.
        num_views: ``'all'``, or how many cameras to draw at random for each sample (2DPASS: 1).
        backend_args: File backend of mmengine.
    """

    def __init__(
        self,
        cameras: Optional[Sequence[str]] = None,
        num_views: Union[int, str] = 'all',
        backend_args: Optional[dict[str, Any]] = None,
    ) -> None:
        if num_views != 'all' and (not isinstance(num_views, int) or num_views < 1):
            raise ValueError(f"num_views must be 'all' or a positive number, got {num_views!r}")
        self.cameras, self.num_views, self.backend_args = cameras, num_views, backend_args

    def transform(self, results: dict) -> dict:
        """Add ``img`` (list of ``(H, W, 3)`` uint8 BGR) and, in the same order, ``cam_names``, ``img_path``,
        ``img_shape`` (``(H, W)``), ``lidar2cam`` ``(V, 4, 4)``, ``cam2img`` ``(V, 3, 3)``, ``lidar2img`` ``(V, 4,
        4)`` (all float64, of the image as stored) and ``img_aug_matrix`` ``(V, 3, 3)`` from stored pixels to present
        ones.

        Raises:
            CorruptDataError: An image is missing, truncated or has another size than the info file says.
            ValueError: The sample lacks a camera.
        """
        names = list(self.cameras or results['images'])
        missing = [name for name in names if name not in results['images']]
        if missing:
            raise ValueError(f'sample {results.get("token")} has no camera {missing}; it has {list(results["images"])}')
        if self.num_views != 'all':
            if self.num_views > len(names):
                raise ValueError(f'num_views={self.num_views} exceeds the {len(names)} cameras {names}')
            names = [names[i] for i in np.random.permutation(len(names))[: self.num_views]]
        results.update(camera_geometry(results['images'], names))
        results['img'] = [self._load(results['images'][name]) for name in names]
        results['img_shape'] = [image.shape[:2] for image in results['img']]
        results['img_aug_matrix'] = np.tile(np.eye(3), (len(names), 1, 1))
        return results

    def _load(self, info: dict) -> np.ndarray:
        path = info['img_path']
        content = read_bytes(path, self.backend_args)
        check_jpeg_ends(content, path)
        image = mmcv.imfrombytes(content, flag='color', backend='cv2')
        if image is None:
            raise CorruptDataError(f'{path} is not a readable image ({len(content)} bytes), unpack it again')
        expected = (info.get('height', image.shape[0]), info.get('width', image.shape[1]))
        if image.shape[:2] != expected:
            raise CorruptDataError(
                f'{path} is {image.shape[1]}x{image.shape[0]} pixels, not {expected[1]}x{expected[0]}'
            )
        return image


@TRANSFORMS.register_module()
class LoadBoxes2D(BaseTransform):
    """Gather the 2D boxes of the loaded views into ``gt_boxes_2d``; goes before transforms that change images.

    Info files hold the devkit's boxes, clipped to ``[0, W] x [0, H]``. An image covers ``-0.5 <= u < W - 0.5`` here
    (:class:`PointPixelMatch`), so sides on the devkit's border, where an object leaves the image, move to ours: a
    point seen at the very edge lies in the box. All other sides are projections and stay as they are.

    Args:
        min_visibility: Least visibility level 0..4 (see :class:`Boxes2D`); 0 keeps boxes of unknown visibility too.
        max_truncation: Largest share 0..1 of a box outside the image.
        categories: Fine categories to keep by name, of ``nuscenes_taxonomy.FINE_NAMES``; None keeps all.
    """

    def __init__(
        self, min_visibility: int = 0, max_truncation: float = 1.0, categories: Optional[Sequence[str]] = None
    ) -> None:
        check_number('min_visibility', min_visibility, 0, 4)
        check_number('max_truncation', max_truncation, 0, 1)
        names = {categories} if isinstance(categories, str) else set(categories or ())
        if isinstance(categories, str) or not names <= set(FINE_NAMES):
            raise ValueError(
                f'categories {sorted(names - set(FINE_NAMES)) or categories!r}: give a list of fine categories, '
                f'{", ".join(FINE_NAMES)}'
            )
        self.min_visibility, self.max_truncation, self.categories = min_visibility, max_truncation, categories

    def transform(self, results: dict) -> dict:
        """Add ``gt_boxes_2d``.

        Raises:
            ValueError: No images were loaded, they were changed already, or the info file holds no 2D boxes.
        """
        if 'cam_names' not in results or not np.array_equal(
            results['img_aug_matrix'], np.tile(np.eye(3), (len(results['cam_names']), 1, 1))
        ):
            raise ValueError(
                'LoadBoxes2D must stand after LoadCameraImages and before transforms that change the images'
            )
        rows = []
        for view, name in enumerate(results['cam_names']):
            if 'boxes_2d' not in results['images'][name]:
                raise ValueError(
                    f'sample {results.get("token")} has no 2D boxes for {name}: set modality=dict(use_camera=True) in '
                    'the dataset, and generate the info file with tools/create_data.py'
                )
            rows += [(view, box) for box in results['images'][name]['boxes_2d'] if self._keep(box)]
        mapping, shapes = results['seg_label_mapping'], results['img_shape']
        boxes = [_clip_to_image(box['bbox'], *shapes[view]) for view, box in rows]
        category = np.array([box['category'] for _, box in rows], dtype=np.int64)
        results['gt_boxes_2d'] = Boxes2D(
            xyxy=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            category=category,
            label=mapping[category],
            visibility=np.array([box['visibility'] for _, box in rows], dtype=np.int64),
            truncation=np.array([box['truncation'] for _, box in rows], dtype=np.float32),
            view=np.array([view for view, _ in rows], dtype=np.int64),
            depth=np.array([box['depth'] for _, box in rows], dtype=np.float32),
        )
        return results

    def _keep(self, box: dict) -> bool:
        return (
            box['visibility'] >= self.min_visibility
            and box['truncation'] <= self.max_truncation
            and (self.categories is None or box['category_name'] in self.categories)
        )


def _clip_to_image(bbox: Sequence[float], height: int, width: int) -> np.ndarray:
    """``[x1, y1, x2, y2]`` clipped to ``[0, width] x [0, height]``, clipped to -0.5 .. size - 0.5 instead."""
    box, far = np.array(bbox, dtype=np.float64), np.array([width, height] * 2) - 0.5
    return np.where(box <= 0, -0.5, np.minimum(box, far))


def check_jpeg_ends(content: bytes, path: str) -> None:
    """Check that a JPEG is complete: OpenCV fills a missing part with grey and says nothing, but the end marker tells.

    Args:
        content: The file, or its first two and last 64 bytes; formats other than JPEG pass.
        path: Its name; what ends in ``.jpg`` or ``.jpeg`` must be a JPEG.

    Raises:
        CorruptDataError: The file is empty, or a JPEG without start or end.
    """
    if not content:
        raise CorruptDataError(f'{path} is empty, unpack it again')
    if path.lower().endswith(('.jpg', '.jpeg')) and not content.startswith(_JPEG_START):
        raise CorruptDataError(f'{path} begins without the JPEG start marker: it is damaged, unpack it again')
    if content.startswith(_JPEG_START) and _JPEG_END not in content[-64:]:
        raise CorruptDataError(f'{path} ends without the JPEG end marker: it is truncated, unpack it again')


def camera_geometry(images: dict, names: Sequence[str]) -> dict:
    """Names, paths and matrices of cameras, stacked in the order of ``names``.

    Args:
        images: Camera entries of a sample with ``img_path``, ``lidar2cam`` and ``cam2img``.
        names: Cameras to take.

    Returns:
        ``cam_names``, ``img_path``, ``lidar2cam`` ``(V, 4, 4)``, ``cam2img`` ``(V, 3, 3)``, ``lidar2img`` ``(V, 4,
        4)``; the matrices in float64.
    """
    lidar2cam = np.array([images[name]['lidar2cam'] for name in names], dtype=np.float64).reshape(-1, 4, 4)
    cam2img = np.array([np.asarray(images[name]['cam2img'])[:3, :3] for name in names], dtype=np.float64)
    cam2img = cam2img.reshape(-1, 3, 3)
    homogeneous = np.tile(np.eye(4), (len(names), 1, 1))
    homogeneous[:, :3, :3] = cam2img
    return {
        'cam_names': list(names),
        'img_path': [images[name]['img_path'] for name in names],
        'lidar2cam': lidar2cam,
        'cam2img': cam2img,
        'lidar2img': homogeneous @ lidar2cam,
    }
