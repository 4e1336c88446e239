"""A dataset's samples as its pipeline leaves them, drawn."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Optional, Union

import numpy as np
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tqdm import tqdm

from mmfusion_plugin.datasets.wrapped import innermost_dataset_cfgs
from mmfusion_plugin.visualization import draw_sample


def browse_dataset(
    cfg: Config, out_dir: Union[str, Path], split: str = 'train', augment: bool = False, number: Optional[int] = None
) -> list[Path]:
    """Draw samples of a config's dataset with their labels: from above, and over the cameras' images.

    Args:
        cfg: Config with ``<split>_dataloader``.
        out_dir: Where ``<index>_bird_eye_view.png`` and ``<index>_cameras.png`` go.
        split: 'train', 'val' or 'test'.
        augment: Draw what the network is trained on. Otherwise samples pass the validation pipeline, without
            augmentation.
        number: Samples to draw, spread evenly over the dataset; None draws all.

    Returns:
        The PNGs.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    dataset_cfg = innermost_dataset_cfgs(cfg[f'{split}_dataloader'].dataset)[0]
    if not augment and split == 'train':
        plain = innermost_dataset_cfgs(cfg.val_dataloader.dataset)[0]
        dataset_cfg = dict(dataset_cfg, pipeline=plain.pipeline, test_mode=True)
    dataset = DATASETS.build(dataset_cfg)
    count = len(dataset) if number is None else min(number, len(dataset))
    indices: Iterable[int] = np.linspace(0, len(dataset) - 1, count).round().astype(int).tolist() if count else []
    pictures = []
    for index in tqdm(indices, desc='samples', disable=None):
        pictures += draw_sample(dataset[index], dataset.metainfo, Path(out_dir), f'{index:06d}')
    return pictures
