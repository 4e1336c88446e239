"""Masks of folders: against discs whose masks are known, stopped and gone on with, with broken files among them."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from PIL import Image

from mmfusion_plugin.apis import make_masks as module
from mmfusion_plugin.apis.make_masks import SHEET, STAMP, MaskOptions, make_masks
from mmfusion_plugin.apis.mask_inferencer import MaskInferencer
from mmfusion_plugin.apis.pixel_placement import find_placement
from mmfusion_plugin.datasets.photographs import read_photograph

from .photograph_models import RESIZE, SIDE, disc, overlap, write_image, write_simnet, write_unet

KEEP = dict(type='Resize', scale=(SIDE, SIDE), keep_ratio=True)
PAD = dict(type='Pad', size=(64, 64))
FLIP = dict(type='RandomFlip', prob=1.0, direction='horizontal')
NO_PICTURE = MaskOptions(pictures=0)


def read(path: Path) -> np.ndarray:
    """A mask, which must be 8 bits of 0 and 255."""
    with Image.open(path) as image:
        assert image.mode == 'L' and image.format == 'PNG'
        values = np.asarray(image)
    assert set(np.unique(values)) <= {0, 255}
    return values > 0


def masks_of(folder: Path) -> list:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*.png') if path.name != SHEET)


@pytest.fixture()
def sheets(tmp_path) -> tuple:
    """Discs of different sizes in a folder and one below it; the true masks by name."""
    known = {}
    for number, (height, width) in enumerate([(96, 128), (128, 96), (96, 128), (50, 40), (400, 300)]):
        name = f'{"oak/" if number % 2 else ""}{number}'
        image, known[name] = disc(height, width, (height // 3, width // 2), min(height, width) // 4)
        write_image(tmp_path / 'sheets' / f'{name}.png', image)
    return tmp_path / 'sheets', known


@pytest.mark.parametrize('transforms', [(RESIZE,), (KEEP,), (KEEP, PAD), (KEEP, FLIP, PAD)],
                         ids=['stretched', 'proportional', 'padded', 'mirrored'])  # fmt: skip
def test_masks_lie_on_the_objects(sheets, tmp_path, transforms):
    folder, known = sheets
    config, checkpoint = write_unet(tmp_path, *transforms)
    options = MaskOptions(batch_size=2, pictures=4 * (FLIP in transforms))
    made = make_masks(folder, config, checkpoint, tmp_path / 'out', options, 'cpu')
    assert masks_of(tmp_path / 'out') == sorted(f'{name}.png' for name in known) and not made.broken
    for name, truth in known.items():
        found = read(tmp_path / 'out' / f'{name}.png')
        assert found.shape == truth.shape and overlap(found, truth) > 0.93, name
        assert made.shares[name] == pytest.approx(found.mean())
    assert (made.sheet is None) == (FLIP not in transforms)


def test_equals_network_and_resizing_by_hand(tmp_path):
    """A U-Net of random weights: its probabilities at the network's size, enlarged by OpenCV, then the threshold."""
    config, checkpoint = write_unet(tmp_path, backbone='UNet')
    image, _ = disc()
    inferencer = MaskInferencer(config, checkpoint, 'cpu')
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    pixels = (torch.from_numpy(small[..., ::-1].astype(np.float32)) - 127.5) / 127.5
    with torch.no_grad():
        chance = inferencer.model.backbone(pixels.permute(2, 0, 1)[None])[0, 0].sigmoid().numpy()
    inferencer.threshold = float(np.median(chance))
    expected = cv2.resize(chance, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    found = inferencer(image)
    # Warping rounds places to a 32nd of a pixel.
    sure = np.abs(expected - inferencer.threshold) > 0.01 * np.ptp(chance)
    assert sure.mean() > 0.7 and 0.3 < found.mean() < 0.7
    np.testing.assert_array_equal(found[sure], (expected > inferencer.threshold)[sure])


def transform_of(*steps: dict):
    init_default_scope('mmdet3d')
    pipeline = Compose([dict(type='TransformImageAndMask', transforms=list(steps))])

    def transform(image: np.ndarray, **more) -> dict:
        return pipeline(dict(img=image, mask=np.ones(image.shape[:2], np.uint8), **more))

    return transform


@pytest.mark.parametrize('steps, expected', [
    ((RESIZE,), [[3, 0, 1], [0, 2, 0.5]]),  # u = 3 u' + 1: pixel centres are integers
    ((dict(type='Resize', scale=(288, 192)),), [[0.5, 0, -0.25], [0, 0.5, -0.25]]),
    ((dict(type='Resize', scale=(72, 48)), FLIP, dict(type='Pad', size=(80, 64))), [[-2, 0, 142.5], [0, 2, 0.5]]),
    ((FLIP,), [[-1, 0, 143], [0, 1, 0]]),
], ids=['smaller', 'larger', 'mirrored and padded', 'mirrored'])  # fmt: skip
def test_placement(steps, expected):
    """Of a photograph of 144 x 96."""
    np.testing.assert_allclose(find_placement(transform_of(*steps), (96, 144), 'c'), expected, atol=2e-3)


@pytest.mark.parametrize('step, words', [
    (dict(type='mmpretrain.CenterCrop', crop_size=40), 'cuts off'),
    (dict(type='mmpretrain.RandomResizedCrop', scale=32), 'cuts off|chance'),
])  # fmt: skip
def test_pipelines_that_lose_pixels_are_refused(step, words):
    with pytest.raises(ValueError, match=words):
        find_placement(transform_of(step), (96, 144), 'c.py')


def test_pipelines_that_move_the_image_alone_are_refused():
    pipeline = Compose([RESIZE])
    with pytest.raises(ValueError, match='c.py resizes or cuts img alone: .*TransformImageAndMask'):
        find_placement(lambda image, **more: pipeline(dict(img=image, mask=image[..., 0] + 1, **more)), (9, 9), 'c.py')
    with pytest.raises(ValueError, match='photograph of 2x9 pixels is too small'):
        find_placement(transform_of(RESIZE), (9, 2), 'c.py')


def test_turned_photographs(tmp_path):
    """The mask fits the photograph as it is shown and as datasets load it, not as it is stored."""
    image, truth = disc(90, 60, (20, 30), 15)
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / 'in').mkdir()
    stored = np.rot90(image[..., ::-1])  # which orientation 6 turns back
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / 'in/turned.jpg', exif=exif, quality=98)
    make_masks(tmp_path / 'in', *write_unet(tmp_path), tmp_path / 'out', NO_PICTURE, 'cpu')
    found = read(tmp_path / 'out/turned.png')
    assert found.shape == truth.shape == read_photograph(tmp_path / 'in/turned.jpg').shape[:2]
    assert overlap(found, truth) > 0.9


def test_batches_change_nothing(sheets, tmp_path):
    config, checkpoint = write_unet(tmp_path, KEEP, backbone='UNet')
    for size in (1, 3):
        options = MaskOptions(0.5, size, pictures=0)
        make_masks(sheets[0], config, checkpoint, tmp_path / str(size), options, 'cpu')
    for name in sheets[1]:
        one, three = (read(tmp_path / f'{size}/{name}.png') for size in (1, 3))
        assert (one != three).mean() < 1e-3, name


def test_goes_on_where_it_was_stopped(sheets, tmp_path, monkeypatch):
    folder, known = sheets
    models, out, written = write_unet(tmp_path), tmp_path / 'out', []
    write = module.write_mask

    def stopped(path, mask):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        return write(path, mask)

    monkeypatch.setattr(module, 'write_mask', stopped)
    with pytest.raises(KeyboardInterrupt):
        make_masks(folder, *models, out, MaskOptions(batch_size=2, pictures=0), 'cpu')
    assert len(masks_of(out)) == 3 and not list(out.rglob('.*'))
    monkeypatch.setattr(module, 'write_mask', write)
    before = {path: path.stat().st_mtime_ns for path in written}
    made = make_masks(folder, *models, out, MaskOptions(batch_size=2, pictures=0), 'cpu')
    assert made.skipped == 3 and len(made.shares) == 2 and len(masks_of(out)) == 5
    assert {path: path.stat().st_mtime_ns for path in written} == before
    assert make_masks(folder, *models, out, NO_PICTURE, 'cpu').skipped == 5


def test_masks_made_otherwise_are_not_mixed(sheets, tmp_path):
    folder, known = sheets
    models, out = write_unet(tmp_path), tmp_path / 'out'
    make_masks(folder, *models, out, NO_PICTURE, 'cpu')
    strict = MaskOptions(0.999, pictures=0)
    with pytest.raises(ValueError, match='made with another threshold .*threshold 0.5.*--overwrite'):
        make_masks(folder, *models, out, strict, 'cpu')
    content = torch.load(models[1], weights_only=True)
    content['state_dict']['backbone.steepness'] += 1
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='made with another weights'):
        make_masks(folder, models[0], tmp_path / 'other.pth', out, NO_PICTURE, 'cpu')
    (out / '1.png').write_text('none of the photographs')
    made = make_masks(folder, *models, out, MaskOptions(0.999, overwrite=True, pictures=0), 'cpu')
    assert made.skipped == 0 and not any(read(out / f'{name}.png').any() for name in known)
    assert (out / '1.png').is_file()


def test_masks_beside_photographs(sheets, tmp_path):
    folder, known = sheets
    models = write_unet(tmp_path)
    with pytest.raises(ValueError, match='would replace photographs of the same name'):
        make_masks(folder, *models, folder, MaskOptions(), 'cpu')
    for skipped in (0, 5):
        made = make_masks(folder, *models, folder, MaskOptions(mask_suffix='_mask.png', pictures=1), 'cpu')
        assert made.skipped == skipped and len(made.shares) == 5 - skipped and made.sheet.parent == folder
    assert len([name for name in masks_of(folder) if name.endswith('_mask.png')]) == 5


@pytest.fixture()
def tool(monkeypatch, capsys):
    """Run ``tools/make_masks.py``; its status, output and errors."""
    def run(*arguments: object) -> tuple:
        monkeypatch.setattr(sys, 'argv', ['make_masks.py', *map(str, arguments)])
        path = Path(__file__).resolve().parents[2] / 'tools/make_masks.py'
        status = runpy.run_path(str(path))['main']()
        text = capsys.readouterr()
        return status, text.out, text.err

    return run


def test_broken_photographs_are_listed_and_not_fatal(sheets, tmp_path, tool):
    folder, known = sheets
    (folder / 'broken.jpg').write_bytes(b'\xff\xd8\xff no photograph')
    (folder / 'empty.png').touch()
    models, out = write_unet(tmp_path), tmp_path / 'out'
    status, text, errors = tool(folder, *models, '--out', out, '--device', 'cpu', '--pictures', 2, '--batch-size', 2)
    lines = [line for line in errors.splitlines() if line.startswith('error: ')]
    assert status == 3 and len(lines) == 2 and 'broken.jpg' in lines[0] and 'empty.png' in lines[1]
    assert '5 masks written' in text and str(out / SHEET) in text and len(masks_of(out)) == 5
    noted = json.loads((out / STAMP).read_text())
    assert [Path(entry['image']).name for entry in noted['broken']] == ['broken.jpg', 'empty.png']
    assert noted['photographs'] == 7 and noted['threshold'] == 0.5
    for name in ('broken.jpg', 'empty.png'):
        (folder / name).unlink()
    status, text, _ = tool(folder, *models, '--out', out, '--device', 'cpu')
    assert status == 0 and '0 masks written' in text and '5 were there' in text


def test_what_cannot_be_done_is_one_line(sheets, tmp_path, tool):
    pytest.importorskip('mmpretrain')
    models, out = write_unet(tmp_path), ('--out', tmp_path / 'out', '--device', 'cpu')
    cases = {
        'is the config of a SIMNet: need one of a UNetSegmentor': (sheets[0], *write_simnet(tmp_path)),
        'cannot be used with': (sheets[0], models[0], write_unet(tmp_path, backbone='UNet', name='other')[1]),
        'none.pth': (sheets[0], models[0], tmp_path / 'none.pth'),
        'no photograph': (tmp_path / 'out2', *models),
        'threshold must lie between 0 and 1': (sheets[0], *models, '--threshold', 1.5),
        'batch_size=0': (sheets[0], *models, '--batch-size', 0),
    }
    (tmp_path / 'out2').mkdir()
    for words, arguments in cases.items():
        status, _, errors = tool(*arguments, *out)
        assert status == 1 and words in errors.splitlines()[-1], (words, errors)
        assert errors.count('error: ') == 1
    assert not (tmp_path / 'out').exists()
