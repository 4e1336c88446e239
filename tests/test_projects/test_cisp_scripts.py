"""What the CISP study measures by scripts of its own: sketches, baselines and paths, against numpy and scipy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from scipy.spatial.distance import cdist
from shapenet_hand_world import CHAIR, CISP, PLANE, VIEWS, make_shapenet, picture, voxels
from study_modules import study_modules

from mmfusion_plugin.apis.gallery import read_gallery
from mmfusion_plugin.apis.gallery_items import Item
from mmfusion_plugin.evaluation.voxel_scores import voxel_cloud

IC3D = 'configs/ic3d/ic3d-tiny_1xb16_synthetic-shapenet-cisp.py'


@pytest.fixture
def scripts(repo_root: Path) -> Iterator[SimpleNamespace]:
    """The project's modules."""
    names = dict(sketch='make_sketches', baseline='score_baseline', paths='score_paths')
    with study_modules(repo_root / 'projects' / 'CISP', **names) as modules:
        init_default_scope('mmdet3d')
        yield modules


# --- sketches ---------------------------------------------------------------------------------------------------------


def test_a_sketch_is_the_outline(scripts):
    image = np.zeros((137, 137, 4), np.uint8)
    image[40:100, 30:110] = (10, 20, 30, 255)
    lines = scripts.sketch.sketch_of(image)
    rows, columns = np.nonzero(lines[..., 3])
    assert set(np.unique(lines[..., 3])) == {0, 255} and not lines[..., :3].any()
    beside = np.minimum(np.minimum(abs(rows - 39.5), abs(rows - 99.5)), np.minimum(abs(columns - 29.5),
                                                                                   abs(columns - 109.5)))  # fmt: skip
    assert beside.max() < 2 and len(rows) > 0.9 * 2 * (60 + 80), 'all round the object, and nowhere else'
    assert not scripts.sketch.sketch_of(np.zeros((20, 20, 4), np.uint8)).any()
    half = np.full((4, 4, 4), 100, np.uint8)
    half[..., 3] = 51  # a fifth
    assert (scripts.sketch.flattened(half) == round(0.2 * 100 + 0.8 * 240)).all()


def test_sketches_stand_where_a_dataset_finds_them(scripts, tmp_path, monkeypatch, repo_root):
    world, out = make_shapenet(tmp_path / 'world'), tmp_path / 'world_sketches'
    options = ['--out', str(out), '--categories', 'airplane', 'chair', '--views', '0', '1']
    monkeypatch.setattr(sys, 'argv', ['x', str(world), *options])
    scripts.sketch.main()
    assert len(list(out.rglob('*.png'))) == 4
    cfg = Config.fromfile(repo_root / 'configs/cisp/cisp-tiny_1xb64_synthetic-shapenet.py')
    cfg.test_dataloader.dataset.update(data_root=f'{world}/', num_views=VIEWS, categories=['airplane', 'chair'],
                                       data_prefix=dict(img='../world_sketches'))  # fmt: skip
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    image = dataset[0]['inputs']['img']
    (name,) = CISP[CHAIR]['test']
    drawn = scripts.sketch.sketch_of(picture(f'{CHAIR}/{name}', 0)[..., [2, 1, 0, 3]])[4:132, 4:132, 3]
    assert len(dataset) == 2 and image.shape == (3, 64, 64) and int(image.max()) == 240
    expected = 240 - 240 * (drawn.reshape(64, 2, 64, 2) > 0).mean(axis=(1, 3))
    assert np.abs(image[0].numpy() - expected).max() <= 1


# --- baselines --------------------------------------------------------------------------------------------------------


def small(world: Path) -> list[str]:
    sets = [f'{split}_dataloader.dataset' for split in ('train', 'val', 'test')]
    return [*(f'{place}.data_root={world}/' for place in sets), *(f'{place}.num_views={VIEWS}' for place in sets),
            *(f'{place}.categories=[airplane,chair]' for place in sets), 'test_evaluator.points=64',
            'test_evaluator.emd=none']  # fmt: skip


def overlap(first: str, second: str) -> float:
    one, other = voxels(first), voxels(second)
    return (one & other).sum() / (one | other).sum()


def test_random_shapes_as_the_study_reads_them(scripts, tmp_path, repo_root, monkeypatch):
    """The real command; a category has one training shape, so that its IoU is known."""
    command = ['x', 'random-category', IC3D, '--out', str(tmp_path / 'scores'), '--cfg-options']
    monkeypatch.chdir(repo_root)
    monkeypatch.setattr(sys, 'argv', [*command, *small(make_shapenet(tmp_path / 'world'))])
    scripts.baseline.main()
    report = scripts.runs.read_report(tmp_path / 'scores')
    known = {'aeroplane': PLANE, 'chair': CHAIR}
    expected = {name: overlap(f'{synset}/{CISP[synset]["train"][0]}', f'{synset}/{CISP[synset]["test"][0]}')
                for name, synset in known.items()}  # fmt: skip
    assert report['categories'] == pytest.approx(expected) and report['pictures'] == 2
    assert report['iou_mean'] == report['iou_best'] == pytest.approx(np.mean(list(expected.values())))
    assert '1 generated per image' in report['protocol'] and '64 points' in report['protocol']
    assert 'nna_cd' not in report, 'one shape of each category has none'
    known = [dict(voxel_path=name, synset='a') for name in 'pqr'] + [dict(voxel_path='s', synset='b')]
    asked = [dict(synset='a', category='a')] * 40
    drawn = scripts.baseline.random_shapes(known, asked, 2, 0, False)
    assert {name for pair in drawn for name in pair} == set('pqrs') and all(len(set(pair)) == 2 for pair in drawn)
    assert {name for pair in scripts.baseline.random_shapes(known, asked, 3, 1, True) for name in pair} == set('pqr')
    with pytest.raises(ValueError, match='3 training shapes of a are not 4'):
        scripts.baseline.random_shapes(known, asked, 4, 0, True)


def test_retrieved_shapes_are_the_nearest(scripts, tmp_path, repo_root, monkeypatch):
    """By the cosine, calculated here; with a network of random weights."""
    world, weights = make_shapenet(tmp_path / 'world'), tmp_path / 'weights.pth'
    embedder = repo_root / 'configs/cisp/cisp-tiny_1xb64_synthetic-shapenet.py'
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(Config.fromfile(embedder).model).state_dict()), weights)
    command = ['x', 'retrieved', IC3D, '--embedder', str(embedder), str(weights), '--samples', '2']
    monkeypatch.chdir(repo_root)
    monkeypatch.setattr(sys, 'argv', [*command, '--out', str(tmp_path / 'scores'), '--cfg-options', *small(world)])
    args = scripts.baseline.parse_args()
    assert scripts.baseline.score(args)['iou_best'] > 0
    gallery = read_gallery(tmp_path / 'scores' / 'gallery.npz')
    assert gallery.kinds.tolist() == ['shape'] * 2 + ['image'] * 2, 'training shapes, and test pictures'
    cfg = scripts.baseline.read_config(IC3D, args.cfg_options)
    asked = scripts.baseline.entries_of(cfg, 'test')
    embedder_cfg = scripts.baseline.read_config(str(embedder), args.cfg_options)
    found = scripts.baseline.retrieved_shapes(embedder_cfg, str(weights), asked, 2, tmp_path / 'scores')
    shapes, pictures = gallery.vectors[:2].astype(float), gallery.vectors[2:].astype(float)
    order = cdist(pictures, shapes, 'cosine').argsort(axis=1)
    assert found == [gallery.paths[:2][row].tolist() for row in order]
    monkeypatch.setattr(sys, 'argv', ['x', 'random', IC3D, '--embedder', 'a', 'b', '--out', 'w', '--cfg-options',
                                      *small(world)])  # fmt: skip
    with pytest.raises(SystemExit, match='for the retrieved shapes alone'):
        scripts.baseline.main()


# --- paths ------------------------------------------------------------------------------------------------------------


def item(synset: str, model: str) -> Item:
    return Item(f'{synset}/{model}/00', 'image', f'{synset}/{model}.png', synset, synset, {})


def test_pairs(scripts):
    pictures = [item(synset, model) for synset in 'xyz' for model in 'abcd']
    pairs = [(pair.kind, pair.first.key[:3], pair.last.key[:3]) for pair in scripts.paths.choose_pairs(pictures, 2)]
    within = [('within', f'{s}/{a}', f'{s}/{b}') for s in 'xyz' for a, b in ('ab', 'cd')]
    across = [('across', f'{s}/{m}', f'{t}/{m}') for s, t in ('xy', 'yz', 'zx') for m in 'ab']
    assert pairs == within + across
    with pytest.raises(ValueError, match='3 pairs'):
        scripts.paths.choose_pairs(pictures, 3)


class Painter:
    """Draws a rod as long as an embedding's first number says."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def look_at(self, path: Path, options: object = None) -> float:
        return float(path.stem)

    def embed(self, seen: float) -> np.ndarray:
        return np.array([seen, 0], np.float32)

    def draw(self, embeddings: np.ndarray, name: str) -> np.ndarray:
        self.names.append(name)
        grids = np.zeros((len(embeddings), 1, 32, 32, 32), bool)
        for grid, (length, _) in zip(grids, embeddings):
            grid[0, : round(length), :3, 0] = True
        return grids


def test_steps_of_a_path(scripts):
    painter = Painter()
    pairs = [scripts.paths.Pair('within', item('x', '4'), item('x', '10')), scripts.paths.Pair('across', item('x', '4'),
                                                                                           item('y', '4'))]  # fmt: skip
    rows = scripts.paths.measure(painter, pairs, 4)
    clouds = [voxel_cloud(painter.draw(np.array([[length, 0]]), '')[0, 0]).double().numpy() for length in (4, 6, 8, 10)]
    apart = [[(cdist(a, b).min(axis=0) ** 2).mean() + (cdist(a, b).min(axis=1) ** 2).mean() for a in clouds]
             for b in clouds]  # fmt: skip
    steps = [100 * apart[n][n + 1] for n in range(3)]
    expected = dict(mean_step=np.mean(steps), max_step=max(steps), ends=100 * apart[0][3])
    assert [(row['mode'], row['kind']) for row in rows] == [('lerp', 'within'), ('slerp', 'within'), ('lerp', 'across'),
                                                           ('slerp', 'across')]  # fmt: skip
    for row in rows[:2]:
        assert {key: row[key] for key in expected} == pytest.approx(expected), row['mode']
    assert all(row[key] == 0 for row in rows[2:] for key in expected), 'equal shapes have equal clouds'
    first, second = painter.names[:2]
    assert first != second and '/' not in first + second, 'each pair has noise of its own'
    found = scripts.paths.means([*rows, dict(rows[0], mean_step=0.0)])
    assert found['lerp_within_mean_step'] == pytest.approx(expected['mean_step'] / 2)
    assert found['slerp_across_ends'] == 0 and found['lerp_empty'] == found['slerp_empty'] == 0 and len(found) == 14


def test_empty_shapes_are_counted(scripts):
    """They all have one cloud, so that a model that draws nothing else would pass for the smoothest of all."""
    pairs = [scripts.paths.Pair('within', item('x', '0'), item('x', '0')),
             scripts.paths.Pair('across', item('x', '0'), item('y', '9'))]  # fmt: skip
    rows = scripts.paths.measure(Painter(), pairs, 4)
    assert [row['empty'] for row in rows] == [1, 1, 0.25, 0.25] and rows[0]['mean_step'] == 0
    assert scripts.paths.means(rows)['slerp_empty'] == 0.625
