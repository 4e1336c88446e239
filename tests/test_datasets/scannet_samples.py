"""Samples of the rooms of ``scannet_hand_world``, in which the colour of a pixel tells the wall that it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import scannet_hand_world as hand

from mmfusion_plugin.datasets import ScanNetRGBDDataset, ScanNetViewDataset

SIZE = (32, 24)  # of converted images: half of the depth images'
PREFIX = dict(pts='points', pts_semantic_mask='semantic_mask', frames='frames')
CLASS_OF_FACE = np.array([0, 10, 0, 20, 1, 20])  # wall, picture, wall, nobody annotated it, floor, ceiling: no class
CHUNK = dict(type='RandomChunk', size=[1.5, 1.5], margin=0.2)
LOOK = [dict(type='SelectViews', num_views=3), dict(type='LoadViews', labels='label'), dict(type='UnprojectViews')]
PACK = dict(type='PackFusionInputs')
TRAIN = [dict(type='LoadScan'), CHUNK, *LOOK, dict(type='SamplePoints', num_points=64)]
TEST = [dict(type='LoadScan'), dict(type='CutIntoChunks', min_points=5), *LOOK]


def dataset(root: Path, pipeline: List[dict], split: str = 'train', **options: Any) -> ScanNetRGBDDataset:
    """Of the converted rooms."""
    return ScanNetRGBDDataset(
        data_root=str(root), ann_file=f'scannet_infos_{split}.json', data_prefix=PREFIX, pipeline=pipeline,
        test_mode=split != 'train', **options,
    )  # fmt: skip


def views(root: Path, pipeline: List[dict], split: str = 'train', **options: Any) -> ScanNetViewDataset:
    """Frames of the converted rooms."""
    return ScanNetViewDataset(
        data_root=str(root), ann_file=f'scannet_infos_{split}.json', data_prefix=PREFIX, pipeline=pipeline,
        test_mode=split != 'train', **options,
    )  # fmt: skip


def face_of(xyz: np.ndarray) -> np.ndarray:
    """Nearest face of the room, and how far it is (metres)."""
    gaps = np.abs(np.stack([xyz - hand.LOWER, xyz - hand.UPPER], axis=-1)).reshape(*xyz.shape[:-1], 6)
    return gaps.argmin(-1), gaps.min(-1)


def in_original_frame(xyz: np.ndarray, results: Dict[str, Any]) -> np.ndarray:
    """Positions before the augmentation."""
    matrix = np.linalg.inv(results.get('lidar_aug_matrix', np.eye(4)))
    return xyz @ matrix[:3, :3].T + matrix[:3, 3]
