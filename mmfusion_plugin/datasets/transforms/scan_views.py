"""Views of a scan: which frames to open, their images, and where their pixels lie in space."""

from __future__ import annotations

from os import path as osp
from typing import Any, Callable, Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...converters.scannet_taxonomy import LABEL_KINDS, UNLABELLED
from ...ops.chunks import in_box
from ...ops.projection import unproject_depth
from ...ops.view_selection import greedy_views
from ..scan_files import read_colour, read_depth, read_overlap, read_pixel_labels, read_poses
from .arguments import check_number


@TRANSFORMS.register_module()
class SelectViews(BaseTransform):
    """Choose the frames that together see most of each chunk, after ``RandomChunk`` or ``CutIntoChunks``.

    Args:
        num_views: V, frames for each chunk (paper: 3 in training, 5 on the benchmark); 0 is points alone.
        backend_args: File backend of mmengine.
    """

    def __init__(self, num_views: int = 3, backend_args: Optional[dict[str, Any]] = None) -> None:
        check_number('num_views', num_views, 0)
        self.num_views, self.backend_args = int(num_views), backend_args

    def transform(self, results: dict) -> dict:
        """Add ``views`` ``(V,)`` int64, positions in ``rgbd['frames']`` and -1 where no frame adds anything.

        For a scan with ``chunk_boxes``, ``views`` are all frames that any chunk uses, rising, and ``chunk_views`` ``(K,
        V)`` the positions of each chunk's among them.

        Raises:
            CorruptDataError: The overlap of frames and vertices is missing or damaged.
            ValueError: There is no chunk.
        """
        if not {'chunk_box', 'chunk_boxes'} & results.keys():
            raise ValueError('SelectViews must follow RandomChunk or CutIntoChunks, before points are moved again')
        boxes = results['chunk_boxes'] if 'chunk_boxes' in results else results['chunk_box'][None]
        chosen = np.full((len(boxes), self.num_views), -1, np.int64)
        if self.num_views:
            path, xyz = osp.join(results['rgbd']['path'], 'overlap.npz'), results['scan_xyz']
            overlap = read_overlap(path, len(results['rgbd']['frames']), len(xyz), self.backend_args)
            base = xyz[overlap.base]
            for row, box in enumerate(boxes):
                chosen[row] = greedy_views(overlap.seen[:, in_box(base, box)], self.num_views)
        if 'chunk_boxes' in results:
            used = np.unique(chosen[chosen >= 0])
            results['views'] = used
            results['chunk_views'] = np.where(chosen < 0, -1, np.searchsorted(used, chosen))
        else:
            results['views'] = chosen[0]
        return results


@TRANSFORMS.register_module()
class LoadViews(BaseTransform):
    """Open the frames of ``views``; a view that is -1 is black, without depth and without labels.

    Args:
        geometry: Load depth and poses as well; without them images are segmented alone.
        labels: Kind of pixel labels: ``'label'`` (raw, as MVPNet trains on), ``'label-filt'`` (filtered), or None.
        backend_args: File backend of mmengine.
    """

    def __init__(
        self, geometry: bool = True, labels: Optional[str] = None, backend_args: Optional[dict[str, Any]] = None
    ) -> None:
        if labels not in (None, *LABEL_KINDS):
            raise ValueError(f'labels must be None or one of {", ".join(LABEL_KINDS)}, got {labels!r}')
        self.geometry, self.labels, self.backend_args = geometry, labels, backend_args

    def transform(self, results: dict) -> dict:
        """Add ``img`` (list of V ``(H, W, 3)`` uint8 BGR), ``img_shape``, ``img_aug_matrix`` and ``frames`` (original
        numbers, -1 for none); with geometry ``depth`` ``(V, H, W)`` float32 metres (0: not measured) and ``cam2world``
        ``(V, 4, 4)`` float64; with labels ``gt_sem_seg`` ``(V, H, W)`` int64 classes.

        Raises:
            CorruptDataError: A file is missing or damaged.
            ValueError: The scan has no such labels.
        """
        rgbd, views = results['rgbd'], np.asarray(results['views'], np.int64)
        if self.labels is not None and self.labels not in rgbd['labels']:
            raise ValueError(
                f'scan {results.get("scan_id")} was converted without {self.labels!r} images, it has {rgbd["labels"]}: '
                'convert it with --label-images, or leave labels out'
            )
        size = (rgbd['width'], rgbd['height'])
        numbers = [rgbd['frames'][view] if view >= 0 else -1 for view in views]

        def load(kind: str, read: Callable, fill: np.ndarray, *args: Any) -> np.ndarray:
            ending = 'jpg' if kind == 'color' else 'png'
            files = [osp.join(rgbd['path'], kind, f'{number}.{ending}') for number in numbers]
            images = [read(file, size, *args) if view >= 0 else fill for file, view in zip(files, views)]
            return np.stack(images) if images else np.zeros((0, *fill.shape), fill.dtype)

        height, width = size[::-1]
        results['frames'] = numbers
        results['img'] = list(load('color', read_colour, np.zeros((height, width, 3), np.uint8), self.backend_args))
        results['img_shape'] = [(height, width)] * len(views)
        results['img_aug_matrix'] = np.tile(np.eye(3), (len(views), 1, 1))
        if self.geometry:
            empty = np.zeros((height, width), np.float32)
            results['depth'] = load('depth', read_depth, empty, rgbd['depth_shift'], self.backend_args)
            results['cam2world'] = self._poses(rgbd, views)
        if self.labels is not None:
            unlabelled = np.full((height, width), UNLABELLED, np.uint8)
            ids = load(self.labels, read_pixel_labels, unlabelled, self.backend_args)
            results['gt_sem_seg'] = results['seg_label_mapping'][ids]
        return results

    def _poses(self, rgbd: dict, views: np.ndarray) -> np.ndarray:
        """(V, 4, 4); where a view is missing, the unit matrix."""
        poses = np.tile(np.eye(4), (len(views), 1, 1))
        if (views >= 0).any():
            known = read_poses(osp.join(rgbd['path'], 'poses.npy'), len(rgbd['frames']), self.backend_args)
            poses[views >= 0] = known[views[views >= 0]]
        return poses


@TRANSFORMS.register_module()
class UnprojectViews(BaseTransform):
    """Put every pixel with depth where it lies in space, as the points are now; before anything mirrors images.

    Args:
        margin: Pixels farther outside the chunk's box (along x and y, metres) are left out (MVPNet: 0.1). Whole scans
            keep all; the model leaves out by chunk.
    """

    def __init__(self, margin: float = 0.1) -> None:
        check_number('margin', margin, 0)
        self.margin = margin

    def transform(self, results: dict) -> dict:
        """Add ``pixel_xyz`` ``(V, H, W, 3)`` float32, metres in the points' frame, and ``pixel_valid`` ``(V, H, W)``
        bool: the pixel has depth and belongs to the chunk.
        """
        depth = results['depth']
        poses = results.get('lidar_aug_matrix', np.eye(4)) @ results['cam2world']
        xyz = unproject_depth(depth, poses, results['rgbd']['depth2img'])
        valid = depth > 0
        if 'chunk_box' in results:
            widened = results['chunk_box'] + self.margin * np.array([-1, -1, 1, 1])
            valid &= in_box(xyz.reshape(-1, 3), widened).reshape(depth.shape)
        results['pixel_xyz'], results['pixel_valid'] = xyz, valid
        return results
