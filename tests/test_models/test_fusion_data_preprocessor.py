"""The preprocessor against numpy, without images, and for test-time augmentation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def build(**kwargs) -> torch.nn.Module:
    return MODELS.build(dict(type='FusionDataPreprocessor', **kwargs))


def collated(size: tuple = (4, 6)) -> dict:
    images = [torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8), torch.randint(0, 256, (2, 3, 4, 6)).byte()]
    points = [torch.rand(5, 4), torch.rand(0, 4)]
    pixels = [torch.rand(5, 2, 2), torch.rand(0, 2, 2)]
    return dict(inputs=dict(points=points, imgs=images, pixels=pixels), data_samples=['a', 'b'])


@pytest.mark.parametrize('training', [True, False])
def test_images_are_normalised(training: bool) -> None:
    data = collated()
    result = build(mean=MEAN, std=STD, bgr_to_rgb=True)(data, training)
    images = np.stack([image.numpy() for image in data['inputs']['imgs']])[:, :, ::-1].astype(np.float64)
    expected = (images - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    assert result['inputs']['imgs'].dtype == torch.float32
    np.testing.assert_allclose(result['inputs']['imgs'].numpy(), expected, atol=1e-5)
    assert [p.shape for p in result['inputs']['points']] == [(5, 4), (0, 4)]
    assert torch.equal(result['inputs']['pixels'][0], data['inputs']['pixels'][0])
    assert result['data_samples'] == ['a', 'b']


def test_without_normalisation_values_stay() -> None:
    data = collated()
    assert torch.equal(build()(data)['inputs']['imgs'], torch.stack(data['inputs']['imgs']).float())


def test_without_images_and_samples() -> None:
    result = build(mean=MEAN, std=STD)(dict(inputs=dict(points=[torch.rand(3, 4)])))
    assert list(result['inputs']) == ['points'] and result['data_samples'] is None


@pytest.mark.parametrize('stacked', [False, True])
def test_single_images_are_normalised(stacked: bool) -> None:
    images = torch.randint(0, 256, (3, 3, 5, 7), dtype=torch.uint8)
    points = [torch.rand(count, 6) for count in (4, 1, 0)]
    inputs = dict(img=images if stacked else list(images), points=points)
    result = build(mean=MEAN, std=STD, bgr_to_rgb=True)(dict(inputs=inputs, data_samples=['a', 'b', 'c']))['inputs']
    expected = (images.numpy()[:, ::-1].astype(np.float64) - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    assert result['img'].dtype == torch.float32 and [len(cloud) for cloud in result['points']] == [4, 1, 0]
    np.testing.assert_allclose(result['img'].numpy(), expected, atol=1e-5)
    with pytest.raises(ValueError, match=r'one shape \(3, H, W\)'):
        build()(dict(inputs=dict(img=[images[0], images[1, :, 1:]])))


def test_augmented_views() -> None:
    """A list of batches, as mmengine's test-time augmentation asks for view by view."""
    views = build()([collated(), collated()])
    assert [view['inputs']['imgs'].shape for view in views] == [(2, 2, 3, 4, 6)] * 2


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match='one shape'):
        build()(collated((8, 6)))
    with pytest.raises(ValueError, match='both or neither'):
        build(mean=MEAN)
