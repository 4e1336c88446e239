"""The robustness tool on scans whose answers are known under each condition."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmfusion_plugin.apis import robustness
from mmfusion_plugin.apis.robustness import Model, compare_robustness
from mmfusion_plugin.apis.robustness_conditions import INTACT, VALUES, Condition, conditions_for, num_views
from mmfusion_plugin.apis.robustness_report import TITLES
from mmfusion_plugin.apis.robustness_rows import ROW_KEYS
from mmfusion_plugin.datasets.transforms import DamageViews

from .stub_views import CLASSES, FRAMES, POINTS, POINTS_ALONE, SCANS, WITH_VIEWS, frame_classes, scan_name


@pytest.fixture()
def files(tmp_path: Path) -> Path:
    """Configs ``views.py`` and ``points.py``, checkpoints ``0.pth`` (right) and ``1.pth`` (off by one class)."""
    for name, text in (('views', WITH_VIEWS), ('points', POINTS_ALONE)):
        (tmp_path / f'{name}.py').write_text(text)
    for shift in range(2):
        torch.save(dict(state_dict=dict(shift=torch.tensor([float(shift)])), meta={}), tmp_path / f'{shift}.pth')
    return tmp_path


def model(files: Path, name: str = 'views', shift: int = 0) -> Model:
    return Model(name, str(files / f'{name}.py'), str(files / f'{shift}.pth'))


def answers(views: int, shift: int = 0, **damage: float) -> tuple[float, list[float]]:
    """mIoU and IoU by class, from sets of points and the frames that the damage leaves."""
    truth, predicted = [], []
    for scan in range(SCANS):
        classes = frame_classes(scan)
        shown = DamageViews(**damage)(dict(
            scan_id=scan_name(scan), img=[np.full((4, 6, 3), 1 + c, np.uint8) for c in classes[:views]],
            depth=np.ones((views, 4, 6)), cam2world=np.tile(np.eye(4), (views, 1, 1)), views=np.arange(views)))
        read = [max(int(image[0, 0, 0]) - 1, 0) if depth.any() else 0
                for image, depth in zip(shown['img'], shown['depth'])] + [0] * (FRAMES - views)
        for point in range(POINTS):
            truth.append(classes[point % FRAMES])
            predicted.append((read[point % FRAMES] + shift) % 4)
    ious = []
    for label in range(4):
        is_true = {i for i, value in enumerate(truth) if value == label}
        is_said = {i for i, value in enumerate(predicted) if value == label}
        ious.append(len(is_true & is_said) / len(is_true | is_said))
    return float(np.mean(ious)), ious


def run(files: Path, *models: Model, **values: list) -> dict[tuple, dict]:
    rows = compare_robustness(models, values, files / 'out')
    assert all(set(row) == set(ROW_KEYS) for row in rows)
    return {(row['model'], row['checkpoint'][-5], row['kind'], row['value']): row for row in rows}


def test_each_condition_gives_its_known_answer(files):
    rows = run(files, model(files), model(files, 'points'), views=[1, 8, 0], drop=[0.5], black=[1.0], swap=[0.5],
               pose_noise=[0.1], depth_holes=[1.0])
    expected = {('intact', 0): (4, {}), ('views', 1): (1, {}), ('views', 8): (8, {}), ('views', 0): (0, {}),
                ('drop', 0.5): (4, dict(drop=0.5)), ('black', 1.0): (4, dict(black=1.0)),
                ('swap', 0.5): (4, dict(swap=0.5)), ('pose_noise', 0.1): (4, {}),
                ('depth_holes', 1.0): (0, {})}
    assert len(rows) == len(expected) + 1
    for condition, (views, damage) in expected.items():
        row, (miou, ious) = rows[('views', '0', *condition)], answers(views, **damage)
        assert row['miou'] == pytest.approx(miou)
        assert row['iou'] == pytest.approx(dict(zip(CLASSES, ious)))
        assert row['scans'] == SCANS and row['views'] == (condition[1] if condition[0] == 'views' else 4)
    assert rows[('views', '0', 'views', 8)]['miou'] == 1
    assert len({row['miou'] for row in rows.values()}) > 5  # conditions differ
    points = rows[('points', '0', 'intact', 0)]
    assert points['miou'] == pytest.approx(answers(0)[0]) and points['views'] is None
    assert json.loads((files / 'out/robustness.json').read_text()) == list(rows.values())


@pytest.fixture()
def ran(monkeypatch):
    """The conditions that were really tested."""
    done = []
    real = robustness._Tester.test
    monkeypatch.setattr(robustness._Tester, 'test', lambda self, case: done.append(case) or real(self, case))
    return done


def test_finished_tests_are_not_repeated(files, ran):
    first = run(files, model(files), views=[1], drop=[0.5])
    assert ran == [INTACT, Condition('views', 1), Condition('drop', 0.5)]
    assert run(files, model(files), views=[1, 2], drop=[0.5]).items() >= first.items()
    assert ran[3:] == [Condition('views', 2)]
    torch.save(dict(state_dict=dict(shift=torch.tensor([1.0])), meta={}), files / '0.pth')  # trained again
    again = run(files, model(files), views=[1])
    assert len(ran) == 6 and again['views', '0', 'views', 1]['miou'] == pytest.approx(answers(1, 1)[0])
    compare_robustness([model(files)], dict(views=[1]), files / 'out',
                       {'test_dataloader.dataset.indices': 2, 'test_dataloader.num_workers': 0})
    assert len(ran) == 8  # other data


def test_a_stopped_run_goes_on(files, ran, monkeypatch):
    real = robustness._Tester.test

    def stop(self, case):
        if case.kind == 'drop':
            raise KeyboardInterrupt
        return real(self, case)

    monkeypatch.setattr(robustness._Tester, 'test', stop)
    with pytest.raises(KeyboardInterrupt):
        run(files, model(files), views=[1], drop=[0.5])
    monkeypatch.setattr(robustness._Tester, 'test', real)
    run(files, model(files), views=[1], drop=[0.5])
    assert ran == [INTACT, Condition('views', 1), Condition('drop', 0.5)]


def test_what_is_the_same_is_tested_once(files, ran):
    """As many views as the config has is the intact data; so is a damage of 0; a value asked twice counts once."""
    rows = run(files, model(files), views=[4, 4], drop=[0, 0.0])
    assert ran == [INTACT]
    assert [key[2:] for key in rows] == [('intact', 0), ('views', 4)]


def cells(text: str, title: str) -> dict[str, list[str]]:
    """A table of the page: the first cell of each line and the others."""
    part = text.split(f'## {title}\n')[1].split('## ')[0]
    lines = [line.strip('| ').split(' | ') for line in part.splitlines() if line.startswith('| ')]
    return {line[0]: line[1:] for line in lines}


def test_page_averages_the_checkpoints_of_a_name(files):
    models = [model(files), model(files, shift=1), model(files, 'points'), model(files, 'points', shift=1)]
    run(files, *models, views=[1, 0], drop=[0.5])
    text = (files / 'out/robustness.md').read_text()

    def cell(views: int, **damage: float) -> str:
        values = [100 * answers(views, shift, **damage)[0] for shift in range(2)]
        return f'{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}'

    assert cells(text, TITLES['views'][0]) == {
        'model': ['0', '1'], 'views': [cell(0), cell(1)], 'points': [cell(0)] * 2}
    assert cells(text, TITLES['drop'][0]) == {
        'model': ['0', '0.5'], 'views': [cell(4), cell(4, drop=0.5)], 'points': [cell(0)] * 2}
    assert f'over {SCANS} scans' in text and len(cells(text, 'Checkpoints')) == 3 and 'Depth holes' not in text
    assert text.count('0.pth') == text.count('1.pth') == 2
    assert (files / 'out/robustness.png').stat().st_size > 10_000


def test_points_alone(files):
    run(files, model(files, 'points'), views=[1])
    text = (files / 'out/robustness.md').read_text()
    assert cells(text, TITLES['intact'][0])['points'] == [f'{100 * answers(0)[0]:.1f}']


def test_conditions_of_a_config(files):
    cfg = Config.fromfile(files / 'views.py')
    before = cfg.to_dict()
    conditions = conditions_for(cfg, VALUES)
    assert conditions[0] == INTACT and len(conditions) == 1 + sum(map(len, VALUES.values()))
    assert set(VALUES) <= set(TITLES)
    assert [num_views(cfg, Condition('views', n)) for n in (0, 10)] == [0, 10] and num_views(cfg, INTACT) == 4
    pipeline = Condition('pose_noise', 0.1).apply(cfg).dataset.pipeline
    assert [step.type for step in pipeline] == [
        'stub_views.SelectViews', 'stub_views.LoadViews', 'DamageViews', 'stub_views.Pack']
    assert pipeline[2] == dict(type='DamageViews', pose_translation=0.1, pose_rotation=2.0)
    inner = cfg.test_dataloader.dataset
    wrapped = Config(dict(test_dataloader=dict(dataset=dict(type='RepeatDataset', dataset=inner))))
    assert len(Condition('drop', 0.1).apply(wrapped).dataset.dataset.pipeline) == 4
    assert cfg.to_dict() == before
    assert conditions_for(Config.fromfile(files / 'points.py'), VALUES) == [INTACT]


@pytest.mark.parametrize('values, message', [
    (dict(fog=[1]), "unknown condition 'fog'.*pose_noise"), (dict(drop=[0.2, 20]), 'drop.*20'),
])
def test_wrong_conditions_are_refused_before_any_test(files, ran, values, message):
    with pytest.raises(ValueError, match=message):
        run(files, model(files), **values)
    assert not ran


def test_faults_are_named(files, monkeypatch):
    with pytest.raises(FileNotFoundError, match='2.pth'):
        run(files, model(files, shift=2))
    with pytest.raises(FileNotFoundError, match='boxes.py'):
        run(files, model(files, 'boxes'))
    with pytest.raises(ValueError, match='0.pth is named twice for views'):
        run(files, model(files), model(files))
    torch.save(dict(state_dict=dict(scale=torch.zeros(1)), meta={}), files / '2.pth')
    with pytest.raises(ValueError, match=re.compile('2.pth does not fit .*views.py.*scale', re.DOTALL)):
        run(files, model(files, shift=2))
    (files / 'views.py').write_text(WITH_VIEWS + "model = dict(type='GreyReader')\ndel test_dataloader\n")
    with pytest.raises(ValueError, match='views.py has no test_dataloader'):
        run(files, model(files))
    (files / 'out').mkdir(exist_ok=True)
    for wrong in ('{', '{}', '[1]', '[{"miou": 1}]'):
        (files / 'out/robustness.json').write_text(wrong)
        with pytest.raises(ValueError, match='robustness.json holds no results'):
            run(files, model(files, 'points'))


def test_data_without_labels_are_named(files, monkeypatch):
    monkeypatch.setattr('test_apis.stub_views.frame_classes', lambda scan: np.full(FRAMES, 20))
    (files / 'points.py').write_text(f'{POINTS_ALONE}test_dataloader["dataset"]["metainfo"] = dict(ignore_index=20)')
    with pytest.raises(ValueError, match='no mIoU.*ann_file'):
        run(files, model(files, 'points'))
