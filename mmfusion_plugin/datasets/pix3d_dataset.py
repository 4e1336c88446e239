"""Pix3D: photographs of furniture with masks and models, on which 3D-LMNet and 3D-ReConstNet are tested."""

from __future__ import annotations

from os import path as osp
from pathlib import Path
from typing import Any, Optional, Sequence

from mmdet3d.registry import DATASETS

from ..converters.cloud_axes import turn_matrix
from ..converters.pix3d import CLOUDS
from ..converters.pix3d_files import ANNOTATIONS, CATEGORIES, FLAGS, read_entries
from .shape_base_dataset import ShapeDataset


@DATASETS.register_module()
class Pix3DDataset(ShapeDataset):
    """Photographs of objects, each with a mask, a box and a cloud.

    A sample has ``img_path``, ``mask_path``, ``bbox`` (columns and rows x0, y0, x1, y1 of the photograph, the last
    ones outside), ``cloud_path`` with ``num_points`` and ``cloud_frame``, ``category``, ``model_id`` (the mesh's folder
    and name) and, where ShapeNet has the category, its ``synset``.

    Args:
        data_root: Folder of Pix3D, with ``pix3d.json``, ``img`` and ``mask``.
        ann_file: The list, relative to ``data_root``; a filtered copy of it gives another test set.
        categories: As Pix3D names them; None takes all.
        drop: Objects with one of these flags are left out and counted: ``truncated``, ``occluded``,
            ``slightly_occluded`` (all three as 3D-LMNet: 2894 chairs remain).
        num_points: Points of the clouds.
        cloud_frame: Which way the clouds are turned when loaded. The meshes have x left, y up and z in;
            ``'pix3d_to_lmnet'`` (the default) has the axes of 3D-LMNet's clouds of ShapeNet, ``'pix3d_to_shapenet'``
            those of ShapeNetCore v1's meshes, ``'stored'`` leaves them.
        data_prefix: ``dict(points=...)``: folder of the clouds, ``pointclouds`` by default.
        kwargs: Of :class:`ShapeDataset`.
    """

    METAINFO = {'dataset': 'pix3d'}
    REMEDY = (
        'unpack pix3d.zip and the clouds, correct data_prefix, or sample clouds by tools/create_data.py pix3d, which '
        'lists what is missing'
    )

    def __init__(
        self,
        data_root: str = '',
        ann_file: str = ANNOTATIONS,
        categories: Optional[Sequence[str]] = CATEGORIES,
        drop: Sequence[str] = FLAGS,
        num_points: int = 1024,
        cloud_frame: str = 'pix3d_to_lmnet',
        data_prefix: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(drop, str) or not set(drop) <= set(FLAGS):
            raise ValueError(f'drop must be a list of some of {", ".join(FLAGS)}, got {drop!r}')
        if num_points < 1:
            raise ValueError(f'num_points must be at least 1, got {num_points}')
        turn_matrix(cloud_frame)  # a wrong name is an error here, not at the first sample
        self.categories, self.drop = categories, tuple(drop)
        self.num_points, self.cloud_frame = num_points, cloud_frame
        prefix = {'img': '', 'points': CLOUDS, **(data_prefix or {})}
        super().__init__(data_root=data_root, ann_file=ann_file, data_prefix=prefix, **kwargs)

    def find_samples(self) -> tuple[Sequence[str], list[dict]]:
        """Categories, and an entry for each photograph that is not dropped."""
        entries = read_entries(Path(self.ann_file), self.categories)
        samples = []
        for entry in entries:
            reason = next((flag for flag in self.drop if flag in entry.flags), None)
            if reason is not None:
                self.left_out[reason.replace('_', ' ')] += 1
                continue
            sample = {
                'img_path': osp.join(self.data_prefix['img'], entry.img),
                'mask_path': osp.join(self.data_prefix['img'], entry.mask),
                'bbox': entry.bbox,
                'cloud_path': osp.join(self.data_prefix['points'], entry.cloud(self.num_points)),
                'num_points': self.num_points,
                'cloud_frame': self.cloud_frame,
                'category': entry.category,
                'model_id': entry.model_id,
            }
            samples.append({**sample, **({'synset': entry.synset} if entry.synset else {})})
        return list(dict.fromkeys(entry.category for entry in entries)), samples

    def files_of(self, entry: dict) -> list[str]:
        """Photograph, mask and cloud."""
        return [entry[key] for key in ('img_path', 'mask_path', 'cloud_path')]
