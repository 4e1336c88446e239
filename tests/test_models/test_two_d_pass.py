"""2DPASS and 2DDATA as wholes: at inference they are the LiDAR network, in training every batch is safe."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn

from mmfusion_plugin.models.fusion.seen_points import SeenPoints
from mmfusion_plugin.models.segmentors.two_d_data import boxes_of_batch
from mmfusion_plugin.structures import Boxes2D

from .small_segmentor import CLASSES, VOLUME, batch, cloud, logits_of, small_segmentor

HIDDEN, SCALES = 8, (2, 4, 4)
HEIGHT, WIDTH = 32, 48
IMAGE = dict(type='ResNetFCN', depth=18, base_channels=4)


def build(kind: str = 'TwoDDATA', **options: Any) -> nn.Module:
    torch.manual_seed(0)
    cfg = dict(
        type=kind,
        backbone=dict(type='SPVEncoder', hidden=HIDDEN, scales=list(SCALES), **VOLUME),
        decode_head=dict(type='PointSegHead', in_channels=HIDDEN, num_levels=3, channels=6, num_classes=CLASSES,
                         ignore_index=CLASSES),
        image_backbone=IMAGE,
        fusion=dict(type='GatedFusion', hidden=6),
    )  # fmt: skip
    if kind == 'TwoDDATA':
        cfg['object_branch'] = dict(type='LocalObjectBranch', hidden=6, interest=[(2, 0), (17, 3)])
    return MODELS.build({**cfg, **options})


def some_boxes(count: int, views: int) -> Boxes2D:
    corner = torch.rand(count, 2) * torch.tensor([WIDTH / 2, HEIGHT / 2])
    return Boxes2D(
        xyxy=torch.cat([corner, corner + 20], 1), category=torch.tensor([2, 17])[torch.arange(count) % 2],
        label=torch.tensor([0, 3])[torch.arange(count) % 2], visibility=torch.full((count,), 4),
        truncation=torch.zeros(count), view=torch.arange(count) % views, depth=torch.rand(count) * 30 + 1)  # fmt: skip


def image_batch(sizes: Sequence[int], views: int = 1, boxes: int = 6, seen: float = 0.6) -> Dict[str, Any]:
    """Points of which about a share ``seen`` have a pixel, random images and boxes."""
    data = batch([cloud(n) for n in sizes])
    pixels = []
    for n in sizes:
        rows = torch.rand(n, views, 2) * torch.tensor([WIDTH, HEIGHT]) - 0.5
        rows[torch.rand(n, views) >= seen] = -1
        pixels.append(rows)
    data['inputs'].update(imgs=[torch.rand(views, 3, HEIGHT, WIDTH) for _ in sizes], pixels=pixels)
    for sample in data['data_samples']:
        sample.gt_boxes_2d = some_boxes(boxes, views)
    return data


def losses_of(model: nn.Module, data: Dict[str, Any]) -> Dict[str, Tensor]:
    return model(**model.data_preprocessor(data, True), mode='loss')


FUSION = {'loss_fusion_voxel', 'loss_fusion_image', 'loss_fusion_kl', 'loss_fusion_all'}
OBJECT = {'loss_object_point', 'loss_object_fused', 'loss_object_kl', 'loss_object_all'}


@pytest.mark.parametrize('kind, views, expected', [
    ('TwoDPASS', 1, FUSION), ('TwoDDATA', 1, FUSION | OBJECT), ('TwoDDATA', 3, FUSION | OBJECT),
])  # fmt: skip
def test_every_parameter_learns(kind, views, expected):
    model = build(kind).train()
    losses = losses_of(model, image_batch((200, 150), views))
    assert set(losses) == {'loss_ce', 'loss_lovasz'} | expected
    assert all(value > 0 and value.isfinite() for value in losses.values()), losses
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or parameter.ndim == 1, name


@pytest.mark.parametrize('case', [
    'nothing seen', 'no boxes', 'boxes of others', 'all ignored', 'one point', 'no points', 'all outside',
    'one empty sample',
])  # fmt: skip
def test_losses_are_total(case):
    model = build().train()
    sizes = {'one point': (1,), 'no points': (0, 0), 'one empty sample': (80, 0)}.get(case, (80, 60))
    data = image_batch(sizes, boxes=0 if case == 'no boxes' else 6, seen=0.0 if case == 'nothing seen' else 0.6)
    for sample, points in zip(data['data_samples'], data['inputs']['points']):
        if case == 'boxes of others':
            sample.gt_boxes_2d.category.fill_(31)
        elif case == 'all ignored':
            sample.gt_pts_seg.pts_semantic_mask.fill_(CLASSES)
        elif case == 'all outside':
            points += 100
    losses = losses_of(model, data)
    assert all(value.isfinite() for value in losses.values()), losses
    if case in ('nothing seen', 'no boxes', 'boxes of others', 'no points', 'all outside'):
        assert all(float(losses[name]) == 0 for name in OBJECT)
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('kind', ['TwoDPASS', 'TwoDDATA'])
def test_prediction_is_bit_equal_to_the_lidar_network(kind):
    taught = build(kind).eval()
    alone = small_segmentor(HIDDEN, SCALES).eval()
    missing = alone.load_state_dict(
        {key: value for key, value in taught.state_dict().items() if key.split('.')[0] not in taught.TRAINING_ONLY}
    )
    assert not missing.missing_keys and not missing.unexpected_keys
    points = [cloud(120), cloud(3), cloud(30, inside=False)]
    for ours, theirs in zip(logits_of(taught, points), logits_of(alone, points)):
        assert torch.equal(ours, theirs)


def test_without_the_branch_it_is_2dpass():
    """Same weights, same batch: the same losses to the last bit."""
    one, other = build('TwoDDATA', object_branch=None).train(), build('TwoDPASS').train()
    assert one.state_dict().keys() == other.state_dict().keys()
    other.load_state_dict(one.state_dict())
    data = image_batch((90, 70))
    first, second = losses_of(one, data), losses_of(other, data)
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_branch_alone():
    model = build(fusion=None).train()
    losses = losses_of(model, image_batch((90, 70)))
    assert set(losses) == {'loss_ce', 'loss_lovasz'} | OBJECT
    assert not any(name.startswith('fusion') for name, _ in model.named_parameters())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('config, total', [
    ('point_voxel/point-voxel', 45_614_736), ('2dpass/2dpass', 74_244_448), ('2ddata/2ddata', 76_442_032),
])  # fmt: skip
def test_sizes_of_the_shipped_configs(repo_root, config, total):
    """2DPASS: 45.6 M of the 3D network, 26.4 M of the image network; 2DDATA: 4.4 M for fusion and branch."""
    model = MODELS.build(Config.fromfile(repo_root / f'configs/{config}_4xb8-80e_nuscenes-lidarseg.py').model)
    size = {name: sum(p.numel() for p in module.parameters()) for name, module in model.named_children()}
    assert sum(size.values()) == total
    assert size['backbone'] + size['decode_head'] == 45_614_736
    if config.startswith('2ddata'):
        assert abs(size['fusion'] + size['object_branch'] - 4.4e6) < 0.1e6


class Listener(nn.Module):
    """Stands for a branch and keeps what it is given."""

    def loss(self, *given: Any) -> Dict[str, Tensor]:
        self.given = given
        return {}


def test_branches_are_given_the_right_rows():
    """Two samples of three views, points outside the volume among them: every row against a loop over the samples."""
    model = build(backbone=dict(type='SPVEncoder', hidden=HIDDEN, scales=[2, 4, 8, 16, 16, 16], **VOLUME),
                  decode_head=dict(type='PointSegHead', channels=6, num_classes=CLASSES, ignore_index=CLASSES)).train()
    model.fusion, model.object_branch = Listener(), Listener()
    maps: List[Tensor] = []
    model.image_backbone.register_forward_hook(lambda module, args, out: maps.extend([*out, *args]))
    levels: List[Any] = []
    model.backbone.register_forward_hook(lambda module, args, out: levels.extend(out.levels))
    data = image_batch((50, 40), views=3)
    for points in data['inputs']['points']:
        points[::7, 2] += 50  # leaves the volume
    losses_of(model, data)

    rows = []  # sample, image, pixel, label, xyz of each seen pair; xyz and label of each point
    points, first = [], 0
    for number, (cloud_, pixels, sample) in enumerate(
        zip(data['inputs']['points'], data['inputs']['pixels'], data['data_samples'])
    ):
        for point, seen, label in zip(cloud_, pixels, sample.gt_pts_seg.pts_semantic_mask):
            if point[2] > 10:
                continue
            rows += [(first, 3 * number + view, seen[view], label) for view in range(3) if seen[view, 0] >= -0.5]
            points.append((number, point[:3], label))
            first += 1
    voxels, inverse, image_features, labels, seen = model.fusion.given
    assert labels.tolist() == [int(label) for *_, label in points]
    assert seen.tolist() == [row[0] for row in rows]
    *read, images, pixels, image_index = maps
    assert images.shape == (6, 3, HEIGHT, WIDTH)
    assert image_index.tolist() == [row[1] for row in rows]
    assert torch.equal(pixels, torch.stack([row[2] for row in rows]))
    assert [next(i for i, one in enumerate(read) if one is level) for level in image_features] == [0, 1, 2, 3, 3, 3]
    shape, lower = torch.tensor(VOLUME['spatial_shape']), torch.tensor(VOLUME['lower'])
    extent = torch.tensor(VOLUME['upper']) - lower
    for level, last in zip(levels, (1, 2, 4, 8, 16, 16)):
        for (number, xyz, _), voxel in zip(points, level.voxel_inverse.tolist()):
            grid = (torch.ceil(shape / last) * (xyz - lower) / extent).long().tolist()
            assert level.voxel_coordinates[voxel].tolist() == [number, *grid]
    assert all(one is level.voxel_features for one, level in zip(voxels, levels))
    assert all(one is level.voxel_inverse for one, level in zip(inverse, levels))

    features, image_features, labels, pixels, image, boxes = model.object_branch.given
    assert labels.tolist() == [int(row[3]) for row in rows] and image.tolist() == [row[1] for row in rows]
    assert torch.equal(pixels, torch.stack([row[2] for row in rows])) and len(boxes) == 12
    for one, level in zip(features, levels):
        expected = torch.stack([level.voxel_features[level.voxel_inverse[row[0]]] for row in rows])
        assert torch.equal(one, expected)


def test_seen_points_are_pairs():
    pixels = [torch.full((3, 2, 2), -1.0), torch.full((2, 2, 2), -1.0)]
    pixels[0][1, 0], pixels[0][1, 1] = torch.tensor([4.0, 5.0]), torch.tensor([-0.5, 7.0])
    pixels[1][0, 1] = torch.tensor([1.0, 2.0])
    seen = SeenPoints.of_batch(pixels)
    assert seen.point.tolist() == [1, 1, 3] and seen.image.tolist() == [0, 1, 3]
    assert seen.pixels.tolist() == [[4, 5], [-0.5, 7], [1, 2]] and seen.num_views == 2


def test_boxes_count_the_images_of_the_batch():
    samples = image_batch((5, 5), views=3, boxes=4)['data_samples']
    boxes = boxes_of_batch(samples, 3)
    assert boxes.view.tolist() == [0, 1, 2, 0, 3, 4, 5, 3]
    assert samples[1].gt_boxes_2d.view.tolist() == [0, 1, 2, 0], 'the samples stay as they are'


def test_clear_errors():
    model, data = build().train(), image_batch((40,))
    del data['data_samples'][0].gt_boxes_2d
    with pytest.raises(ValueError, match='no gt_boxes_2d: the pipeline needs LoadBoxes2D'):
        losses_of(model, data)
    with pytest.raises(ValueError, match=r"TwoDDATA is trained with images, and the batch lacks \['imgs', 'pixels'\]"):
        losses_of(model, batch([cloud(20)]))
    with pytest.raises(ValueError, match='TwoDPASS without fusion trains an image network for nobody'):
        build('TwoDPASS', fusion=None)
    with pytest.raises(ValueError, match='TwoDDATA needs a fusion or an object_branch'):
        build(fusion=None, object_branch=None)
    with pytest.raises(ValueError, match=r'read image maps of strides \[2, 4\], but the image backbone makes \(2, 4'):
        build(image_backbone=dict(IMAGE, strides=(2, 4, 8)))
    with pytest.raises(ValueError, match=r'strides must be some of \(2, 4, 8, 16\) in this order, got \(3, 6\)'):
        build(backbone=dict(type='SPVEncoder', hidden=HIDDEN, scales=[3, 6, 6], **VOLUME))
