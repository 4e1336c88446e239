"""Finding photographs, and reading them exactly as datasets do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.photographs import find_photographs, has_cutout, read_photograph, write_mask
from mmfusion_plugin.datasets.transforms import LoadImageAndMask


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_finds_photographs_at_any_depth(tmp_path):
    touch(tmp_path, 'b.JPG', 'a.png', 'oak/1.tif', 'oak/deep/2.webp', 'notes.txt', '.hidden.png', '.cache/x.png',
          'a_mask.png', 'out/made.png')  # fmt: skip
    found = find_photographs([tmp_path], tmp_path / 'out', '_mask.png')
    assert [photo.name for photo in found] == ['a', 'b', 'oak/1', 'oak/deep/2']
    assert found[2].beside(tmp_path / 'masks', '_m.png') == tmp_path / 'masks/oak/1_m.png'
    assert {photo.name for photo in find_photographs([tmp_path])} >= {'a_mask', 'out/made'}
    # Files are taken whatever they are called, and a folder of results that is the source closes nothing.
    assert [photo.name for photo in find_photographs([tmp_path / 'notes.txt', tmp_path / 'oak'])] == [
        'notes', '1', 'deep/2']
    assert len(find_photographs([tmp_path / 'oak'], tmp_path / 'oak')) == 2
    assert len(find_photographs([tmp_path / 'oak'], tmp_path)) == 2  # nor does one above it


def test_photographs_where_results_go_are_told(tmp_path, capsys):
    touch(tmp_path, 'a.png', 'deep/b.png', 'deep/c/d.jpg', 'deep/.e.png', 'deep/notes.txt')
    assert [photo.name for photo in find_photographs([tmp_path], tmp_path / 'deep')] == ['a']
    told = capsys.readouterr().err
    assert f"2 images in {tmp_path / 'deep'} are passed over, the first being {tmp_path / 'deep/b.png'}" in told
    assert 'choose another --out' in told
    assert len(find_photographs([tmp_path], tmp_path / 'out')) == 3 and not capsys.readouterr().err


def test_namesakes_and_nothing_are_errors(tmp_path):
    touch(tmp_path, 'a.png', 'a.jpg', 'empty/readme.md')
    with pytest.raises(ValueError, match=r"a\.jpg and .*a\.png would both be called 'a'"):
        find_photographs([tmp_path])
    with pytest.raises(ValueError, match='no photograph'):
        find_photographs([tmp_path / 'empty'])
    with pytest.raises(FileNotFoundError, match='none.jpg'):
        find_photographs([tmp_path / 'none.jpg'])


def photographs(folder):
    """One of each kind that needs care, ``{path: (H, W) as shown}``."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 30, 4), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(pixels[..., :3]).save(folder / 'turned.jpg', exif=exif)
    Image.fromarray(pixels).save(folder / 'alpha.png')
    Image.fromarray(pixels[..., 0]).save(folder / 'grey.png')
    Image.fromarray(pixels[..., :3]).quantize(16).save(folder / 'palette.png')
    cv2.imwrite(str(folder / 'deep.png'), pixels[..., :3].astype(np.uint16) * 256)
    return {folder / name: (30, 20) if name == 'turned.jpg' else (20, 30)
            for name in ('turned.jpg', 'alpha.png', 'grey.png', 'palette.png', 'deep.png')}  # fmt: skip


def test_reads_what_the_loader_of_datasets_reads(tmp_path):
    for path, shape in photographs(tmp_path).items():
        image = read_photograph(path)
        assert image.shape == (*shape, 3) and image.dtype == np.uint8
        expected = LoadImageAndMask()({'img_path': str(path), 'mask': np.ones(shape, np.uint8)})['img']
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize('damage', ['missing', 'empty', 'text', 'cut', 'cut png'])
def test_broken_files_are_named(tmp_path, damage):
    path = tmp_path / ('photo.png' if damage == 'cut png' else 'photo.jpg')
    _, content = cv2.imencode(path.suffix, np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    content = {'empty': b'', 'text': b'<html>'}.get(damage, content.tobytes()[: len(content) // 2])
    if damage != 'missing':
        path.write_bytes(content)
    with pytest.raises(CorruptDataError, match='photo'):
        read_photograph(path)


def test_cutouts_are_images_whose_opacity_differs(tmp_path):
    pixels = np.full((4, 5, 4), 255, np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'opaque.png')
    Image.fromarray(pixels[..., :3]).save(tmp_path / 'rgb.png')
    pixels[0, 0, 3] = 0
    Image.fromarray(pixels).save(tmp_path / 'cut.png')
    palette = Image.fromarray(np.arange(20, dtype=np.uint8).reshape(4, 5), 'P')
    palette.putpalette([0, 0, 0, 9, 9, 9] * 128)
    palette.save(tmp_path / 'palette.png', transparency=3)
    found = {name: has_cutout(tmp_path / f'{name}.png') for name in ('opaque', 'rgb', 'cut', 'palette')}
    assert found == {'opaque': False, 'rgb': False, 'cut': True, 'palette': True}
    (tmp_path / 'text.png').write_text('x')
    with pytest.raises(CorruptDataError, match='text.png'):
        has_cutout(tmp_path / 'text.png')


@pytest.mark.parametrize('kind', [bool, np.uint8, np.int64])
def test_masks_are_written_as_black_and_white(tmp_path, kind):
    mask = (np.arange(12).reshape(3, 4) % 3 == 0).astype(kind)
    with Image.open(write_mask(tmp_path / 'deep/mask.png', mask)) as image:
        assert image.mode == 'L' and image.format == 'PNG'
        np.testing.assert_array_equal(np.asarray(image), mask.astype(int) * 255)
    assert [path.name for path in (tmp_path / 'deep').iterdir()] == ['mask.png']
