"""The generated streets through converter, dataset and check."""

from __future__ import annotations

import json

import numpy as np
from fixtures_nuscenes import tiny_nuscenes  # noqa: F401  (a fixture)
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos
from mmfusion_plugin.datasets.check_files import build_datasets, check_dataset


def test_generated_world(tiny_nuscenes, tmp_path, repo_root):  # noqa: F811
    train, val = create_nuscenes_infos(tiny_nuscenes, tmp_path)
    entries = [entry for path in (train, val) for entry in json.loads(path.read_text())['data_list']]
    assert all(entry['instances'] and entry['lidar_sweeps'] for entry in entries[1:2])
    assert sum(len(image['boxes_2d']) for entry in entries for image in entry['images'].values()) > 20
    init_default_scope('mmdet3d')
    config = Config.fromfile(repo_root / 'configs/_base_/datasets/nuscenes_lidarseg.py')
    config.train_dataloader.dataset.ann_file = str(train)
    (dataset,) = build_datasets(config, 'train', str(tiny_nuscenes))
    report = check_dataset(dataset)
    assert (
        report.faults == []
        and report.files['earlier sweeps'] > 0
        and report.files['images'] == 6 * report.samples == 6 * len(dataset)
    )
    labels = np.fromfile(dataset.get_data_info(0)['pts_semantic_mask_path'], np.uint8)
    assert len(np.unique(dataset.seg_label_mapping[labels])) > 8
