"""A stripped 2DDATA checkpoint is one of the LiDAR network: same keys, same answers to the bit, and much smaller."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from torch import nn

import mmfusion_plugin  # noqa: F401  (registers the models)
from mmfusion_plugin.engine.strip_branches import strip_training_branches

LIDAR = 'configs/point_voxel/point-voxel-tiny_1xb2-demo_synthetic-nuscenes.py'
WHOLE = 'configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'


def build(root: Path, config: str) -> nn.Module:
    """The config's model, as training might leave it: no parameter or statistic at a round value."""
    init_default_scope('mmdet3d')
    cfg = Config.fromfile(root / config).model
    cfg.backbone.hidden = 16
    model = MODELS.build(cfg).eval()
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.rand_like(value) * 0.1)
    return model


def predict(model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    points = torch.rand(500, 4) * torch.tensor([40.0, 40.0, 5.0, 255.0]) - torch.tensor([20.0, 20.0, 3.0, 0.0])
    (sample,) = model.test_step(dict(inputs=dict(points=[points]), data_samples=[Det3DDataSample()]))
    return sample.pts_seg_logits.pts_seg_logits, sample.pred_pts_seg.pts_semantic_mask


@pytest.fixture
def trained(repo_root: Path, tmp_path: Path) -> tuple[nn.Module, Path]:
    """A 2DDATA model and its checkpoint, with an optimiser's and an average's leftovers."""
    model, path = build(repo_root, WHOLE), tmp_path / 'epoch_3.pth'
    weights = model.state_dict()
    torch.save(
        dict(meta=dict(epoch=3, seed=1), state_dict=weights, optimizer=dict(state={}), param_schedulers=[],
             ema_state_dict=weights, message_hub={}), path)  # fmt: skip
    return model, path


def tool(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location('strip', root / 'tools/model_converters/strip_training_branches.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_stripped_weights_are_those_of_the_lidar_network(repo_root, trained, tmp_path, monkeypatch, capsys):
    model, path = trained
    target = tmp_path / 'new' / 'lidar.pth'
    monkeypatch.setattr(sys, 'argv', ['strip', str(path), str(target)])
    tool(repo_root).main()

    lidar = build(repo_root, LIDAR)
    assert not torch.equal(predict(lidar)[0], predict(model)[0])
    load_checkpoint(lidar, str(target), map_location='cpu', strict=True)
    for ours, theirs in zip(predict(lidar), predict(model)):
        assert torch.equal(ours, theirs)

    written = torch.load(target, weights_only=True)
    assert set(written) == {'meta', 'state_dict'} and written['meta'] == dict(epoch=3, seed=1)
    text = capsys.readouterr().out
    for part in (lidar, model, model.image_backbone, model.fusion, model.object_branch):
        assert f'{sum(p.numel() for p in part.parameters()):,}' in text, 'counts parameters, not running statistics'
    assert target.stat().st_size < path.stat().st_size / 2


def test_a_branch_may_be_missing(repo_root, trained, tmp_path):
    _, path = trained
    content = torch.load(path, weights_only=True)
    content['state_dict'] = {k: v for k, v in content['state_dict'].items() if not k.startswith('object_branch.')}
    torch.save(content, tmp_path / '2dpass.pth')
    report = strip_training_branches(tmp_path / '2dpass.pth', tmp_path / 'lidar.pth')
    assert set(report.dropped) == {'image_backbone', 'fusion'}
    assert report.after == report.before - sum(report.dropped.values())


def test_refusals_leave_every_file_alone(trained, tmp_path):
    _, path = trained
    before, done = path.read_bytes(), tmp_path / 'lidar.pth'
    with pytest.raises(ValueError, match='is the input itself'):
        strip_training_branches(path, path.parent / '.' / path.name)
    link = tmp_path / 'link.pth'
    link.hardlink_to(path) if hasattr(link, 'hardlink_to') else link.symlink_to(path)
    with pytest.raises(ValueError, match='is the input itself'):
        strip_training_branches(path, link)
    strip_training_branches(path, done)
    with pytest.raises(ValueError, match='none of image_backbone, fusion, object_branch.*it has backbone, decode_head'):
        strip_training_branches(done, tmp_path / 'again.pth')
    torch.save(dict(weights=1), tmp_path / 'odd.pth')
    with pytest.raises(ValueError, match='odd.pth holds no state_dict'):
        strip_training_branches(tmp_path / 'odd.pth', tmp_path / 'again.pth')
    torch.save(dict(state_dict={'fusion.weight': torch.ones(1)}), tmp_path / 'odd.pth')
    with pytest.raises(ValueError, match='nothing but'):
        strip_training_branches(tmp_path / 'odd.pth', tmp_path / 'again.pth')
    assert path.read_bytes() == before and not (tmp_path / 'again.pth').exists()


def test_faults_end_in_one_line(repo_root, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['strip', str(tmp_path / 'no.pth'), str(tmp_path / 'out.pth')])
    with pytest.raises(SystemExit, match='strip_training_branches: .*no.pth: no such checkpoint'):
        tool(repo_root).main()


def test_help_has_examples(repo_root, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['strip', '--help'])
    with pytest.raises(SystemExit) as stop:
        tool(repo_root).parse_args()
    assert stop.value.code == 0 and 'examples:' in capsys.readouterr().out
