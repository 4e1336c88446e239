"""The ids against the devkit's and MMDetection3D's own tables."""

from __future__ import annotations

from types import SimpleNamespace

from mmdet3d.datasets import NuScenesDataset
from mmdet3d.datasets.convert_utils import NuScenesNameMapping, nus_attributes
from nuscenes.eval.lidarseg.utils import LidarsegClassMapper
from nuscenes.utils.color_map import get_colormap

from mmfusion_plugin.converters import nuscenes_taxonomy as taxonomy


def test_fine_names_follow_the_published_order():
    assert taxonomy.FINE_NAMES == tuple(get_colormap())


def test_classes_are_the_official_ones_shifted_by_one():
    ids = {name: i for i, name in enumerate(taxonomy.FINE_NAMES)}
    mapper = LidarsegClassMapper(SimpleNamespace(lidarseg_name2idx_mapping=ids))
    official = mapper.fine_idx_2_coarse_idx_mapping
    ours = {i: 0 if c == taxonomy.IGNORE_INDEX else c + 1 for i, c in enumerate(taxonomy.FINE_TO_CLASS)}
    assert ours == official
    names = sorted(mapper.coarse_name_2_coarse_idx_mapping, key=mapper.coarse_name_2_coarse_idx_mapping.get)[1:]
    assert list(taxonomy.CLASSES) == names
    assert list(taxonomy.PALETTE) == [mapper.coarse_colormap[name] for name in names]


def test_detection_classes_are_those_of_mmdet3d():
    assert taxonomy.DETECTION_CLASSES == NuScenesDataset.METAINFO['classes']
    expected = [NuScenesNameMapping.get(name) for name in taxonomy.FINE_NAMES]
    ours = [taxonomy.DETECTION_CLASSES[i] if i >= 0 else None for i in taxonomy.FINE_TO_DETECTION]
    assert ours == expected
    assert taxonomy.ATTRIBUTES == nus_attributes
