"""The 3D-ReConstNet study: commands, and its tables against plain numpy. No training: a stand-in writes what runs
leave; and how much drawn clouds differ, against scipy."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from scipy.spatial.distance import cdist
from shapenet_hand_world import VIEWS, make_shapenet
from study_modules import study_modules

from mmfusion_plugin.apis.study import Results, Run, Usage, run_all

SEEDS = [0, 1, 2]
KEYS = ('cd', 'emd', 'f_score')
LABELS = {'cd': 'CD only', 'cd-emd': 'CD + EMD', 'diversity': 'CD + EMD, diversity', 'mean-shape': 'mean shape',
          'psgn-mlp': 'CD + EMD, no Gaussian (PSGN-style MLP)', 'nearest-image': 'nearest training image'}  # fmt: skip
DRAWN = [f'{key}_{side}' for key in ('cd', 'sigma') for side in ('front', 'side', 'behind')]


@pytest.fixture
def study(repo_root: Path) -> Iterator[SimpleNamespace]:
    """The project's modules."""
    folder = repo_root / 'projects' / '3D-ReConstNet'
    with study_modules(folder, spread='sample_spread', baseline='score_baseline') as modules:
        modules.size = modules.plan.SIZES['cpu']
        yield modules


def scores_of(name: str) -> np.ndarray:
    """(2, 3): CD, EMD and F-score (all times 100) of two categories."""
    return 100 * np.random.default_rng(list(name.encode())).random((2, 3))


def drawn_of(name: str) -> dict:
    """What ``sample_spread.py`` finds."""
    values = np.random.default_rng(list(name.encode())).random(6)
    return {'samples': 6, **dict.fromkeys(('images_front', 'images_side', 'images_behind'), 9),
            **dict(zip(DRAWN, values.tolist()))}  # fmt: skip


class Stub:
    """Leaves what a run leaves, with scores that follow from its folder's name."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def __call__(self, command: list, work_dir: Path, threads: int) -> Usage:
        self.begun.append(work_dir.name)
        if 'samples' in work_dir.name:
            assert Path(command[3]).is_file(), 'the weights are not there yet'
            (work_dir / 'spread.json').write_text(json.dumps(drawn_of(work_dir.name)))
            return Usage(seconds=1.0, peak_memory_mb=None)
        if 'tools/train.py' in command:
            log = work_dir / '20260101_000000' / 'vis_data' / 'scalars.json'
            log.parent.mkdir(parents=True)
            log.write_text(json.dumps(dict(loss=1.0, time=2.0)) + '\n' + json.dumps(dict(cd=1.0)) + '\n')
            (work_dir / 'iter_300.pth').touch()
        write_report(work_dir / 'scores', scores_of(work_dir.name))
        return Usage(seconds=60.0, peak_memory_mb=None)


def write_report(folder: Path, scores: np.ndarray) -> None:
    """As the metric does, see ``test_a_baseline_as_the_study_reads_it``."""
    folder.mkdir()
    names = ['bench', 'chair', 'mean over categories', 'mean over samples']
    with open(folder / 'categories.csv', 'w', newline='') as file:
        rows = csv.writer(file)
        rows.writerow(['category', 'synset', 'samples', *KEYS])
        for name, values in zip(names, [*scores, scores.mean(axis=0), [0, 0, 0]]):
            rows.writerow([name, '', 7, *values])
    (folder / 'categories.md').write_text('| table |\n\nhow it was measured\n')


def finished(study: SimpleNamespace, folder: Path, names: list | None = None, stub: Stub | None = None) -> Results:
    results = study.runs.open_results(folder / 'cpu.json', study.size)
    runs = study.plan.plan_runs(names or list(LABELS), SEEDS)
    tasks = study.runs.tasks(study.size, runs, folder / 'work')
    run_all(tasks, results, 2, study.runs.score, stub or Stub(), study.runs.summary)
    return results


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('size', ['cpu', 'gpu'])
def test_commands_configure_the_variant(study, size, repo_root, monkeypatch):
    """Each variant's config as the real tool's own code reads its command: alike in all but its losses or its code."""
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    from train import parse_args

    from mmfusion_plugin.engine.launch import apply_train_arguments, load_config

    monkeypatch.chdir(repo_root)
    chosen, cfgs = study.plan.SIZES[size], {}
    for name in study.plan.VARIANTS:
        command = study.plan.training_command(chosen, Run(name, 7), Path('w'))
        monkeypatch.setattr(sys, 'argv', command[1:])
        args = parse_args()
        cfgs[name] = load_config(args)
        apply_train_arguments(cfgs[name], args)
    first = cfgs['cd-emd']
    same = ('train_dataloader', 'val_dataloader', 'val_evaluator', 'train_cfg', 'optim_wrapper', 'param_scheduler')
    changes = {'cd': dict(loss_emd=None), 'cd-emd': {}, 'psgn-mlp': dict(latent='none'),
               'diversity': dict(loss_diversity=dict(type='DiversityLoss', loss_weight=10.0))}  # fmt: skip
    for name, cfg in cfgs.items():
        assert all(cfg[key] == first[key] for key in same), name
        head = first.model.head.to_dict()
        assert cfg.model.to_dict() == {**first.model.to_dict(), 'head': {**head, **changes[name]}}
        assert cfg.randomness.seed == 7 and cfg.work_dir == 'w' and cfg.default_hooks.checkpoint.save_best is None
    train, val = first.train_dataloader.dataset, first.val_dataloader.dataset
    assert train.data_root == val.data_root == f'{chosen.data_root}/' and val.views == list(range(chosen.val_views))
    assert train.num_views == val.num_views == chosen.views and (train.part, val.part) == ('train', 'val')
    evaluator = first.val_evaluator
    assert evaluator.emd == 'exact' and evaluator.out_dir == 'w/scores' and 'align' not in evaluator
    assert evaluator.get('points') in (None, first.model.head.num_points)
    keep = [step.get('keep') for step in train.pipeline if step['type'] == 'LoadCloudTarget']
    assert keep == [512 if size == 'cpu' else None]
    assert study.plan.SIZES[size].checkpoint == ('iter_300.pth' if size == 'cpu' else 'epoch_20.pth')


def test_samples_wait_for_their_training_and_nothing_runs_twice(study, tmp_path):
    stub = Stub()
    finished(study, tmp_path, ['diversity', 'mean-shape', 'cd'], stub)
    trained = [f'{name}_seed{seed}' for seed in SEEDS for name in ('cd', 'diversity', 'diversity-samples')]
    assert sorted(stub.begun) == sorted(['mean-shape_seed0', *trained])
    again = Stub()
    finished(study, tmp_path, ['diversity', 'mean-shape', 'cd'], again)
    assert again.begun == []


def test_a_changed_config_is_noticed(study, tmp_path, monkeypatch):
    finished(study, tmp_path, ['cd-emd', 'mean-shape'])
    before = study.plan.decisive_settings
    monkeypatch.setattr(study.plan, 'decisive_settings', lambda cfg: {**before(cfg), 'optim_wrapper': 'other'})
    with pytest.raises(ValueError, match='config of cd-emd, config of cd-emd-samples') as error:
        study.runs.open_results(tmp_path / 'cpu.json', study.size)
    assert 'mean-shape' not in str(error.value), 'a baseline does not depend on the optimiser'


# --- tables -----------------------------------------------------------------------------------------------------------


def spread(values: np.ndarray, digits: int, sign: str = '') -> str:
    return f'{values.mean():{sign}.{digits}f} ± {values.std(ddof=1):.{digits}f}'


def test_tables_against_numpy(study, tmp_path):
    text = study.table.tables(finished(study, tmp_path).runs)
    each = {name: np.stack([scores_of(f'{name}_seed{seed}') for seed in SEEDS]) for name in LABELS}  # 3 x 2 x 3
    mean = {name: values.mean(axis=1) for name, values in each.items()}
    reference = mean['cd-emd']
    for name in ('cd', 'diversity', 'psgn-mlp'):
        cells = [spread(mean[name][:, i], (2, 2, 1)[i]) for i in range(3)]
        cells += [spread((mean[name] - reference)[:, i], (2, 2, 1)[i], '+') for i in range(3)]
        assert f'| {LABELS[name]} | 0, 1, 2 | {" | ".join(cells)} |' in text
    for name in ('mean-shape', 'nearest-image'):
        once = mean[name][0]
        cells = [f'{once[i]:.{(2, 2, 1)[i]}f}' for i in range(3)]
        cells += [spread(once[i] - reference[:, i], (2, 2, 1)[i], '+') for i in range(3)]
        assert f'| {LABELS[name]} | – | {" | ".join(cells)} |' in text
    chairs = [spread(each[name][:, 1, 0], 2) for name in ('cd', 'cd-emd', 'diversity', 'psgn-mlp')]
    chairs += [f'{each[name][0, 1, 0]:.2f}' for name in ('mean-shape', 'nearest-image')]
    assert f'| chair | {" | ".join(chairs)} |' in text
    drawn = [drawn_of(f'diversity-samples_seed{seed}') for seed in SEEDS]
    found = {key: np.array([one[key] for one in drawn]) for key in DRAWN}
    cells = [spread(100 * found[key], 3) for key in DRAWN[:3]]
    cells.append(spread(100 * (found['cd_behind'] - found['cd_front']), 3, '+'))
    cells += [spread(found[key], 3) for key in DRAWN[3:]]
    assert f'| {LABELS["diversity"]} | 0, 1, 2 | {" | ".join(cells)} |' in text
    assert '6 clouds drawn of each picture; pictures: 9 from front' in text
    assert 'Scored: 7 pictures; how it was measured.' in text and 'Trainings: 12 with 2 at once' in text


def test_unfinished_tables_are_left_out(study, tmp_path):
    results = finished(study, tmp_path, ['nearest-image', 'cd'])
    text = study.table.tables(results.runs)
    assert 'nearest training image' in text and 'sigma' not in text and 'mean shape' not in text
    assert study.table.picture(tmp_path / 'bars.png', results.runs, 'Title').is_file()
    only = study.table.tables([entry for entry in results.runs if entry['variant'] == 'nearest-image'])
    assert '| nearest training image | – |' in only and 'Trainings' not in only


# --- what the runs find -----------------------------------------------------------------------------------------------


def test_a_baseline_as_the_study_reads_it(study, tmp_path, repo_root, monkeypatch):
    """The real command, with the study's own options, on a few models."""
    world = make_shapenet(tmp_path)
    size = study.plan.replace(study.size, data_root=str(world), views=VIEWS, val_views=2)
    command = study.plan.baseline_command(size, 'nearest-image', tmp_path / 'scores')
    monkeypatch.chdir(repo_root)
    monkeypatch.setattr(sys, 'argv', command[1:])
    study.baseline.main()
    report = study.runs.read_report(tmp_path / 'scores')
    rows = list(csv.DictReader(open(tmp_path / 'scores' / 'samples.csv')))
    assert [row['category'] for row in rows] == ['aeroplane', 'aeroplane', 'chair', 'chair'] and report['images'] == 4
    protocol = report['protocol']
    assert '512 predicted and 512 of 1024 true points' in protocol and 'exact assignment' in protocol
    for category in ('aeroplane', 'chair'):
        expected = [np.mean([float(row[key]) for row in rows if row['category'] == category]) / 100 for key in KEYS]
        assert [report['categories'][category][key] for key in KEYS] == pytest.approx(expected)
    assert report['cd'] == pytest.approx(np.mean([each['cd'] for each in report['categories'].values()]))


def test_how_much_clouds_differ(study):
    clouds = torch.rand(4, 30, 3, dtype=torch.float64)
    pairs = [cdist(clouds[i], clouds[j]) for i in range(4) for j in range(i)]
    expected = np.mean([pair.min(axis=0).mean() + pair.min(axis=1).mean() for pair in pairs])
    assert study.spread.pairwise_chamfer(clouds) == pytest.approx(expected)
    rows = [dict(side='front', cd=1.0, sigma=0.5), dict(side='behind', cd=3.0, sigma=0.1),
            dict(side='front', cd=2.0, sigma=0.1)]  # fmt: skip
    found = study.spread.means(rows)
    assert found == dict(images_front=2, cd_front=1.5, sigma_front=0.3, images_side=0, cd_side=None, sigma_side=None,
                         images_behind=1, cd_behind=3.0, sigma_behind=0.1)  # fmt: skip


def test_front_is_where_chairs_face_and_behind_where_the_loss_wants_spread(study):
    from mmfusion_plugin.converters.shapenet_taxonomy import chosen_categories
    from mmfusion_plugin.models.losses import DiversityLoss
    from mmfusion_plugin.synthetic.shapenet_camera import Viewpoint
    from mmfusion_plugin.synthetic.shapenet_shape import draw_shape

    expected = {0: 'front', 44: 'front', 46: 'side', 134: 'side', 136: 'behind', 180: 'behind', 224: 'behind',
                226: 'side', 314: 'side', 316: 'front', 359: 'front', -10: 'front', 540: 'behind'}  # fmt: skip
    assert {degrees: study.spread.side_of(math.radians(degrees)) for degrees in expected} == expected
    assert Viewpoint(0, 30, 0.8).pose()[0, 3] > 0 > Viewpoint(180, 30, 0.8).pose()[0, 3], 'azimuth 0 is before +x'
    backs = []
    for seed in range(20):
        points = draw_shape(chosen_categories(['chair'])[0], np.random.default_rng(seed)).mesh.vertices
        backs.append(points[points[:, 1] > np.quantile(points[:, 1], 0.9), 0].mean())
    assert np.mean(backs) < -0.1, 'what is high of a chair is its back, at -x'
    loss = DiversityLoss(loss_weight=1.0)
    wanted = {degrees: float(loss(torch.zeros(1, 2), torch.tensor([math.radians(degrees)]))) ** 0.5
              for degrees in (0, 90, 135, 180)}  # fmt: skip
    assert wanted[180] == pytest.approx(0.2) and max(wanted[degrees] for degrees in (0, 90, 135)) < 0.002


def test_spread_of_a_network(study, tmp_path, repo_root, monkeypatch):
    """The real command: pictures at 100.5, 190.5 and 280.5 degrees, so none from front."""
    from mmdet3d.registry import MODELS

    cfg = Config.fromfile(repo_root / 'configs/reconstnet/reconstnet-tiny_1xb16_synthetic-shapenet.py')
    cfg.test_dataloader.dataset.update(data_root=f'{make_shapenet(tmp_path)}/', num_views=VIEWS)
    cfg.model.backbone.update(stem_channels=8, base_channels=8)
    cfg.model.head.update(num_points=16, hidden_channels=[16])
    cfg.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'weights.pth')
    options = ['--samples', '3', '--device', 'cpu', '--out', str(tmp_path / 'spread.json')]
    monkeypatch.setattr(sys, 'argv', ['x', str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'), *options])
    study.spread.main()
    found = json.loads((tmp_path / 'spread.json').read_text())
    assert [found[f'images_{side}'] for side in ('front', 'side', 'behind')] == [0, 4, 2] and found['cd_front'] is None
    assert found['samples'] == 3 and found['cd_side'] > 0 and found['sigma_behind'] > 0
