"""Loading 2D boxes from the info file, with the masks of their objects on request."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...converters.boxes_2d_masks import mask_in_box
from ...converters.nuscenes_taxonomy import FINE_NAMES
from ...structures import Boxes2D
from ..damage import CorruptDataError
from .arguments import check_number


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
        with_masks: Turn each entry's ``segmentation`` (COCO polygons or run lengths, pixel corners at integers) into a
            mask, so that a point lies in a box where it lies on the object. An entry without one is a whole box.
        mask_size: Cells on a side of a mask; Mask R-CNN has 28.
    """

    def __init__(
        self,
        min_visibility: int = 0,
        max_truncation: float = 1.0,
        categories: Optional[Sequence[str]] = None,
        with_masks: bool = False,
        mask_size: int = 28,
    ) -> None:
        check_number('min_visibility', min_visibility, 0, 4)
        check_number('max_truncation', max_truncation, 0, 1)
        check_number('mask_size', mask_size, 1, 1024)
        names = {categories} if isinstance(categories, str) else set(categories or ())
        if isinstance(categories, str) or not names <= set(FINE_NAMES):
            raise ValueError(
                f'categories {sorted(names - set(FINE_NAMES)) or categories!r}: give a list of fine categories, '
                f'{", ".join(FINE_NAMES)}'
            )
        self.min_visibility, self.max_truncation, self.categories = min_visibility, max_truncation, categories
        self.with_masks, self.mask_size = with_masks, mask_size

    def transform(self, results: dict) -> dict:
        """Add ``gt_boxes_2d``.

        Raises:
            ValueError: No images were loaded, they were changed already, or the info file holds no 2D boxes.
            CorruptDataError: A segmentation is damaged.
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
            mask=self._masks(rows, boxes, results) if self.with_masks else None,
        )
        return results

    def _masks(self, rows: list[tuple[int, dict]], boxes: list[np.ndarray], results: dict) -> np.ndarray:
        """``(K, mask_size, mask_size)`` bool."""
        masks = np.ones((len(rows), self.mask_size, self.mask_size), dtype=bool)
        for row, (view, box) in enumerate(rows):
            if box.get('segmentation'):
                try:
                    masks[row] = mask_in_box(
                        box['segmentation'], boxes[row], *results['img_shape'][view], self.mask_size
                    )
                except ValueError as error:
                    raise CorruptDataError(
                        f'box {box["bbox"]} of {results["cam_names"][view]} in sample {results.get("token")}: {error}; '
                        'make the info file again'
                    ) from error
        return masks

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
