"""ShapeNet as 3D-R2N2 rendered it, with 3D-LMNet's clouds, 3D-R2N2's voxels, and the splits of both papers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional, Sequence, Union

import numpy as np
from mmdet3d.registry import DATASETS

from ..converters.cloud_axes import turn_matrix
from ..converters.shapenet_files import CLOUDS, NUM_VIEWS, RENDERINGS, VOXELS, ShapeNetTree
from ..converters.shapenet_splits import ModelKey, check_part, find_split, read_split
from ..converters.shapenet_taxonomy import category_name, synset_of
from .shape_base_dataset import ShapeDataset

INPUTS = ('image', 'viewpoint')
TARGETS = ('points', 'voxels')


@DATASETS.register_module()
class ShapeNetR2N2Dataset(ShapeDataset):
    """Views of models: each view is a sample, or each model with a view drawn at random whenever it is asked for.

    The entries that ``indices``, ``get_subset`` and the count of missing ones deal with are models; ``len`` and
    positions count samples, the views of a model one after another.

    A sample has ``view``, ``synset``, ``category``, ``model_id`` and, as asked for in ``inputs`` and ``targets``,
    ``img_path``, ``viewpoints_path``, ``cloud_path`` with ``num_points`` and ``cloud_frame``, and ``voxel_path``.

    Args:
        data_root: Folder with ``ShapeNetRendering``, ``ShapeNet_pointclouds``, ``ShapeNetVox32`` and the splits.
        split: ``'lmnet'`` (3D-LMNet, 3D-ReConstNet: 4 to 1, parts ``train`` and ``val``) or ``'cisp'`` (70, 10 and 20
            per cent, parts ``train``, ``val`` and ``test``).
        part: Of the split.
        ann_file: The split's file, relative to ``data_root``; '' looks for it in ``data_root``, ``splits``,
            ``data/splits``, ``data`` and ``dataset``.
        categories: Synset ids, names or aliases; None takes all that the split has.
        views: Numbers of the views; None takes all, ``'random'`` one of all for each model (CISP's training).
        num_views: Pictures of each model.
        inputs: ``'image'``, ``'viewpoint'``, both, or none: then no rendering needs to be there.
        targets: ``'points'``, ``'voxels'``, or both.
        num_points: Points of the clouds: 1024 or 2048, the published sizes, or what was sampled.
        cloud_frame: Which way the clouds are turned when loaded: ``'stored'``, ``'lmnet_upright'`` (3D-LMNet's clouds
            to y up), or axes such as ``'y,-x,z'``; ``tools/create_data.py shapenet`` says which way they are stored.
        data_prefix: Names of the folders: ``img``, ``points``, ``voxels``.
        kwargs: Of :class:`ShapeDataset`.
    """

    METAINFO = {'dataset': 'shapenet'}
    REMEDY = (
        'unpack ShapeNetRendering, ShapeNetVox32 and ShapeNet_pointclouds, correct num_views, or sample clouds by '
        'tools/create_data.py shapenet, which lists what is missing'
    )

    def __init__(
        self,
        data_root: str = '',
        split: str = 'lmnet',
        part: str = 'train',
        ann_file: str = '',
        categories: Optional[Sequence[str]] = None,
        views: Union[str, Sequence[int], None] = None,
        num_views: int = NUM_VIEWS,
        inputs: Sequence[str] = INPUTS,
        targets: Sequence[str] = ('points',),
        num_points: int = 1024,
        cloud_frame: str = 'stored',
        data_prefix: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        check_part(split, part)
        self.views = _checked_views(views, num_views)
        if isinstance(inputs, str) or not set(inputs) <= set(INPUTS):
            raise ValueError(f'inputs must be a list of {" and ".join(INPUTS)}, or [], got {inputs!r}')
        if isinstance(targets, str) or not targets or not set(targets) <= set(TARGETS):
            raise ValueError(f'targets must be a list of {" and ".join(TARGETS)}, got {targets!r}')
        if num_points < 1:
            raise ValueError(f'num_points must be at least 1, got {num_points}')
        turn_matrix(cloud_frame)  # a wrong name is an error here, not at the first sample
        for name in categories or ():
            synset_of(name)
        self.split, self.part, self.categories = split, part, categories
        self.random_view, self.inputs, self.targets = views == 'random', tuple(inputs), tuple(targets)
        self.num_points, self.cloud_frame = num_points, cloud_frame
        prefix = {'img': RENDERINGS, 'points': CLOUDS, 'voxels': VOXELS, **(data_prefix or {})}
        super().__init__(data_root=data_root, ann_file=ann_file, data_prefix=prefix, **kwargs)

    @property
    def samples_per_model(self) -> int:
        """1 with random views, else the number of views."""
        return 1 if self.random_view else len(self.views)

    def find_samples(self) -> tuple[Sequence[str], list[dict]]:
        """Categories, and an entry for each model of the split."""
        path = Path(self.ann_file) if self.ann_file else find_split(Path(self.data_root), self.split, self.part)
        models = read_split(path, self.split, self.part, self.categories)
        if not models:
            raise ValueError(f'{path} names no model of part {self.part!r} for categories={self.categories}')
        classes = list(dict.fromkeys(category_name(model.synset) for model in models))
        entries = [
            {'synset': model.synset, 'category': category_name(model.synset), 'model_id': model.model_id}
            for model in models
        ]
        return classes, entries

    def files_of(self, entry: dict) -> list[str]:
        """The pictures of all views, their viewpoints, and the targets of a model, as far as they are asked for."""
        samples = [self._sample(entry, view) for view in self.views]
        pictures = [sample['img_path'] for sample in samples if 'img_path' in sample]
        keys = ('viewpoints_path', 'cloud_path', 'voxel_path')
        return [*pictures, *(samples[0][key] for key in keys if key in samples[0])]

    def lost_file(self, entry: dict) -> Optional[str]:
        """As of any dataset, by a listing of each folder: asking for 24 pictures one by one takes minutes on a disk."""
        listed: dict[str, set[str]] = {}
        for path in self.files_of(entry):
            folder, name = os.path.split(path)
            if folder not in listed:
                listed[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
            if name not in listed[folder]:
                return path
        return None

    def get_data_info(self, idx: int) -> dict:
        """Entry of a sample as the pipeline receives it."""
        place = range(len(self))[int(idx)]
        model, number = divmod(place, self.samples_per_model)
        entry = super().get_data_info(model)
        # From numpy's global state, which the launchers seed in each process that loads data.
        number = np.random.randint(len(self.views)) if self.random_view else number
        return {**entry, **self._sample(entry, self.views[number]), 'sample_idx': place}

    def __len__(self) -> int:
        return super().__len__() * self.samples_per_model

    def _sample(self, entry: dict, view: int) -> dict:
        """What belongs to a view of a model."""
        tree = ShapeNetTree(*(Path(self.data_prefix[key]) for key in ('img', 'points', 'voxels')))
        model = ModelKey(entry['synset'], entry['model_id'])
        out: dict[str, Any] = {'view': view}
        if 'image' in self.inputs:
            out['img_path'] = str(tree.picture(model, view))
        if 'viewpoint' in self.inputs:
            out['viewpoints_path'] = str(tree.viewpoints(model))
        if 'points' in self.targets:
            out['cloud_path'] = str(tree.cloud(model, self.num_points))
            out['num_points'], out['cloud_frame'] = self.num_points, self.cloud_frame
        if 'voxels' in self.targets:
            out['voxel_path'] = str(tree.binvox(model))
        return out


def _checked_views(views: Union[str, Sequence[int], None], num_views: int) -> tuple[int, ...]:
    """The views to choose from."""
    if num_views < 1:
        raise ValueError(f'num_views must be at least 1, got {num_views}')
    if views is None or views == 'random':
        return tuple(range(num_views))
    listed = () if isinstance(views, (str, int)) else tuple(views)
    if not listed or not all(isinstance(view, int) and 0 <= view < num_views for view in listed):
        raise ValueError(f"views must be None, 'random' or a list of numbers below {num_views}, got {views!r}")
    return listed
