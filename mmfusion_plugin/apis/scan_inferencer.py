"""From a converted scan to one class per point, and to what SAFNet thinks of its images there."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Union

import numpy as np
import torch
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import Tensor

from mmfusion_plugin.converters.scannet_taxonomy import CLASSES, PALETTE
from mmfusion_plugin.datasets.scan_files import read_scan_points
from mmfusion_plugin.datasets.scannet_rgbd_dataset import ScanNetRGBDDataset
from mmfusion_plugin.datasets.wrapped import innermost_dataset_cfgs
from mmfusion_plugin.engine.config_files import build_model, read_config_file
from mmfusion_plugin.models.segmentors.safnet import SAFNet
from mmfusion_plugin.models.segmentors.whole_scene import WholeSceneOptions, segment_scenes

from .device import choose_device
from .weights import load_weights

FOLDERS = {'pts': 'points', 'pts_semantic_mask': 'semantic_mask', 'frames': 'frames'}
"""Where the conversion puts the files of a scan."""


class ScanSegmentation(NamedTuple):
    """Result for a scan of N points.

    Attributes:
        points: ``(N, 6)`` float32 x, y, z in metres, +z up; red, green, blue 0..255.
        labels: ``(N,)`` int64 positions in the classes.
        similarity: ``(N,)`` float32 by name (see :meth:`ScanInferencer.similarity`); empty when not asked for.
    """

    points: np.ndarray
    labels: np.ndarray
    similarity: Dict[str, np.ndarray]


class ScanInferencer:
    """Segments converted scans as a whole with a model that a config and a checkpoint describe.

    Args:
        config: Path of a config whose ``test_dataloader`` reads ``ScanNetRGBDDataset``, or such a config.
        checkpoint: Path or URL of the weights, read without running any code in it.
        device: 'cpu', 'cuda', 'cuda:1', ... None takes CUDA where there is one.

    Attributes:
        classes: Class names.
        palette: RGB 0..255 per class.

    Raises:
        ValueError: There is no checkpoint, it is of another model, the config reads no data or another dataset, or
            there is no such device.
    """

    def __init__(
        self, config: Union[str, Path, Config], checkpoint: Union[str, Path, None], device: Optional[str] = None
    ) -> None:
        if checkpoint is None:
            raise ValueError(
                'a checkpoint is needed, as random weights would give random labels: train one with '
                f'tools/train.py {getattr(config, "filename", config)} and name it'
            )
        cfg = deepcopy(config) if isinstance(config, Config) else read_config_file(config)
        init_default_scope(cfg.get('default_scope', 'mmdet3d'))
        if cfg.get('test_dataloader') is None:
            raise ValueError(f'{cfg.filename} has no test_dataloader: need a config that tests on ScanNetRGBDDataset')
        self._dataset_cfg = innermost_dataset_cfgs(cfg.test_dataloader.dataset)[0]
        kind = self._dataset_cfg['type']
        if not issubclass(DATASETS.get(kind) or object, ScanNetRGBDDataset):
            raise ValueError(f'test_dataloader reads {kind}: need a config that tests on ScanNetRGBDDataset')
        self.device = choose_device(device)
        model = build_model(cfg)
        load_weights(model, checkpoint, str(cfg.filename or 'the config'))
        self.model = revert_sync_batchnorm(model).to(self.device).eval()
        self.classes = tuple(self._dataset_cfg.get('metainfo', {}).get('classes', CLASSES))
        self.palette = [PALETTE[CLASSES.index(name)] for name in self.classes]

    def __call__(self, info_file: Path, similarity: bool = False) -> ScanSegmentation:
        """Segment the first scan of an info file, whose folder holds what it names.

        Args:
            info_file: Of ``tools/create_data.py scannet`` or :func:`~mmfusion_plugin.converters.rgbd_scan.
                convert_recording`.
            similarity: Also compute the similarity.

        Raises:
            ValueError: The similarity of a model that knows none, or the model did not label every point.
        """
        dataset = DATASETS.build({
            **self._dataset_cfg, 'data_root': str(info_file.parent), 'ann_file': info_file.name,
            'data_prefix': dict(FOLDERS), 'test_mode': True,
        })
        points = read_scan_points(dataset.get_data_info(0)['lidar_path'])
        data = pseudo_collate([dataset[0]])
        with torch.no_grad():
            sample = self.model.test_step(deepcopy(data))[0]
            found = self.similarity(data) if similarity else {}
        labels = sample.pred_pts_seg.pts_semantic_mask.cpu().numpy().astype(np.int64)
        if labels.shape != (len(points),):
            raise ValueError(f'the model labelled {labels.shape} of {len(points)} points: its pipeline dropped some')
        return ScanSegmentation(points, labels, found)

    def similarity_names(self) -> List[str]:
        """``'geometric'`` and ``'contextual'``, those that the model has, and ``'product'`` where it has both.

        Raises:
            ValueError: The model is no ``SAFNet``, or one without similarities.
        """
        names = [name for name in ('geometric', 'contextual') if getattr(self.model, name, None) is not None]
        if not isinstance(self.model, SAFNet) or not names:
            raise ValueError(f'{type(self.model).__name__} compares no points with pixels: the similarity needs a '
                             'SAFNet with geometric or contextual similarity')
        return names + (['product'] if len(names) == 2 else [])

    @torch.no_grad()
    def similarity(self, data: Dict[str, Any]) -> Dict[str, np.ndarray]:
        """How alike points and pixels around them are to a ``SAFNet``, as in the paper's Fig. 6.

        Args:
            data: A batch of one whole scene, as the pipeline packs it.

        Returns:
            ``(N,)`` float32 of each of :meth:`similarity_names`: the mean over the chunks in which a point has a pixel
            near it, NaN where there is none.

        Raises:
            ValueError: The model is no ``SAFNet``, or one without similarities.
        """
        model, names = self.model, self.similarity_names()

        def compare(batch: Dict[str, Any]) -> List[Tensor]:
            """(N_i, names + 1) of each chunk, the last column 1 where there is a pixel; else the row is 0."""
            pair = model.neighbourhoods(batch)
            found, _ = model.similarities(pair, batch)
            columns = list(found.values())
            columns += [columns[0] * columns[1]] if len(columns) == 2 else []
            seen = pair.seen.to(columns[0])
            return list((torch.stack([*columns, torch.ones_like(seen)], 1) * seen[:, None]).split(pair.sizes))

        inputs = model.data_preprocessor(deepcopy(data), False)['inputs']
        options = WholeSceneOptions(chunks_per_batch=model.test_cfg.chunks_per_batch,
                                    pixel_margin=model.test_cfg.pixel_margin, progress=model.test_cfg.progress)
        # The images' features are not needed, only which pixels a chunk sees: one channel stands in for them.
        (mean,) = segment_scenes(inputs, compare, lambda images: images[:, :1], len(names) + 1, options)
        mean = mean.cpu().numpy()
        with np.errstate(invalid='ignore'):
            return {name: mean[:, column] / mean[:, -1] for column, name in enumerate(names)}
