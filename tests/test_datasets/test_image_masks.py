"""Masks from files of any format, what happens without a sound one, and maps that move as their image does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet3d.registry import TRANSFORMS
from PIL import Image, features

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.mask_files import read_mask
from mmfusion_plugin.datasets.tally import Tally

HEIGHT, WIDTH = 24, 40
ROW, COLUMN = np.mgrid[:HEIGHT, :WIDTH]
DISC = (ROW - 10) ** 2 + (COLUMN - 22) ** 2 < 60
WHITE = DISC * np.uint8(255)


def indexed(values: np.ndarray, colours: list[int]) -> Image.Image:
    image = Image.fromarray(values.astype(np.uint8), 'P')
    image.putpalette(colours + [0] * (768 - len(colours)))
    return image


def with_alpha(colour: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([colour, alpha]).astype(np.uint8))


CLASSES = np.where(DISC, 15, 0)
CLASSES[:3] = 255  # void
PALETTE = sum(([i * 37 % 256, i * 91 % 256, i * 11 % 256] for i in range(256)), [])  # 0 is black, all others are not
PHOTO = np.stack([ROW * 9, COLUMN * 6, ROW + COLUMN], 2)
FORMATS: dict[str, Callable[[], Image.Image]] = {
    'grey.png': lambda: Image.fromarray(WHITE),
    'ones.png': lambda: Image.fromarray(DISC.astype(np.uint8)),
    'bits.png': lambda: Image.fromarray(WHITE).convert('1'),
    'deep.png': lambda: Image.fromarray(DISC.astype(np.uint16) * 300),
    'colour.png': lambda: Image.fromarray(np.dstack([WHITE * 0, WHITE * 0, WHITE])),
    'cut_out.png': lambda: with_alpha(PHOTO, WHITE),
    'opaque.png': lambda: with_alpha(np.dstack([WHITE] * 3), np.full_like(WHITE, 255)),
    'grey_alpha.png': lambda: with_alpha(WHITE, WHITE),
    'palette.png': lambda: indexed(DISC * 7, PALETTE),
    'inverse_palette.png': lambda: indexed(~DISC, [255, 255, 255, 0, 0, 0]),
    'grey.jpg': lambda: Image.fromarray(WHITE),
    'colour.jpg': lambda: Image.fromarray(np.dstack([WHITE] * 3)),
    'grey.tif': lambda: Image.fromarray(WHITE),
    'float.tif': lambda: Image.fromarray(DISC.astype(np.float32) * 0.3),
    'grey.bmp': lambda: Image.fromarray(WHITE),
    'grey.gif': lambda: Image.fromarray(WHITE),
    'palette.gif': lambda: indexed(DISC * 3, PALETTE),
    'colour.webp': lambda: Image.fromarray(np.dstack([WHITE] * 3)),
    'ones.webp': lambda: Image.fromarray(np.dstack([DISC.astype(np.uint8)] * 3)),
}


@pytest.mark.parametrize('name', sorted(FORMATS))
def test_formats(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    FORMATS[name]().save(path, **(dict(lossless=True) if name.endswith('webp') else {}))
    mask = read_mask(str(path))
    assert mask.dtype == np.uint8 and mask.shape == DISC.shape
    wrong = mask != DISC
    # JPEG may be off by a pixel at the outline.
    outline = cv2.morphologyEx(DISC.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    assert not (wrong & ~outline).any() and (name.endswith('jpg') or not wrong.any())


@pytest.mark.parametrize('name, options', [
    ('mask.jpg', dict(quality=40)), ('mask.webp', dict(quality=80)), ('mask.tif', dict(compression='jpeg', quality=40)),
    ('mask.webp', dict(quality=30, exif=Image.Exif().tobytes())), ('mask.avif', dict(quality=30)),
])  # fmt: skip
def test_noise_of_compression_is_no_foreground(name: str, options: dict, tmp_path: Path) -> None:
    """A striped disc; there are traces of it where it is not."""
    if name == 'mask.avif' and not features.check('avif'):
        pytest.skip('this Pillow writes no AVIF')
    row, column = np.mgrid[:96, :96]
    mask = ((row - 40) ** 2 + (column - 45) ** 2 < 25**2) & ((row + 2 * column) % 23 > 4)
    Image.fromarray(np.dstack([mask * np.uint8(255)] * 3)).save(tmp_path / name, **options)
    far = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    found = read_mask(str(tmp_path / name)) > 0
    assert not found[far].any() and (found == mask).mean() > 0.98
    assert read_mask(str(tmp_path / name), threshold=0)[far].sum() > 50, 'a rule that is given is kept'


def test_opacity_of_lossy_files_is_taken_as_it_is(tmp_path: Path) -> None:
    alpha = np.where(DISC, 90, 0)
    with_alpha(PHOTO, alpha).save(tmp_path / 'cut.webp', quality=80)
    np.testing.assert_array_equal(read_mask(str(tmp_path / 'cut.webp')), DISC)


def test_rules(tmp_path: Path) -> None:
    path = str(tmp_path / 'voc.png')
    indexed(CLASSES, PALETTE).save(path)
    np.testing.assert_array_equal(read_mask(path), CLASSES > 0)
    np.testing.assert_array_equal(read_mask(path, background=(0, 255)), CLASSES == 15)
    np.testing.assert_array_equal(read_mask(path, values=[255]), CLASSES == 255)
    trimap = np.where(DISC, 1, 2)
    trimap[:, 22] = 3
    Image.fromarray(trimap.astype(np.uint8)).save(tmp_path / 'pet.png')
    np.testing.assert_array_equal(read_mask(str(tmp_path / 'pet.png'), values=(1,)), trimap == 1)
    np.testing.assert_array_equal(read_mask(str(tmp_path / 'pet.png'), values=(1, 3)), trimap != 2)
    np.testing.assert_array_equal(read_mask(str(tmp_path / 'pet.png'), threshold=2), trimap == 3)
    big = np.kron(DISC, np.ones((8, 8), bool))
    colours = np.where(big[..., None], [180, 40, 90], [0, 0, 254]).astype(np.uint8)
    Image.fromarray(colours).save(tmp_path / 'flower.jpg', quality=90)
    found = read_mask(str(tmp_path / 'flower.jpg'), background_colour=(0, 0, 254), tolerance=100)
    assert (found != big).mean() < 0.01


def test_broken_files_and_rules(tmp_path: Path) -> None:
    path = tmp_path / 'mask.png'
    with pytest.raises(CorruptDataError, match='mask.png is missing'):
        read_mask(str(path))
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8)).save(path)
    with pytest.raises(CorruptDataError, match='mask.png has colours'):
        read_mask(str(path), values=[1])
    content = path.read_bytes()
    for part in (b'', b'text', content[: len(content) // 2]):
        path.write_bytes(part)
        with pytest.raises(CorruptDataError, match='mask.png is no complete image'):
            read_mask(str(path))
    with pytest.raises(ValueError, match='values and background'):
        read_mask(str(path), values=[1], background=[0])
    with pytest.raises(ValueError, match='colour_of_sky'):
        TRANSFORMS.build(dict(type='LoadImageAndMask', mask_rule=dict(colour_of_sky=3)))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    paths = dict(img_path=str(tmp_path / 'sheet.png'), mask_path=str(tmp_path / 'mask.png'), sample_idx=0)
    Image.fromarray(PHOTO.astype(np.uint8)).save(paths['img_path'])
    Image.fromarray(WHITE).save(paths['mask_path'])
    return paths


def loader(**kwargs: Any) -> Any:
    return TRANSFORMS.build(dict(type='LoadImageAndMask', **kwargs))


def test_loading(files: dict) -> None:
    results = loader()(dict(files))
    np.testing.assert_array_equal(results['img'][..., ::-1], PHOTO)
    np.testing.assert_array_equal(results['mask'], DISC)
    assert results['mask'].dtype == np.uint8 and results['mask_state'] == 'given'
    assert results['img_shape'] == results['ori_shape'] == (HEIGHT, WIDTH)
    np.testing.assert_array_equal(loader(mask_rule=dict(values=[0]))(dict(files))['mask'], ~DISC)
    own = loader(mask_rule=dict(values=[0]))(dict(files, mask_rule=dict(values=[255])))
    np.testing.assert_array_equal(own['mask'], DISC, err_msg='the rule of a sample comes first')
    given = loader()(dict(img=results['img'], mask=~DISC))
    np.testing.assert_array_equal(given['mask'], ~DISC, err_msg='arrays need no file')
    Path(files['img_path']).write_bytes(b'no image')
    with pytest.raises(CorruptDataError, match='sheet.png is not a readable image'):
        loader()(dict(files))


def test_turned_photographs(tmp_path: Path) -> None:
    """A camera's orientation tag turns a photograph and the mask that keeps the tag."""
    exif = Image.Exif()
    exif[0x0112] = 6
    files = dict(img_path=str(tmp_path / 'a.jpg'), mask_path=str(tmp_path / 'm.png'))
    Image.fromarray(np.dstack([WHITE] * 3)).save(files['img_path'], exif=exif, quality=95)
    Image.fromarray(WHITE).save(files['mask_path'], exif=exif)
    results = loader()(files)
    assert results['img'].shape[:2] == results['mask'].shape == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(results['mask'], np.rot90(DISC, -1))
    assert ((results['img'][..., 0] > 127) != results['mask']).mean() < 0.02


def test_missing_masks(files: dict) -> None:
    absent = dict(files, mask_path=files['mask_path'] + '.gone')
    unnamed = {key: value for key, value in files.items() if key != 'mask_path'}
    with pytest.raises(CorruptDataError, match='gone is missing'):
        loader()(dict(absent))
    with pytest.raises(CorruptDataError, match='sheet.png has no mask_path'):
        loader()(dict(unnamed))
    step = loader(missing='whole')
    for data in (absent, unnamed, dict(files, mask_path=None)):
        results = step(dict(data))
        assert results['mask'].all() and results['mask_state'] == 'missing'
        assert results['mask'].shape == (HEIGHT, WIDTH)
    assert list(step.tally.counts.values()) == [3]
    Path(files['mask_path']).write_bytes(b'damaged')  # which is not missing
    with pytest.raises(CorruptDataError, match='no complete image'):
        step(dict(files))


def test_masks_of_another_size(files: dict) -> None:
    Image.fromarray(np.kron(WHITE, np.ones((2, 2), np.uint8))).save(files['mask_path'])
    with pytest.raises(CorruptDataError, match='mask.png is 80x48, not 40x24 as its image .*sheet.png'):
        loader()(dict(files))
    step = loader(mis_sized='resize')
    results = step(dict(files))
    np.testing.assert_array_equal(results['mask'], DISC)
    assert results['mask_state'] == 'resized' and list(step.tally.counts.values()) == [1]


def test_empty_masks(files: dict) -> None:
    Image.fromarray(WHITE * 0).save(files['mask_path'])
    with pytest.raises(CorruptDataError, match='mask.png has no foreground'):
        loader(empty='error')(dict(files))
    for rule, full in (('keep', False), ('whole', True)):
        step = loader(empty=rule)
        results = step(dict(files))
        assert results['mask'].all() == results['mask'].any() == full and results['mask_state'] == 'empty'
        assert list(step.tally.counts.values()) == [1]


@pytest.mark.parametrize('name', ['missing', 'mis_sized', 'empty'])
def test_wrong_rules_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        loader(**{name: 'ignore'})


def test_tally_logs_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr('mmfusion_plugin.datasets.tally.print_log', lambda line, *_: lines.append(line))
    tally = Tally()
    for number in range(120):
        tally.add('odd', f'sample {number}')
    tally.add('even', 'x')
    assert [line.split()[0] for line in lines] == ['1', '10', '100', '1'] and tally.counts['odd'] == 120
    assert 'sample 99' in lines[2]


def coded(height: int = 61, width: int = 83) -> dict:
    """The image's first channel is the depth in units of 0.1, its last the mask; both are smooth enough to follow."""
    row, column = np.mgrid[:height, :width]
    mask = ((row - 25) ** 2 + (column - 45) ** 2 < 22**2).astype(np.uint8)
    depth = (row + column).astype(np.float32)
    image = np.dstack([depth, np.zeros_like(depth), mask * 255]).astype(np.uint8)
    return dict(img=image, mask=mask * 9, depth_map=depth / 10, img_shape=image.shape[:2])


FLIP = dict(type='mmcv.RandomFlip', prob=1.0)
TURN = dict(type='mmpretrain.Rotate', angle=25.0)
MOVES: dict[str, list] = {
    'random resized crop': [dict(type='mmpretrain.RandomResizedCrop', scale=48)],
    'edge and centre': [dict(type='mmpretrain.ResizeEdge', scale=50), dict(type='mmcv.CenterCrop', crop_size=44)],
    'crop with padding': [dict(type='mmpretrain.RandomCrop', crop_size=60, padding=9, pad_val=255, pad_if_needed=True)],
    'flips': [dict(FLIP, prob=[0.4, 0.4], direction=['horizontal', 'vertical'])],
    'resize and pad': [dict(type='mmcv.Resize', scale=(50, 70), keep_ratio=True), dict(type='mmcv.Pad', size=(99, 99))],
    'choice': [dict(type='mmcv.RandomChoice', transforms=[[dict(type='mmcv.Resize', scale=w)] for w in (30, 60)])],
    'turn': [dict(TURN, prob=0.7, pad_val=200)],
    'turn on green': [dict(TURN, prob=1.0, pad_val=[9, 250, 7], interpolation='bilinear')],
    'torch': [lambda results: dict(results, img=np.roll(results['img'], int(torch.randint(80, ())), axis=1))],
}


@pytest.mark.parametrize('name', sorted(MOVES))
def test_maps_move_with_their_image(name: str) -> None:
    alone = Compose(MOVES[name])
    together = TRANSFORMS.build(dict(type='TransformImageAndMask', transforms=MOVES[name]))
    pictures, kept = set(), 0
    for seed in range(8):
        for run in (alone, together):
            np.random.seed(seed)
            torch.manual_seed(seed)
            results = run(coded())
            if run is alone:
                expected, following = results['img'], (np.random.random(), torch.rand(()))
        assert (np.random.random(), torch.rand(())) == following, 'chance goes on as without maps'
        np.testing.assert_array_equal(results['img'], expected)
        image = results['img'].astype(int)
        inside, mask, depth = image[..., 2], results['mask'], results['depth_map']
        assert mask.shape == depth.shape == image.shape[:2] and mask.dtype == np.uint8 and depth.dtype == np.float32
        filled = (image[..., 1] > 0) | (depth == 0) | (depth > 15)  # nothing of the image itself is green or so far
        sure = (np.abs(inside - 127.5) > 2) & ~filled
        np.testing.assert_array_equal(mask[sure], inside[sure] > 127)
        assert not mask[image[..., 1] > 127].any(), 'filled borders are background'
        assert np.abs(depth * 10 - image[..., 0])[~filled].max() < 1.01
        pictures.add(image.tobytes())
        kept += mask.sum()
    assert kept and (len(pictures) > 1 or name in ('edge and centre', 'resize and pad'))


def test_maps_that_cannot_follow() -> None:
    def crop_by_brightness(results: dict) -> dict:
        return dict(results, img=results['img'][: 20 if results['img'].mean() > 100 else 30])

    with pytest.raises(ValueError, match='mask is .* after them'):
        TRANSFORMS.build(dict(type='TransformImageAndMask', transforms=[crop_by_brightness]))(
            dict(coded(), mask=np.ones((61, 83), np.uint8)))
    with pytest.raises(ValueError, match='depth_map is .* before'):
        TRANSFORMS.build(dict(type='TransformImageAndMask', transforms=[]))(dict(coded(), depth_map=np.zeros((3, 3))))
    dropped = TRANSFORMS.build(dict(type='TransformImageAndMask', transforms=[lambda results: None]))
    assert dropped(coded()) is None
    flipped = TRANSFORMS.build(dict(type='TransformImageAndMask', transforms=[FLIP]))(dict(img=coded()['img']))
    np.testing.assert_array_equal(flipped['img'], coded()['img'][:, ::-1])


@pytest.mark.parametrize('ending', ['npy', 'png', 'tiff'])
def test_depth_maps(ending: str, tmp_path: Path) -> None:
    path, depth = str(tmp_path / f'depth.{ending}'), (ROW * 100 + COLUMN).astype(np.float32)
    if ending == 'npy':
        np.save(path, depth)
    else:
        cv2.imwrite(path, depth.astype(np.uint16) if ending == 'png' else depth)
    step = TRANSFORMS.build(dict(type='LoadDepthMap', scale=0.001))
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    loaded = step(dict(img=image, depth_path=path))['depth_map']
    assert loaded.dtype == np.float32
    np.testing.assert_allclose(loaded, depth / 1000, rtol=1e-6)
    double = np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)
    larger = step(dict(img=double, depth_path=path))['depth_map']
    inner = (np.mgrid[: 2 * HEIGHT, : 2 * WIDTH] + 0.5) / 2 - 0.5
    np.testing.assert_allclose(larger[1:-1, 1:-1], (inner[0] * 100 + inner[1])[1:-1, 1:-1] / 1000, atol=1e-5)
    strict = TRANSFORMS.build(dict(type='LoadDepthMap', resize=False))
    with pytest.raises(CorruptDataError, match='set resize=True'):
        strict(dict(img=double, depth_path=path))
    with pytest.raises(KeyError, match='sheet.jpg has no depth_path'):
        step(dict(img=image, img_path='sheet.jpg'))
    Path(path).write_bytes(b'broken')
    with pytest.raises(CorruptDataError, match='depth.* is no'):
        step(dict(img=image, depth_path=path))
    np.save(tmp_path / 'colour.npy', image)
    with pytest.raises(CorruptDataError, match='one number for each pixel'):
        step(dict(img=image, depth_path=str(tmp_path / 'colour.npy')))
