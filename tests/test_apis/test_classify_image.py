"""Photographs to classes, clouds and pictures, with small SIM-Nets of random weights."""

from __future__ import annotations

import csv
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import load_checkpoint
from PIL import Image

from mmfusion_plugin.apis.image_class_inferencer import ImageClassInferencer
from mmfusion_plugin.datasets.photographs import read_photograph

from .photograph_models import CLASSES, SIDE, disc, write_image, write_simnet, write_unet

pytest.importorskip('mmpretrain')
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture()
def tool(monkeypatch, capsys):
    """Run ``tools/classify_image.py``; its status, output and errors."""
    def run(*arguments: object) -> tuple:
        monkeypatch.setattr(sys, 'argv', ['classify_image.py', *map(str, arguments)])
        status = runpy.run_path(str(ROOT / 'tools/classify_image.py'))['main']()
        text = capsys.readouterr()
        return status, text.out, text.err

    return run


@pytest.fixture()
def sheets(tmp_path) -> Path:
    """``images`` and ``masks``, each with ``0.png`` and ``oak/1.png``."""
    for number, name in enumerate(('0', 'oak/1')):
        image, mask = disc(96, 128 - 30 * number, radius=20)
        write_image(tmp_path / f'images/{name}.png', image)
        write_image(tmp_path / f'masks/{name}.png', mask * np.uint8(255))
    return tmp_path


def by_hand(config: Path, checkpoint: Path, root: Path) -> tuple:
    """Scores and points of the first image, by dataset, pipeline and model put together."""
    cfg = Config.fromfile(config)
    (root / 'one.csv').write_text('file\n0.png\n')
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'data_root': str(root), 'ann_file': 'one.csv'})
    model = MODELS.build(cfg.model).eval()
    load_checkpoint(model, str(checkpoint), map_location='cpu')
    sample = dataset[0]
    with torch.no_grad():
        (result,) = model.test_step(pseudo_collate([sample]))
    return result.pred_score.numpy(), sample['inputs'].get('points')


@pytest.mark.parametrize('branches, pack', [
    ('both', {}), ('both', dict(image_source='segmented')), ('image', {}), ('point', {}),
])  # fmt: skip
def test_equals_dataset_pipeline_and_model(sheets, branches, pack):
    config, checkpoint = write_simnet(sheets, branches, pack)
    scores, points = by_hand(config, checkpoint, sheets)
    inferencer = ImageClassInferencer(config, checkpoint, 'cpu')
    image, mask = disc(96, 128, radius=20)
    result = inferencer(image, mask)
    np.testing.assert_allclose(result.scores, scores, atol=1e-6)
    assert inferencer.classes == CLASSES and result.label == scores.argmax() and len(set(scores.tolist())) == 3
    np.testing.assert_array_equal(result.mask, mask)
    if branches == 'image':
        assert result.cloud is None and not inferencer.needs_mask
    else:
        np.testing.assert_array_equal(result.cloud.points, points.numpy())
        assert inferencer.needs_mask and result.cloud.num_foreground > 60
        assert (result.cloud.colours.min(1) >= 180).mean() > 0.8  # the bright disc, but for its seam


def test_files_of_a_folder(sheets, tool):
    models, out = write_simnet(sheets), sheets / 'out'
    status, text, errors = tool(sheets / 'images', '--mask', sheets / 'masks', *models, '--out', out, '--device', 'cpu')
    assert status == 0 and '2 of 2 photographs classified' in text and 'error' not in errors
    found = json.loads((out / 'results.json').read_text())
    rows = list(csv.DictReader((out / 'results.csv').open()))
    assert found['classes'] == list(CLASSES) and not found['broken'] and len(rows) == len(found['images']) == 2
    for name, entry, row in zip(('0', 'oak/1'), found['images'], rows):
        chances = entry['probabilities']
        assert sum(chances.values()) == pytest.approx(1) and entry['class'] == max(chances, key=chances.get)
        assert row['class'] == entry['class'] and row['image'] == entry['image'] == str(sheets / f'images/{name}.png')
        assert {key: float(row[key]) for key in CLASSES} == pytest.approx(chances, abs=1e-6)
        assert set(entry['files']) == {str(out / f'{name}{end}') for end in ('_mask.png', '.ply', '_classes.png')}
        for part in (*entry['files'], entry['class'], f'{100 * chances[entry["class"]]:.1f} %'):
            assert part in text
        truth = np.asarray(Image.open(sheets / f'masks/{name}.png'))
        np.testing.assert_array_equal(np.asarray(Image.open(out / f'{name}_mask.png')), truth)
        assert entry['foreground'] == pytest.approx((truth > 0).mean(), abs=1e-6) and entry['points'] == 60
        assert 0 < entry['foreground_pixels'] < SIDE * SIDE / 2
        assert entry['mask'] == str(sheets / f'masks/{name}.png')
        picture = np.asarray(Image.open(out / f'{name}_classes.png').convert('RGB'))
        assert min(picture.shape[:2]) > 300 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    cloud = trimesh.load(out / '0.ply')
    result = ImageClassInferencer(*models, 'cpu')(*disc(96, 128, radius=20))
    np.testing.assert_array_equal(np.asarray(cloud.vertices, np.float32), result.cloud.points)
    np.testing.assert_array_equal(cloud.colors[:, :3], result.cloud.colours)


def test_the_cloud_is_that_of_the_network_s_image(sheets):
    """Points of ``normalize='image'`` lead back to pixels of the resized photograph, with their colours."""
    import cv2

    image, mask = disc(96, 128, radius=20)
    cloud = ImageClassInferencer(*write_simnet(sheets, 'point'), 'cpu')(image, mask).cloud
    columns = (cloud.points[:, 0] * SIDE + SIDE - 1) / 2
    rows = (SIDE - 1 - cloud.points[:, 1] * SIDE) / 2
    np.testing.assert_allclose(np.stack([columns, rows], 1), cloud.pixels, atol=1e-4)
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(small[cloud.pixels[:, 1], cloud.pixels[:, 0], ::-1], cloud.colours)
    np.testing.assert_allclose(cloud.points[:, 2], cloud.colours.mean(1) / 255, atol=1e-6)


def test_masks_of_a_network_and_of_the_alpha_channel(sheets, tool):
    models, unet = write_simnet(sheets), write_unet(sheets)
    photo = sheets / 'images/0.png'
    status, text, errors = tool(photo, *models, '--unet', *unet, '--out', sheets / 'a', '--device', 'cpu')
    assert status == 0 and 'mask: network' in text, errors
    image, mask = disc(96, 128, radius=20)
    write_image(sheets / 'cut/leaf.png', np.dstack([image, mask * np.uint8(255)]))
    status, text, errors = tool(sheets / 'cut', *models, '--out', sheets / 'b', '--device', 'cpu')
    assert status == 0 and 'mask: alpha channel' in text, errors
    for path in ('a/0_mask.png', 'b/leaf_mask.png'):
        found = np.asarray(Image.open(sheets / path)) > 0
        assert (found & mask).sum() / (found | mask).sum() > (0.9 if path[0] == 'a' else 0.999)
    entries = [json.loads((sheets / name / 'results.json').read_text())['images'][0] for name in 'ab']
    assert [entry['mask'] for entry in entries] == ['network', 'alpha channel']


@pytest.mark.parametrize('line', [
    'a.jpg --mask m CONFIG CKPT --out o', 'a.jpg b.jpg --mask m CONFIG CKPT --out o',
    '--out o --mask m a.jpg CONFIG CKPT',
    '--out o --unet U V a.jpg b.jpg c CONFIG CKPT',
])  # fmt: skip
def test_options_may_stand_anywhere(monkeypatch, line):
    monkeypatch.setattr(sys, 'argv', ['classify_image.py', *line.split()])
    args = runpy.run_path(str(ROOT / 'tools/classify_image.py'))['parse_args']()
    assert (args.config, args.checkpoint, args.out) == ('CONFIG', 'CKPT', Path('o'))
    assert [str(path) for path in args.images] == [word for word in line.split() if word in ('a.jpg', 'b.jpg', 'c')]
    assert (args.mask, args.unet) == ((None, ['U', 'V']) if 'U' in line.split() else (Path('m'), None))


def test_image_models_need_no_mask(sheets, tool):
    photo = sheets / 'images/0.png'
    status, text, errors = tool(photo, *write_simnet(sheets, 'image'), '--out', sheets / 'out', '--device', 'cpu')
    assert status == 0 and 'mask: none' in text, errors
    assert sorted(path.name for path in (sheets / 'out').iterdir()) == ['0_classes.png', 'results.csv', 'results.json']
    whole = dict(type='LoadImageAndMask', missing='whole')
    needs = [ImageClassInferencer(*write_simnet(sheets, *options), 'cpu').needs_mask for options in (
        ('image', dict(image_source='segmented')), ('both', {}), ('both', {}, whole))]  # fmt: skip
    assert needs == [True, True, False]
    assert not ImageClassInferencer(*write_simnet(sheets, foreground='nonblack'), 'cpu').needs_mask


def test_depth_maps_become_z(sheets, tool):
    """Classes with z from depth maps, by the tool and by hand; a photograph without one is listed."""
    image, mask = disc(96, 128, radius=20)
    depth = np.add(*np.mgrid[:96, :128]).astype(np.float32)
    (sheets / 'depths').mkdir()
    np.save(sheets / 'depths/0.npy', depth)
    models = write_simnet(sheets, loader=dict(type='LoadDepthMap', resize=False), z_mode='depth')
    given = (sheets / 'images', '--mask', sheets / 'masks', *models, '--device', 'cpu', '--out', sheets / 'out')
    status, _, errors = tool(*given, '--depth', sheets / 'depths')
    assert status == 3 and 'oak/1.png has no depth map' in errors, errors
    (entry,) = json.loads((sheets / 'out/results.json').read_text())['images']
    inferencer = ImageClassInferencer(*models, 'cpu')
    result = inferencer(image, mask, depth_path=sheets / 'depths/0.npy')
    assert inferencer.needs_depth and result.cloud.z_name == 'depth'
    np.testing.assert_allclose(list(entry['probabilities'].values()), result.scores, rtol=1e-5)
    places = result.cloud.pixels @ [128 / SIDE, 96 / SIDE]  # in the photograph, where depth is column + row
    assert np.corrcoef(places, result.cloud.points[:, 2])[0, 1] > 0.999, 'z is depth, not brightness'
    with pytest.raises(ValueError, match='leaf.png has no depth map'):
        inferencer(image, mask, 'leaf.png')


def test_empty_masks(sheets):
    """Kept, they give no points; a config may take the whole image instead, which then is the mask used."""
    image, mask = disc(96, 128, radius=20)
    kept = ImageClassInferencer(*write_simnet(sheets), 'cpu')(image, np.zeros_like(mask))
    assert not kept.mask.any() and kept.cloud.num_foreground == 0 and np.isfinite(kept.scores).all()
    loader = dict(type='LoadImageAndMask', empty='whole')
    whole = ImageClassInferencer(*write_simnet(sheets, loader=loader), 'cpu')(image, np.zeros_like(mask))
    assert whole.mask.all() and whole.cloud.num_foreground == SIDE * SIDE


def test_photographs_that_cannot_be_classified_are_listed(sheets, tool):
    models, out = write_simnet(sheets), ('--out', sheets / 'out', '--device', 'cpu')
    (sheets / 'masks/oak/1.png').unlink()
    (sheets / 'images/2.jpg').write_bytes(b'\xff\xd8\xff')
    image, mask = disc(50, 60)
    write_image(sheets / 'images/3.png', image)
    write_image(sheets / 'masks/3.png', mask[:40] * np.uint8(255))
    status, text, errors = tool(sheets / 'images', '--mask', sheets / 'masks', *models, *out)
    lines = [line for line in errors.splitlines() if line.startswith('error: ')]
    assert status == 3 and '1 of 4 photographs classified' in text and len(lines) == 3
    for line, words in zip(lines, ('2.jpg', '3.png is 60x40, not 60x50 as', 'masks/oak/1.png is missing')):
        assert words in line
    status, text, errors = tool(sheets / 'images/0.png', *models, *out)
    assert status == 1 and '0.png has no mask, but this model looks at the object alone: give one (--mask)' in errors


def test_what_cannot_be_done_is_one_line(sheets, tool):
    models, photos, mask = write_simnet(sheets), sheets / 'images', sheets / 'masks/0.png'
    depth = write_simnet(sheets, name='deep', loader=dict(type='LoadDepthMap'))
    cases = {
        'one mask for 2 photographs': (photos, '--mask', mask, *models),
        'there is no mask': (photos, '--mask', sheets / 'none', *models),
        'choose one of them': (photos / '0.png', '--mask', mask, *models, '--unet', *write_unet(sheets)),
        'is the config of a UNetSegmentor: need one of a SIMNet': (photos, *write_unet(sheets)),
        'takes z from depth maps': (photos, *depth),
        'is neither an image nor a folder': (sheets / 'nowhere', *models),
        'none.py': (photos, sheets / 'none.py', models[1]),
    }
    for words, arguments in cases.items():
        status, _, errors = tool(*arguments, '--out', sheets / 'out', '--device', 'cpu')
        assert status == 1 and words in errors.splitlines()[-1] and errors.count('error: ') == 1, (words, errors)
    status, _, errors = tool(photos, '--mask', sheets / 'masks', *models, '--out', photos)
    assert status == 1 and 'would lie among photographs or masks' in errors


def test_clear_errors(sheets):
    image, mask = disc()
    models = write_simnet(sheets)
    inferencer = ImageClassInferencer(*models, 'cpu')
    with pytest.raises(ValueError, match='leaf.png has no mask'):
        inferencer(image, name='leaf.png')
    with pytest.raises(ValueError, match=r'mask of leaf.png must be \(96, 128\)'):
        inferencer(image, mask[:9], 'leaf.png')
    with pytest.raises(TypeError, match='uint8, got float64'):
        inferencer(image / 255, mask)
    with pytest.raises(ValueError, match=r'random weights.*tools/train.py .*simnet.py'):
        ImageClassInferencer(models[0], None)
    inferencer.classes = CLASSES[:2]
    with pytest.raises(ValueError, match='3.* scores, but there are 2 classes'):
        inferencer(image, mask)


def test_photographs_are_read_as_they_are_shown(sheets, tool):
    """EXIF orientation 6: classes and mask are those of the turned photograph."""
    image, mask = disc(90, 60, (20, 30), 15)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(np.rot90(image[..., ::-1]))
    Image.fromarray(stored).save(sheets / 'turned.jpg', exif=exif)
    write_image(sheets / 'turned_mask.png', mask * np.uint8(255))
    models, out = write_simnet(sheets), sheets / 'out'
    status, _, errors = tool(sheets / 'turned.jpg', '--mask', sheets / 'turned_mask.png', *models, '--out', out,
                             '--device', 'cpu')
    assert status == 0, errors
    expected = ImageClassInferencer(*models, 'cpu')(read_photograph(sheets / 'turned.jpg'), mask)
    entry = json.loads((out / 'results.json').read_text())['images'][0]
    np.testing.assert_allclose([entry['probabilities'][name] for name in CLASSES], expected.scores, atol=1e-6)
    assert (expected.cloud.colours > 150).mean() > 0.8
