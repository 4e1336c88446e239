"""Loading sweeps, labels and images; each damaged file is an error that names it."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import LiDARPoints

from ..damage import CorruptDataError, read_bytes
from ..sweep_files import read_labels, read_sweep

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
