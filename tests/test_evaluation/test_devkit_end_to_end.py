"""From files on disk to official scores: nothing stands in for the devkit, the dataset, the network or the launcher."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from mmengine.config import Config
from nuscenes_hand_world import POINTS, make_world

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos
from mmfusion_plugin.converters.nuscenes_taxonomy import IGNORE_INDEX
from mmfusion_plugin.engine.launch import apply_test_arguments, build_runner, load_config
from mmfusion_plugin.evaluation.submission_check import check_submission, evaluate_submission, open_nuscenes

pytest.importorskip('nuscenes', reason='needs nuscenes-devkit')
CONFIG = 'configs/point_voxel/point-voxel-tiny_1xb2-demo_synthetic-nuscenes.py'


@pytest.fixture(scope='module')
def load_test_tool(repo_root: Path) -> ModuleType:
    """``tools/test.py``."""
    spec = importlib.util.spec_from_file_location('tool_test', repo_root / 'tools' / 'test.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save_weights(path: Path, config: Path, data: Path) -> None:
    """Random weights of a narrow network, its last biases such that it does not give every point the same class."""
    from mmdet3d.registry import MODELS
    from mmdet3d.structures import Det3DDataSample
    from mmengine.registry import init_default_scope

    cfg = Config.fromfile(config)
    init_default_scope('mmdet3d')
    cfg.model.backbone.hidden = 16
    model = MODELS.build(cfg.model).eval()
    sweep = np.fromfile(next((data / 'samples/LIDAR_TOP').glob('*.bin')), np.float32).reshape(-1, 5)
    batch = dict(inputs=dict(points=[torch.from_numpy(sweep[:, :4].copy())]), data_samples=[Det3DDataSample()])
    with torch.no_grad():
        logits = model.test_step(batch)[0].pts_seg_logits.pts_seg_logits
        list(model.decode_head.parameters())[-1].sub_(logits.mean(dim=1))
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)


@pytest.fixture()
def run_test(repo_root, load_test_tool, tmp_path, monkeypatch):
    """Call with a data folder and flags: what ``tools/test.py`` does with an untrained network, and its metrics."""

    def run(data: Path, *flags: str) -> tuple[dict, object]:
        if not (tmp_path / 'weights.pth').is_file():
            save_weights(tmp_path / 'weights.pth', repo_root / CONFIG, data)
        options = ['model.backbone.hidden=16', f'test_dataloader.dataset.data_root={data}',
                   'test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False']
        arguments = [CONFIG, str(tmp_path / 'weights.pth'), '--work-dir', str(tmp_path / 'run'), *flags]
        if '--cfg-options' not in flags:
            arguments.append('--cfg-options')
        monkeypatch.chdir(repo_root)
        monkeypatch.setattr('sys.argv', ['test.py', *arguments, *options])
        args = load_test_tool.parse_args()
        cfg = load_config(args)
        apply_test_arguments(cfg, args)
        runner = build_runner(cfg)
        return runner.test(), runner

    return run


def test_integers_equal_the_devkits_and_the_submission_is_valid(run_test, tiny_nuscenes_infos, tmp_path):
    metrics, runner = run_test(
        tiny_nuscenes_infos, '--cfg-options', f'test_evaluator.submission_prefix={tmp_path / "sub"}',
        'test_evaluator.eval_set=val')
    matrix = runner.test_evaluator.metrics[0].confusion_matrix
    target = (tmp_path / 'sub', tiny_nuscenes_infos, 'v1.0-trainval', 'val')
    nusc = open_nuscenes(*target[1:3])
    assert check_submission(*target, nusc=nusc).startswith('valid: 2 sweeps')
    official = evaluate_submission(*target, nusc=nusc)
    np.testing.assert_array_equal(official['confusion'][1:, 1:], matrix[:IGNORE_INDEX])
    assert matrix[:IGNORE_INDEX].sum() > 20_000 and (matrix.sum(axis=0) > 0).sum() > 4
    # The devkit divides by unions rounded to float32.
    assert official['miou'] == pytest.approx(metrics['miou'], abs=1e-6)
    assert official['freq_weighted_iou'] == pytest.approx(metrics['fwiou'], abs=1e-6)


def test_split_without_labels_is_submitted_and_not_scored(run_test, tmp_path):
    data = make_world(tmp_path / 'data', version='v1.0-test')
    # The test set's lidarseg package: categories with their ids, and no label.
    (data / 'v1.0-test/lidarseg.json').write_text('[]')
    (data / 'lidarseg/v1.0-test').mkdir(parents=True)
    create_nuscenes_infos(data, data, 'v1.0-test', workers=1)
    metrics, _ = run_test(
        data, '--cfg-options', 'test_dataloader.dataset.ann_file=nuscenes_infos_test.json',
        f'test_evaluator.submission_prefix={tmp_path / "sub"}')
    assert metrics == {}
    assert check_submission(tmp_path / 'sub', data, 'v1.0-test', 'test').startswith('valid: 6 sweeps')
    files = list((tmp_path / 'sub/lidarseg/test').iterdir())
    assert len(files) == 6 and all(path.stat().st_size == POINTS for path in files)


def test_votes_are_seeded(run_test, tiny_nuscenes_infos):
    first, second = (run_test(tiny_nuscenes_infos, '--tta', '--num-votes', '2')[0] for _ in range(2))
    once = run_test(tiny_nuscenes_infos)[0]
    np.testing.assert_equal(first, second)  # nan equals nan
    assert first['acc'] != once['acc'] and 0 <= first['miou'] <= 1
