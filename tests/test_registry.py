"""What the package adds to mmdet3d's registries: distinct names, idempotent, reachable unprefixed."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from mmdet3d import registry as mmdet3d_registry
from mmengine.config import Config

import mmfusion_plugin

# Taken by mmdet3d's own projects (BEVFusion, TPVFormer, ...) and by its open pull requests.
TAKEN = {'NuScenesSegDataset', 'SegLabelMapping', 'BEVFusion', 'TPVFormer', 'BEVFusionEncoder', 'ImageAug3D',
         'BEVFusionRandomFlip3D', 'BEVFusionGlobalRotScaleTrans', 'GridMask', 'BEVLoadMultiViewImageFromFiles'}
NODES = {name: node for name, node in vars(mmdet3d_registry).items() if name.isupper() and hasattr(node, 'module_dict')}


def ours() -> dict[str, type]:
    found = {}
    for node in NODES.values():
        for key, value in node.module_dict.items():
            if value.__module__.startswith('mmfusion_plugin'):
                found[key] = value
    return found


def test_something_is_registered_under_distinct_names():
    names = set(ours())
    assert {'SPVEncoder', 'PointVoxelSegmentor', 'NuScenesLidarSegDataset', 'LidarSegMetric'} <= names
    assert not names & TAKEN


def test_every_component_says_what_it_is():
    silent = [key for key, value in ours().items() if not (value.__doc__ or '').strip()]
    assert not silent, f'registered without a docstring: {silent}'


def test_import_is_idempotent():
    before = ours()
    importlib.reload(importlib.import_module('mmfusion_plugin'))
    assert ours() == before


@pytest.mark.parametrize('order', ['import mmfusion_plugin, mmdet3d', 'import mmdet3d, mmfusion_plugin'])
def test_import_order_does_not_matter(order):
    code = f"{order}\nfrom mmdet3d.registry import MODELS\nassert MODELS.get('PointVoxelSegmentor')"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_stock_config_names_our_blocks_unprefixed():
    cfg = Config(dict(type='SPVEncoder', hidden=8, scales=[2, 4]))
    model = mmdet3d_registry.MODELS.build(cfg)
    assert type(model).__module__.startswith('mmfusion_plugin')
    assert mmfusion_plugin.__version__
