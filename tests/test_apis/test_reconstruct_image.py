"""Pictures to clouds, with small ReConstNets of random weights: equal to dataset and model; files; resuming; faults."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import load_checkpoint
from PIL import Image
from shapenet_hand_world import CHAIR, make_shapenet, write_obj
from shapenet_hand_world import MODELS as IDS

from mmfusion_plugin.apis import reconstruct_image, reconstruction_files
from mmfusion_plugin.apis.shape_inferencer import ShapeInferencer
from mmfusion_plugin.datasets.object_images import fit_object, read_object_image
from mmfusion_plugin.evaluation import ReconstructionMetric

from .photograph_models import write_unet
from .shape_models import HEAD, PHOTOGRAPHS, POINTS, stool, write_reconstnet
from .voxel_models import ROOT, command

pytest.importorskip('mmpretrain')
TOOL = 'tools/reconstruct_image.py'


@pytest.fixture()
def tool(monkeypatch, capsys):
    return command(TOOL, monkeypatch, capsys)


@pytest.fixture()
def photos(tmp_path) -> Path:
    """``photos`` with a picture before a plain ground and a cut-out one, ``masks``, and true shapes."""
    image, mask = stool()
    for name in ('photos/deep', 'masks/deep', 'truths/deep'):
        (tmp_path / name).mkdir(parents=True)
    Image.fromarray(image).save(tmp_path / 'photos/plain.png')
    alpha = mask * np.uint8(255)
    Image.fromarray(np.dstack([image, alpha])).save(tmp_path / 'photos/deep/cut.png')
    for name in ('plain', 'deep/cut'):
        Image.fromarray(alpha).save(tmp_path / f'masks/{name}.png')
    write_obj(tmp_path / 'truths/plain.obj')
    np.save(tmp_path / 'truths/deep/cut.npy', np.random.default_rng(0).uniform(-0.5, 0.5, (100, 3)))
    return tmp_path


def by_hand(config: Path, checkpoint: Path, image: np.ndarray) -> np.ndarray:
    """Cloud of an image ``(H, W, 3)`` uint8 BGR as the network sees it."""
    model = MODELS.build(Config.fromfile(config).model).eval()
    load_checkpoint(model, str(checkpoint), map_location='cpu')
    pixels = torch.from_numpy(image.transpose(2, 0, 1)[::-1].copy()).float()
    with torch.no_grad():
        return model(dict(img=(pixels[None] - 127.5) / 127.5))[0].numpy()


def assert_picture(path: Path, width: int) -> None:
    picture = np.asarray(Image.open(path).convert('RGB'))
    assert picture.shape[1] > width and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_renderings_equal_dataset_and_model(tmp_path, tool):
    """The tool's clouds, samples and scores of a rendering are those of dataset, model and metric."""
    root = make_shapenet(tmp_path / 'shapenet')
    config, weights = write_reconstnet(tmp_path, num_samples=3, num_points=1024)
    cfg = Config.fromfile(config)
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'data_root': str(root), 'part': 'val', 'num_views': 3,
                              'categories': ['chair']})  # fmt: skip
    model = MODELS.build(cfg.model).eval()
    load_checkpoint(model, str(weights), map_location='cpu')
    with torch.no_grad():
        (sample,) = model.test_step(pseudo_collate([dataset[1]]))
    metric = ReconstructionMetric(align='icp', points=1024, score_samples=False)
    metric.process(None, [sample.to_dict()])
    picture = root / 'ShapeNetRendering' / CHAIR / IDS[CHAIR][2] / 'rendering/01.png'
    truth = root / 'ShapeNet_pointclouds' / CHAIR / IDS[CHAIR][2] / 'pointcloud_1024.npy'
    status, text, errors = tool(picture, config, weights, '--rendering', '--truth', truth, '--align', 'icp', '--out',
                                tmp_path / 'out')  # fmt: skip
    assert status == 0, errors
    np.testing.assert_allclose(np.load(tmp_path / 'out/01.npy'), sample.pred_points, atol=1e-6)
    (entry,) = json.loads((tmp_path / 'out/results.json').read_text())['images']
    for key in ('cd', 'emd', 'f_score'):
        assert entry['scores'][key] == pytest.approx(metric.results[0][key], rel=1e-4)
    assert f'CD {metric.results[0]["cd"]:.2f}' in text and 'aligned by ICP' in text and 'taken as a rendering' in text
    assert not (tmp_path / 'out/01_samples.npy').exists() and entry['spread'] is None
    assert_picture(tmp_path / 'out/01_turntable.png', 1200)


@pytest.mark.parametrize('steps, options', [
    ((dict(type='LoadRendering'),), dict(size=128, longest=93, background=0)),
    ((dict(type='LoadRendering', background=240, size=224),), dict(size=224, longest=162, background=240)),
    (PHOTOGRAPHS, dict(size=64, longest=40, background=240)),
])  # fmt: skip
def test_any_picture_is_fitted_as_the_config_s_are(photos, steps, options):
    config, weights = write_reconstnet(photos, steps)
    inferencer = ShapeInferencer(config, weights, 'cpu')
    image, mask = stool()
    found = inferencer(np.ascontiguousarray(image[..., ::-1]), mask, 'a.png')
    expected = fit_object(image[..., ::-1], mask, **options)
    np.testing.assert_array_equal(found.image, expected[..., ::-1])
    np.testing.assert_allclose(found.points, by_hand(config, weights, expected), atol=1e-5)
    assert found.samples is None and found.spread is None and found.points.std() > 0.05


def test_files_of_a_folder(photos, tool):
    """Masks, plain ground and alpha lead to one object; the files are what was predicted."""
    models = write_reconstnet(photos)
    runs = dict(mask=('--mask', photos / 'masks'),
                plain=('--samples', 5, '--seed', 3, '--truth', photos / 'truths'))  # fmt: skip
    for name, more in runs.items():
        status, text, errors = tool(photos / 'photos', *models, *more, '--out', photos / name)
        assert status == 0 and '2 of 2 pictures reconstructed' in text, errors
    found = json.loads((photos / 'plain/results.json').read_text())
    assert [found[key] for key in ('prediction', 'samples', 'seed', 'broken')] == ['mean', 5, 3, []]
    assert [entry['object'] for entry in found['images']] == ['alpha', 'background']
    words = '64 predicted and 64 of 64 to 100 true points; 5 clouds drawn per image; thinned at random, seed 0;'
    assert found['table'] in text and words in found['table']
    image, mask = stool()
    for entry, name in zip(found['images'], ('deep/cut', 'plain')):
        assert entry['foreground'] == pytest.approx(mask.mean(), abs=1e-6) and entry['points'] == POINTS
        stem = photos / 'plain' / name
        points, samples, spread = (np.load(f'{stem}{end}.npy') for end in ('', '_samples', '_spread'))
        np.testing.assert_array_equal(points, np.load(photos / 'mask' / f'{name}.npy'))
        np.testing.assert_allclose(points, by_hand(*models, fit_object(image[..., ::-1], mask)), atol=1e-5)
        assert samples.shape == (5, POINTS, 3) and samples.std(axis=0).max() > 0.01
        np.testing.assert_allclose(spread, np.sqrt(samples.var(axis=0, ddof=1).sum(axis=1)), rtol=1e-5)
        assert entry['spread'] == pytest.approx(spread.mean(), rel=1e-5)
        np.testing.assert_allclose([entry['low'], entry['high']], [points.min(0), points.max(0)], rtol=1e-6)
        cloud = trimesh.load(f'{stem}.ply')
        np.testing.assert_array_equal(np.asarray(cloud.vertices, np.float32), points)
        warm = cloud.colors[:, :3].astype(int)
        assert tuple(warm[spread.argmax()]) != tuple(warm[spread.argmin()])
        assert {Path(file).name for file in entry['files']} == {Path(f'{name}{end}').name for end in (
            '.npy', '.ply', '_samples.npy', '_spread.npy', '_samples.png', '_turntable.png')}  # fmt: skip
        assert_picture(Path(f'{stem}_turntable.png'), 1200)
        assert_picture(Path(f'{stem}_samples.png'), 1200)
        scores = entry['scores']
        assert scores['cd_best'] <= scores['cd_mean'] and 0 <= scores['f_score'] <= 100 and scores['emd'] > 0


def test_seeds(photos):
    """The same seed and name give the same samples, in whatever folder and order; another seed gives others."""
    models = write_reconstnet(photos)
    image, mask = stool()
    first, again, other = (ShapeInferencer(*models, 'cpu', 4, seed) for seed in (1, 1, 2))
    expected = first(image, mask, 'one/a.png').samples
    again(image, mask, 'b.png')
    np.testing.assert_array_equal(again(image, mask, 'two/a.png').samples, expected)
    assert np.abs(other(image, mask, 'a.png').samples - expected).max() > 0.01
    np.testing.assert_array_equal(other(image, mask, 'a.png').points, first(image, mask, 'a.png').points)


def test_a_second_run_keeps_what_would_be_made_again(photos, tool, monkeypatch):
    models, made = write_reconstnet(photos), []
    original = ShapeInferencer.reconstruct
    monkeypatch.setattr(ShapeInferencer, 'reconstruct', lambda self, seen: made.append(seen) or original(self, seen))
    for name in ('turntable_picture', 'samples_picture'):  # they take most of the time
        monkeypatch.setattr(reconstruction_files, name, lambda path, *_: Path(path).touch() or Path(path))
    out, folder = photos / 'out', photos / 'photos'

    def run(*more: object) -> int:
        made.clear()
        status, _, errors = tool(folder, *models, '--out', out, *more)
        assert status == 0, errors
        return len(made)

    assert run() == 2 and run() == 0
    results = json.loads((out / 'results.json').read_text())
    assert len(results['images']) == 2 and all(Path(file).is_file() for file in results['images'][0]['files'])
    (out / 'plain.ply').unlink()
    assert run() == 1 and run() == 0
    Image.fromarray(stool()[0][:, ::-1]).save(folder / 'plain.png')
    assert run() == 1
    assert run('--samples', 2) == 2 and run('--samples', 2, '--seed', 1) == 2 and run('--samples', 2, '--seed', 1) == 0
    assert run('--truth', photos / 'truths') == 2
    (out / 'plain_shape.json').write_text('{')
    assert run('--truth', photos / 'truths') == 1
    weights = torch.load(models[1])
    weights['state_dict']['head.mean.bias'] += 1
    torch.save(weights, models[1])
    assert run('--truth', photos / 'truths') == 2


def test_pictures_that_cannot_be_reconstructed_are_listed(photos, tool):
    models, folder = write_reconstnet(photos), photos / 'photos'
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / 'noise.png')
    (folder / 'broken.jpg').write_bytes(b'\xff\xd8\xff')
    Image.fromarray(np.full((30, 30, 3), 255, np.uint8)).save(folder / 'white.png')
    status, text, errors = tool(folder, *models, '--out', photos / 'out')
    lines = sorted(line for line in errors.splitlines() if line.startswith('error: '))
    assert status == 3 and '2 of 5 pictures reconstructed' in text and len(lines) == 3
    for line, words in zip(lines, ('broken.jpg is no complete image', 'noise.png has no alpha channel and no plain',
                                   'white.png: no object is to be found')):  # fmt: skip
        assert words in line
    np.save(photos / 'few.npy', np.zeros((9, 3)))
    status, _, errors = tool(folder / 'plain.png', *models, '--truth', photos / 'few.npy', '--out', photos / 'out')
    assert status == 1 and 'few.npy has 9 points, but 64 are compared' in errors
    status, _, errors = tool(folder / 'plain.png', *models, '--truth', photos / 'masks', '--out', photos / 'out')
    assert status == 1 and 'has no true shape in' in errors and '.npy, .obj' in errors


def test_what_cannot_be_done_is_one_line(photos, tool):
    models, folder, one = write_reconstnet(photos), photos / 'photos', photos / 'photos/plain.png'
    certain = write_reconstnet(photos, name='certain', latent='none')
    bare = write_reconstnet(photos, (dict(type='LoadImageFromFile'),), name='bare')
    pix3d = write_reconstnet(photos, PHOTOGRAPHS, name='pix3d')
    cases = {
        'one mask for 2 photographs': (folder, '--mask', photos / 'masks/plain.png', *models),
        'is one shape for 2 pictures': (folder, '--truth', photos / 'truths/plain.obj', *models),
        'there is no mask': (one, '--mask', photos / 'none', *models),
        'there is no true shape': (one, '--truth', photos / 'none', *models),
        'is no shape: need one of .npy': (one, '--truth', one, *models),
        'truths/deep/cut.npy is the place of a true shape': (
            folder / 'deep/cut.png', '--truth', photos / 'truths/deep/cut.npy', '--out', photos / 'truths/deep',
            *models),
        'truths/plain.npy is the place of a true shape': (
            one, '--truth', photos / 'truths', '--out', photos / 'truths', *models),
        'is no turn': (one, '--truth-turn', 'x,y', *models),
        'need two samples or more': (one, '--samples', 1, *models),
        'has a code without spread': (one, '--samples', 3, *certain),
        'neither LoadRendering nor FitObject': (one, *bare),
        'pix3d.py loads no renderings': (one, '--rendering', *pix3d),
        'leave out --mask or --rendering': (one, '--rendering', '--mask', photos / 'masks', *models),
        'tolerance must lie within': (one, '--tolerance', 300, *models),
        "up must be one of +x, -x": (one, '--up', 'y', *models),
        'pipeline ends in PackShapeInputs': (one, *write_unet(photos)),
        'cannot be used with': (one, models[0], write_reconstnet(photos, name='wide', fc_channels=20)[1]),
        'is neither an image nor a folder': (photos / 'nowhere', *models),
        'would lie among photographs': (folder, *models, '--out', folder),
    }
    for words, arguments in cases.items():
        out = () if '--out' in arguments else ('--out', photos / 'out')
        status, _, errors = tool(*arguments, *out)
        assert status == 1 and words in errors.splitlines()[-1] and errors.count('error: ') == 1, (words, errors)


def test_samples_of_a_config_without_are_those_asked_for(photos):
    """A head that draws at test gives a sample as its prediction, as the config says."""
    drawn = ShapeInferencer(*write_reconstnet(photos, test_mode='sample', num_samples=9), 'cpu', 2, 5)
    image, mask = stool()
    found = drawn(image, mask, 'a.png')
    assert drawn.prediction == 'sample' and found.samples.shape == (2, HEAD['num_points'], 3)
    np.testing.assert_array_equal(found.points, found.samples[0])


def test_pictures_before_a_transparent_ground(photos):
    """Hidden pixels under a transparent ground are shown as a plain one, and never seen by the network."""
    image, mask = stool()
    hidden = np.where(mask[..., None], image, np.random.default_rng(1).integers(0, 256, image.shape)).astype(np.uint8)
    Image.fromarray(np.dstack([hidden, mask * np.uint8(255)])).save(photos / 'hidden.png')
    found = read_object_image(str(photos / 'hidden.png'))
    inferencer = ShapeInferencer(*write_reconstnet(photos), 'cpu')
    shape = inferencer(found.image, found.mask, 'hidden.png')
    np.testing.assert_array_equal(shape.image, inferencer(image[..., ::-1].copy(), mask, 'x').image)
    results = reconstruct_image.reconstruct_images(inferencer, [photos / 'hidden.png'], photos / 'out')
    assert results['images'][0]['object'] == 'alpha' and results['table'] is None
    drawn = cv2.imread(str(photos / 'out/hidden_turntable.png'))
    panel = drawn[100:320, 20:280].reshape(-1, 3)
    assert (panel == 235).all(axis=1).mean() > 0.3


@pytest.mark.parametrize('line', [
    'a.png --mask m CONFIG CKPT --out o --samples 4', '--out o --holes a.png CONFIG CKPT --up=-x',
])  # fmt: skip
def test_options_may_stand_anywhere(monkeypatch, line):
    monkeypatch.setattr(sys, 'argv', [TOOL, *line.split()])
    args = runpy.run_path(str(ROOT / TOOL))['parse_args']()
    assert (args.config, args.checkpoint, args.out, args.images) == ('CONFIG', 'CKPT', Path('o'), [Path('a.png')])
    assert (args.samples, args.up) == ((4, '+y') if 'samples' in line else (0, '-x'))
