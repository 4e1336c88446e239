"""NoiseErrorMetric: the mean over samples, and a message where there is none."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import Evaluator

from mmfusion_plugin.structures import ShapeSample


def test_the_mean_of_all_batches():
    evaluator = Evaluator(dict(type='NoiseErrorMetric'))
    for errors in ((1.0, 2.0, 6.0), (0.5,)):
        evaluator.process([ShapeSample(noise_error=torch.tensor(error)) for error in errors])
    assert evaluator.evaluate(4) == {'noise_error': pytest.approx(9.5 / 4)}


def test_samples_without_an_error():
    metric = METRICS.build(dict(type='NoiseErrorMetric'))
    with pytest.raises(ValueError, match="chair/a/3: it has no noise_error .*validation='noise' in the model"):
        metric.process(None, [ShapeSample(metainfo=dict(category='chair', model_id='a', view=3)).to_dict()])
    with pytest.raises(ValueError, match='nothing to average'):
        metric.compute_metrics([])
