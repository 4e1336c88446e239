"""Mean shape and nearest image: what they must find, and the same metric as for a network."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch
from torch import Tensor

from mmfusion_plugin.evaluation import ReconstructionMetric
from mmfusion_plugin.evaluation.reconstruction_baselines import (
    MeanShapeBaseline,
    NearestImageBaseline,
    score_baseline,
)
from mmfusion_plugin.structures import ShapeSample

FAST = dict(num_points=24, steps=60, batch_size=4)


def packed(model: str, colour: float, points: Tensor, category: str = 'chair', view: int = 0) -> Dict[str, Any]:
    meta = dict(synset=f'id of {category}', category=category, model_id=model, view=view)
    image = torch.full((3, 32, 32), colour) + torch.rand(3, 32, 32)
    return dict(inputs=dict(img=image.to(torch.uint8)), data_samples=ShapeSample(metainfo=meta, gt_points=points))


def sphere(radius: float, seed: int, count: int = 24) -> Tensor:
    return radius * torch.nn.functional.normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize('emd_weight', [0.0, 1.0])
def test_mean_of_spheres_is_a_sphere_between_them(emd_weight):
    shapes = [packed(str(seed), 0, sphere(0.3 if seed % 2 else 0.5, seed)) for seed in range(8)]
    baseline = MeanShapeBaseline(**FAST, emd_weight=emd_weight).fit(shapes)
    cloud = baseline.predict(shapes[0])
    assert cloud.shape == (24, 3) and not cloud.requires_grad
    assert 0.3 < float(cloud.norm(dim=1).mean()) < 0.5
    torch.testing.assert_close(MeanShapeBaseline(**FAST, emd_weight=emd_weight).fit(shapes).predict(shapes[1]), cloud)
    protocol = ReconstructionMetric().protocol

    def mean(guess: Tensor) -> float:
        found = [protocol.score(guess, shape['data_samples'].gt_points) for shape in shapes]
        return sum(one['cd'] + one['emd'] for one in found)

    assert mean(cloud) < mean(torch.zeros(24, 3) + 1e-3) and mean(cloud) < mean(sphere(0.7, 1))


def test_mean_shape_per_category():
    points = {'chair': sphere(0.1, 1), 'table': sphere(0.9, 2)}
    shapes = [packed(name, 0, cloud, name) for name, cloud in points.items()]
    baseline = MeanShapeBaseline(per_category=True, emd_weight=0.0, **FAST).fit(shapes)
    for shape, name in zip(shapes, points):
        radius = float(baseline.predict(shape).norm(dim=1).mean())
        assert radius == pytest.approx(0.1 if name == 'chair' else 0.9, rel=0.2)
    with pytest.raises(ValueError, match=r"no mean shape of id of lamp, only of \['id of chair', 'id of table'\]"):
        baseline.predict(packed('x', 0, points['chair'], 'lamp'))


def test_views_of_one_model_count_once():
    few, many = sphere(0.2, 1), sphere(0.6, 2)
    once = [packed('a', 0, few), packed('b', 0, many)]
    often = [packed('a', 0, few), *(packed('b', 0, many, view=view) for view in range(9))]
    first, second = (MeanShapeBaseline(emd_weight=0.0, **FAST).fit(one).predict(once[0]) for one in (once, often))
    assert torch.equal(first, second)
    assert len(NearestImageBaseline().fit(often).clouds) == 2


def test_nearest_image_by_pixels_and_by_features():
    train = [packed(str(number), 40.0 * number, sphere(0.1, number), view=number) for number in range(5)]
    test = packed('new', 85.0, sphere(1, 9))
    assert torch.equal(NearestImageBaseline().fit(train).predict(test), train[2]['data_samples'].gt_points)
    alike = NearestImageBaseline(lambda image: torch.zeros(1, 2))
    assert torch.equal(alike.fit(train).predict(test), train[0]['data_samples'].gt_points)  # the first
    inverse = NearestImageBaseline(lambda image: (255 - image).mean((1, 2, 3))[:, None].square())
    assert torch.equal(inverse.fit(train).predict(test), train[2]['data_samples'].gt_points)


def test_scored_like_a_network():
    train = [packed(str(number), 50.0 * number, sphere(0.2 * (number + 1), number)) for number in range(3)]
    test = [packed('new', 50.0, sphere(0.4, 1)), packed('other', 100.0, sphere(0.6, 8))]
    metric = ReconstructionMetric(emd='none')
    found = score_baseline(NearestImageBaseline(), train, test, metric)
    other = metric.protocol.score(train[2]['data_samples'].gt_points, test[1]['data_samples'].gt_points)
    assert found['cd'] == pytest.approx((0 + other['cd']) / 2)
    assert 'pred_points' not in test[0]['data_samples']


@pytest.mark.parametrize('baseline', [MeanShapeBaseline, NearestImageBaseline])
def test_faults_are_named(baseline):
    with pytest.raises(ValueError, match='needs at least one training sample'):
        baseline().fit([])
    with pytest.raises(ValueError, match='fit'):
        baseline().predict(packed('a', 0, sphere(1, 1)))
    with pytest.raises(ValueError, match='a has no gt_points: load the clouds'):
        baseline().fit([packed('a', 0, torch.zeros(0, 3))])
