"""The segmentor: every parameter learns, every point is predicted, nobody disturbs anybody."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from .small_segmentor import CLASSES, batch, cloud, logits_of, small_segmentor


@pytest.mark.parametrize('sizes', [(80, 50), (60, 0), (0, 0), (1,), (2,)], ids=str)
def test_every_parameter_gets_a_finite_gradient(sizes) -> None:
    model = small_segmentor().train()
    losses = model(**model.data_preprocessor(batch([cloud(n) for n in sizes]), True), mode='loss')
    assert set(losses) == {'loss_ce', 'loss_lovasz'}
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    if sum(sizes) > 50:
        assert all(parameter.grad.any() for parameter in model.parameters() if parameter.ndim > 1)


def test_all_labels_ignored() -> None:
    model, data = small_segmentor().train(), batch([cloud(40)])
    data['data_samples'][0].gt_pts_seg.pts_semantic_mask.fill_(CLASSES)
    total = sum(model(**data, mode='loss').values())
    total.backward()
    assert float(total) == 0
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_training_on_a_tiny_cloud_learns_it() -> None:
    model, data = small_segmentor(scales=(2,)).train(), batch([cloud(40)])
    data['data_samples'][0].gt_pts_seg.pts_semantic_mask = (data['inputs']['points'][0][:, 0] > 0).long()
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    history = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = sum(model(**data, mode='loss').values())
        loss.backward()
        optimiser.step()
        history.append(float(loss))
    assert history[-1] < 0.2 * history[0]


def test_permuted_points_get_permuted_predictions() -> None:
    model, points = small_segmentor().eval(), cloud(90)
    order = torch.randperm(90)
    torch.testing.assert_close(logits_of(model, [points[order]])[0], logits_of(model, [points])[0][:, order])


def test_batch_of_two_equals_two_singles() -> None:
    model, first, second = small_segmentor().eval(), cloud(70), cloud(45)
    together = logits_of(model, [first, torch.zeros(0, 4), second])
    assert together[1].shape == (CLASSES, 0)
    torch.testing.assert_close(together[0], logits_of(model, [first])[0])
    torch.testing.assert_close(together[2], logits_of(model, [second])[0])


def test_evaluation_with_trained_statistics_equals_training() -> None:
    """With momentum 1 the running mean is the batch's; the running variance differs by N / (N - 1) only."""
    model = small_segmentor(hidden=8, scales=(2,)).double().train()
    points = cloud(4000).double()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = 1.0
    with torch.no_grad():
        trained = model(inputs=dict(points=[points]), mode='tensor')[0]
        frozen = model.eval()(inputs=dict(points=[points]), mode='tensor')[0]
    torch.testing.assert_close(frozen, trained, rtol=2e-2, atol=2e-2)


def test_points_outside_take_the_nearest_prediction_and_disturb_nobody() -> None:
    model, inside, outside = small_segmentor().eval(), cloud(60), cloud(30, inside=False)
    mixed = torch.cat([outside[:10], inside, outside[10:]])
    logits = logits_of(model, [mixed])[0]
    alone = logits_of(model, [inside])[0]
    torch.testing.assert_close(logits[:, 10:70], alone)
    distance = np.linalg.norm(outside[:, None, :3].numpy() - inside[None, :, :3].numpy(), axis=2)
    expected = alone[:, torch.from_numpy(distance.argmin(1))]
    torch.testing.assert_close(torch.cat([logits[:, :10], logits[:, 70:]], 1), expected)


def test_no_point_inside_gives_class_zero() -> None:
    model = small_segmentor().eval()
    with torch.no_grad():
        samples = model(**batch([cloud(5, inside=False), cloud(20)]), mode='predict')
    assert not samples[0].pts_seg_logits.pts_seg_logits.any()
    assert samples[0].pred_pts_seg.pts_semantic_mask.tolist() == [0] * 5
    assert samples[1].pts_seg_logits.pts_seg_logits.any()


def test_not_a_number_is_outside() -> None:
    model, points = small_segmentor().eval(), cloud(30)
    broken = torch.cat([points, torch.full((1, 4), float('nan'))])
    logits = logits_of(model, [broken])[0]
    torch.testing.assert_close(logits[:, :30], logits_of(model, [points])[0])
    assert not logits[:, 30].any()


def test_points_outside_do_not_change_the_loss() -> None:
    model, inside = small_segmentor().train(), cloud(60)
    data = batch([inside])
    labels = data['data_samples'][0].gt_pts_seg.pts_semantic_mask
    expected = model(**data, mode='loss')
    mixed = batch([torch.cat([cloud(20, inside=False), inside])])
    mixed['data_samples'][0].gt_pts_seg.pts_semantic_mask = torch.cat([torch.zeros(20, dtype=torch.long), labels])
    result = model(**mixed, mode='loss')
    for name, value in expected.items():
        torch.testing.assert_close(result[name], value)


def test_head_by_voxels_equals_the_concatenation() -> None:
    model = small_segmentor().double()
    features, _ = model.extract_feat(dict(points=[cloud(50).double()]))
    joined = torch.cat([level.point_features for level in features.levels], 1)
    torch.testing.assert_close(model.decode_head(features), model.decode_head.classifier(joined))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_step_is_finite(dtype: torch.dtype) -> None:
    model, data = small_segmentor().train(), batch([cloud(80), cloud(40)])
    with torch.autocast('cpu', dtype=dtype):
        losses = model(**data, mode='loss')
    sum(losses.values()).backward()
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_predictions_repeat_bit_for_bit() -> None:
    model, points = small_segmentor().eval(), [cloud(200)]
    assert torch.equal(logits_of(model, points)[0], logits_of(model, points)[0])
