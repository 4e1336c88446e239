"""ShapeSample: fields of fixed layout that travel through a loader, to a device and into a metric."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from mmfusion_plugin.structures import ShapeSample

FIELDS = dict(gt_points=(7, 3), gt_voxels=(4, 4, 4), pred_points=(5, 3), pred_samples=(2, 5, 3),
              pred_voxels=(2, 4, 4, 4), pred_image_embedding=(6,), pred_shape_embedding=(6,),
              noise_error=())  # fmt: skip


def make() -> ShapeSample:
    sample = ShapeSample(metainfo=dict(synset='02958343', category='car', model_id='a', view=3, img_path='a/03.png'))
    for name, shape in FIELDS.items():
        setattr(sample, name, torch.rand(shape) if 'voxels' not in name else torch.rand(shape) > 0.5)
    return sample


def test_fields_come_out_under_their_own_names():
    sample = make()
    assert set(sample.keys()) == set(FIELDS)
    values = sample.to_dict()
    assert set(values) == {*FIELDS, 'synset', 'category', 'model_id', 'view', 'img_path'}
    assert all(values[name].shape == shape and values[name] is getattr(sample, name) for name, shape in FIELDS.items())


@pytest.mark.parametrize('move', [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one)), ShapeSample.clone,
                                  lambda one: one.to('cpu'), lambda one: one.numpy(), lambda one: one.detach()])
def test_copies_are_equal(move):
    sample = make()
    other = move(sample)
    assert type(other) is ShapeSample and other.view == 3
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(other, name), getattr(sample, name))


def test_a_missing_field_is_missing():
    sample = ShapeSample()
    assert 'gt_points' not in sample and sample.get('gt_points') is None and sample.get('azimuth') is None
    sample.gt_points = torch.zeros(0, 3)
    assert 'gt_points' in sample and sample.get('gt_points').shape == (0, 3)
    del sample.gt_points
    assert 'gt_points' not in sample and not sample.keys()


@pytest.mark.parametrize('name, value, found', [
    ('gt_points', torch.zeros(7), r'\(M, 3\), got \(7,\)'), ('pred_points', torch.zeros(3, 7), r'got \(3, 7\)'),
    ('pred_samples', torch.zeros(5, 3), r'\(S, N, 3\), got'), ('gt_points', [[0, 0, 0]], 'got list'),
    ('pred_image_embedding', torch.zeros(2, 3), r'\(D,\), got \(2, 3\)'), ('noise_error', torch.zeros(1), r'\(\), got'),
    ('noise_error', 0.5, 'got float'),
])  # fmt: skip
def test_another_shape_is_refused(name, value, found):
    with pytest.raises(ValueError, match=f'{name} must have shape .*{found}'):
        setattr(ShapeSample(), name, value)
