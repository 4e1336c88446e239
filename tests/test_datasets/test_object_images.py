"""Finding the object of a picture of any origin, and putting it into a square."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mmfusion_plugin.datasets import CorruptDataError
from mmfusion_plugin.datasets.object_images import fit_object, mask_box, plain_background_mask, read_object_image
from mmfusion_plugin.datasets.transforms import FitObject, LoadObjectImage


def photograph() -> np.ndarray:
    """(50, 80, 3) RGB: a red frame with a hole, before grey with a little noise."""
    image = np.random.default_rng(0).integers(195, 206, (50, 80, 3)).astype(np.uint8)
    image[10:40, 20:60] = (180, 20, 30)
    image[20:30, 30:50] = 200
    return image


def save(path: Path, image: np.ndarray, **options: object) -> str:
    Image.fromarray(image).save(path, **options)
    return str(path)


def test_plain_background(tmp_path):
    image = photograph()
    expected = np.zeros((50, 80), np.uint8)
    expected[10:40, 20:60] = 1
    found = read_object_image(save(tmp_path / 'a.png', image))
    assert found.origin == 'background' and found.image.dtype == np.uint8
    np.testing.assert_array_equal(found.image, image[..., ::-1])
    np.testing.assert_array_equal(found.mask, expected)
    expected[20:30, 30:50] = 0
    np.testing.assert_array_equal(read_object_image(str(tmp_path / 'a.png'), holes=True).mask, expected)


def test_background_is_what_hangs_together_with_the_border():
    """Against scipy's labels, on a picture with islands of the background's colour."""
    image = np.full((40, 40, 3), 255, np.uint8)
    image[5:35, 5:35] = np.where(np.random.default_rng(1).random((30, 30, 1)) < 0.5, 255, 10)
    labels, _ = ndimage.label(image[..., 0] == 255)
    np.testing.assert_array_equal(plain_background_mask(image), (labels != labels[0, 0]).astype(np.uint8))


def test_alpha(tmp_path):
    rgba = np.dstack([photograph(), np.zeros((50, 80), np.uint8)])
    rgba[12:30, 22:50, 3] = 255
    rgba[30:33, 22:50, 3] = 90  # less than half
    found = read_object_image(save(tmp_path / 'a.png', rgba))
    assert found.origin == 'alpha' and mask_box(found.mask) == (22, 12, 50, 30)
    rgba[..., 3] = 255  # says nothing
    assert read_object_image(save(tmp_path / 'b.png', rgba)).origin == 'background'


def test_mask_of_another_size(tmp_path):
    mask = np.zeros((25, 40), np.uint8)
    mask[3:9, 5:20] = 255
    path = save(tmp_path / 'a.png', np.random.default_rng(0).integers(0, 256, (50, 80, 3)).astype(np.uint8))
    found = read_object_image(path, save(tmp_path / 'm.png', mask))
    assert found.origin == 'mask' and mask_box(found.mask) == (10, 6, 40, 18)


@pytest.mark.parametrize('size', [(17, 27), (16, 27), (26, 40), (150, 240), (151, 240), (50, 81)])
def test_mask_of_a_rounded_size(tmp_path, size):
    path = save(tmp_path / 'a.png', photograph())
    found = read_object_image(path, save(tmp_path / 'm.png', np.full(size, 255, np.uint8)))
    assert found.mask.shape == (50, 80) and found.mask.all()


@pytest.mark.parametrize('size', [(80, 50), (50, 50), (20, 40), (50, 83), (160, 240)])
def test_mask_of_another_photograph(tmp_path, size):
    path, mask = save(tmp_path / 'a.png', photograph()), save(tmp_path / 'm.png', np.full(size, 255, np.uint8))
    with pytest.raises(CorruptDataError, match=f'm.png is {size[1]}x{size[0]}, not 80x50 .*a.png: name the picture'):
        read_object_image(path, mask)


def test_photographs_stand_as_their_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    path = save(tmp_path / 'a.jpg', photograph(), quality=95, exif=exif)
    found = read_object_image(path)
    assert found.image.shape == (80, 50, 3)
    np.testing.assert_allclose(mask_box(found.mask), (10, 20, 40, 60), atol=1)  # JPEG blurs


def test_objects_that_are_not_to_be_found(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (50, 80, 3)).astype(np.uint8)
    plain = np.full((9, 9, 3), 7, np.uint8)
    for image, message in ((noise, 'no alpha channel and no plain background: name a mask'),
                           (plain, 'no object is to be found by its background')):  # fmt: skip
        with pytest.raises(CorruptDataError, match=message) as error:
            read_object_image(save(tmp_path / 'a.png', image))
        assert 'a.png' in str(error.value)
    with pytest.raises(CorruptDataError, match='b.png is missing'):
        read_object_image(str(tmp_path / 'b.png'))
    with pytest.raises(CorruptDataError, match='m.png is missing'):
        read_object_image(str(tmp_path / 'a.png'), str(tmp_path / 'm.png'))
    (tmp_path / 'c.jpg').write_bytes(b'\xff\xd8 no more')
    with pytest.raises(CorruptDataError, match='c.jpg is no complete image'):
        read_object_image(str(tmp_path / 'c.jpg'))


@pytest.mark.parametrize(('height', 'width'), [(30, 40), (49, 49), (7, 1), (1, 200)])
def test_longest_side_is_exact(height, width):
    image = np.full((height, width, 3), 255, np.uint8)
    square = fit_object(image, np.ones((height, width), np.uint8))
    x0, y0, x1, y1 = mask_box(square[..., 0] == 255)
    assert square.shape == (128, 128, 3) and max(x1 - x0, y1 - y0) == 93
    assert min(x1 - x0, y1 - y0) == max(93 * min(height, width) // max(height, width), 1)
    assert abs((x0 + x1) - 128) <= 1 and abs((y0 + y1) - 128) <= 1


def test_whats_around_the_object_is_background():
    image, mask = np.full((20, 20, 3), 90, np.uint8), np.zeros((20, 20), np.uint8)
    mask[4:9, 4:14] = 1
    square = fit_object(image, mask, (2, 2, 16, 30), size=40, longest=36, background=240)
    assert set(np.unique(square[[0, -1]])) == {240} and (square == 90).any()
    # The box, cut off by the picture, is 14 x 18: its height becomes 36 pixels, the object 10 x 20 of them.
    assert (np.ptp(np.argwhere(square[..., 0] < 165), axis=0) + 1 == [10, 20]).all()


def test_transforms(tmp_path):
    path = save(tmp_path / 'a.png', photograph())
    results = FitObject(size=64, longest=60).transform(LoadObjectImage().transform({'img_path': path}))
    assert results['img'].shape == (64, 64, 3) and results['img_shape'] == (64, 64) and results['ori_shape'] == (50, 80)
    assert 'mask' not in results and results['mask_origin'] == 'background'
    assert (results['img'][32, 4] == (30, 20, 180)).all() and (results['img'][0] == 0).all(), 'BGR, before black'
    for options in (dict(size=0), dict(longest=200), dict(background=-1)):
        with pytest.raises(ValueError, match='must be a number in'):
            FitObject(**options)
    with pytest.raises(ValueError, match='size must be a whole number, got 64.5'):
        FitObject(size=64.5, longest=9)
    with pytest.raises(ValueError, match='tolerance'):
        LoadObjectImage(tolerance=300)
    with pytest.raises(CorruptDataError, match='a.png: mask is'):
        FitObject().transform({'img_path': path, 'img': photograph(), 'mask': np.ones((3, 3))})
