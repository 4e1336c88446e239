"""Transforms: what belongs to a point stays with it through any chain, and images, matches and boxes move together."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet3d.registry import TRANSFORMS
from mmengine.dataset import Compose, pseudo_collate
from nuscenes.utils.geometry_utils import view_points

from mmfusion_plugin.datasets.transforms.points import DropPoints
from mmfusion_plugin.structures import PointPixelMatch

LOAD = [dict(type='LoadLidarSweep'), dict(type='LoadLidarSeg')]
MATCH = [*LOAD, dict(type='LoadCameraImages'), dict(type='LoadBoxes2D'), dict(type='MatchPointsToPixels')]
VOLUME = dict(type='PointsInVolume', lower=[-50, -50, -4], upper=[50, 50, 3])
STEPS = [
    dict(type='DropPoints'),
    dict(type='DropPoints', mode='replace'),
    dict(type='RandomSweepTransform'),
    dict(type='VoteRotTrans', vote=3),
    VOLUME,
    dict(type='ResizeImages', size=(400, 240)),
    dict(type='ResizeImages', size=(797, 451)),
    dict(type='RandomFlipImages'),
]


def run(dataset, steps, index=0):
    return Compose(steps)(copy.deepcopy(dataset.get_data_info(index)))


@pytest.fixture(scope='module')
def dataset(build):
    return build(modality=dict(use_camera=True))


@pytest.fixture(scope='module')
def matched(dataset):
    """A sample with everything loaded; copied by the tests."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmdet3d')
    return run(dataset, MATCH)


def project(results, points):
    """Pixels ``(N, V, 2)`` of points in original LiDAR coordinates by the devkit's function and the recorded
    matrices."""
    homogeneous = np.c_[points, np.ones(len(points))].T
    pixels = []
    for lidar2cam, cam2img, shape, image in zip(
        results['lidar2cam'], results['cam2img'], results['original_shape'], results['img_aug_matrix']
    ):
        in_camera = (lidar2cam @ homogeneous)[:3]
        uv = view_points(in_camera, cam2img, normalize=True)
        inside = (in_camera[2] > 0) & (uv[0] >= -0.5) & (uv[0] < shape[1] - 0.5)
        inside &= (uv[1] >= -0.5) & (uv[1] < shape[0] - 0.5)
        pixels.append(np.where(inside, (image @ uv)[:2], -1.0).T)
    return np.stack(pixels, axis=1)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chain=st.lists(st.sampled_from(STEPS), max_size=6), seed=st.integers(0, 2**31))
def test_matches_follow_points_through_any_chain(matched, chain, seed):
    """After any chain, a point's match is the projection of its original coordinates, and its label is its own."""
    results = dict(matched, original_shape=matched['img_shape'])
    # Tiny stand-ins keep the positions and save the resizing of megapixels.
    results['img'] = [np.broadcast_to(np.uint8(0), (900, 1600, 3)) for _ in results['img']]
    original = matched['points'].tensor[:, :3].numpy().astype(np.float64)
    identity = np.arange(len(original))
    results['pts_instance_mask'] = identity
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmcv.imresize', lambda image, size, **_: np.broadcast_to(np.uint8(0), (size[1], size[0], 3)))
        np.random.seed(seed)
        for step in chain:
            results = TRANSFORMS.build(step)(results)
    rows = results['pts_instance_mask']
    np.testing.assert_array_equal(results['pts_semantic_mask'], matched['pts_semantic_mask'][rows])
    matrix = results.get('lidar_aug_matrix', np.eye(4))
    moved = original[rows] @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(results['points'].tensor[:, :3], moved, atol=1e-4)
    match = results['point_pixel_match'].pixels
    assert match.shape == (len(rows), 6, 2)
    np.testing.assert_allclose(match, project(results, original[rows]), atol=1e-3)
    # Boxes move with the pixels: a point lies in a box exactly as it did before.
    before, after = matched['gt_boxes_2d'], results['gt_boxes_2d']
    for i in range(len(before)):
        a = in_box(matched['point_pixel_match'].pixels[rows, before.view[i]], before.xyxy[i])
        b = in_box(match[:, after.view[i]], after.xyxy[i])
        np.testing.assert_array_equal(a, b)
    # The sample that entered is unchanged.
    np.testing.assert_array_equal(matched['points'].tensor[:, :3].numpy(), original.astype(np.float32))
    np.testing.assert_array_equal(matched['img_aug_matrix'], np.tile(np.eye(3), (6, 1, 1)))


def in_box(pixels, xyxy):
    return (pixels[:, 0] >= xyxy[0]) & (pixels[:, 0] <= xyxy[2]) & (pixels[:, 1] >= xyxy[1]) & (pixels[:, 1] <= xyxy[3])


def test_match_on_the_real_keyframe(real_keyframe):
    """The whole sweep against the devkit's projection, at full float64."""
    import json

    sample = json.loads((real_keyframe / 'info.json').read_text())['data_list'][0]
    for image in sample['images'].values():
        image['img_path'] = str(real_keyframe / image['img_path'])
    info = dict(
        lidar_path=str(real_keyframe / sample['lidar_points']['lidar_path']), images=sample['images'], token='x'
    )
    results = Compose([LOAD[0], MATCH[2], MATCH[4]])(info)
    assert len(results['points']) == 34688
    results['original_shape'] = results['img_shape']
    xyz = results['points'].tensor[:, :3].numpy().astype(np.float64)
    np.testing.assert_allclose(results['point_pixel_match'].pixels, project(results, xyz), atol=1e-3)
    assert 0.3 < results['point_pixel_match'].visible.any(axis=1).mean() < 0.9


def test_resizing_moves_content_and_matches_alike(matched):
    """A bright blob drawn at a point's pixel is found at the point's match after resizing and mirroring."""
    match = matched['point_pixel_match']
    seen = np.flatnonzero(
        (match.pixels[:, 0] > 60).all(1) & (match.pixels[:, 0, 0] < 1500) & (match.pixels[:, 0, 1] < 830)
    )
    u, v = match.pixels[seen[0], 0].astype(np.float64)
    columns, rows = np.meshgrid(np.arange(1600), np.arange(900))
    blob = 255 * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * 12**2))
    results = dict(matched, img=[np.repeat(blob.astype(np.uint8)[..., None], 3, axis=2)] + matched['img'][1:])
    results = Compose([dict(type='ResizeImages', size=(400, 240)), dict(type='RandomFlipImages', prob=1.0)])(results)
    image = results['img'][0][..., 0].astype(np.float64)
    assert image.shape == (240, 400)
    columns, rows = np.meshgrid(np.arange(400), np.arange(240))
    centre = [(image * columns).sum() / image.sum(), (image * rows).sum() / image.sum()]
    np.testing.assert_allclose(results['point_pixel_match'].pixels[seen[0], 0], centre, atol=0.05)


def test_boxes_2d_of_chosen_views(dataset):
    steps = [*LOAD, dict(type='LoadCameraImages', num_views=2), dict(type='LoadBoxes2D')]
    results = run(dataset, steps)
    boxes, info = results['gt_boxes_2d'], dataset.get_data_info(0)
    expected = [box for name in results['cam_names'] for box in info['images'][name]['boxes_2d']]
    assert len(boxes) == len(expected)
    official = np.reshape([box['bbox'] for box in expected], (-1, 4))
    cut = (official == 0) | (official == [1600, 900, 1600, 900])
    np.testing.assert_allclose(boxes.xyxy[~cut], official[~cut], rtol=1e-6)
    edges = np.broadcast_to([-0.5, -0.5, 1599.5, 899.5], official.shape)
    assert 0 < cut.sum() < cut.size
    np.testing.assert_array_equal(boxes.xyxy[cut], edges[cut])
    np.testing.assert_array_equal(boxes.label, info['seg_label_mapping'][boxes.category])
    assert (np.diff(boxes.view) >= 0).all()


def test_points_at_the_very_edge_lie_in_boxes_cut_off_there(dataset):
    info = copy.deepcopy(dataset.get_data_info(0))
    common = dict(category=17, category_name='vehicle.car', visibility=4, truncation=0.5, depth=9.0)
    wide, corner = [0.0, 100.0, 1600.0, 300.0], [1599.8, 0.0, 1600.0, 900.0]
    info['images']['CAM_FRONT']['boxes_2d'] = [dict(common, bbox=bbox) for bbox in (wide, corner)]
    results = Compose([dict(type='LoadCameraImages', cameras=['CAM_FRONT']), dict(type='LoadBoxes2D')])(info)
    # Points at pixels (u, 200), the first two at the first and the last position that count as seen.
    camera = np.array([[1.0, 0, 800], [0, 1, 450], [0, 0, 1]])
    last = np.nextafter(1599.5, 0)
    xyz = np.array([[u - 800, 200 - 450, 1] for u in (-0.5, last, -0.5001, 1599.5001)])
    match = PointPixelMatch.project(xyz, [np.eye(4)], [camera], results['img_shape'])
    assert match.visible[:, 0].tolist() == [True, True, False, False]
    boxes = results['gt_boxes_2d'].xyxy
    assert in_box(match.pixels[:2, 0], boxes[0]).all()
    np.testing.assert_array_equal(boxes[1], [1599.5, -0.5, 1599.5, 899.5])


def test_box_filters(dataset):
    everything = run(dataset, MATCH)['gt_boxes_2d']
    steps = copy.deepcopy(MATCH)
    steps[3].update(min_visibility=2, max_truncation=0.5, categories=['vehicle.car', 'human.pedestrian.child'])
    some = run(dataset, steps)['gt_boxes_2d']
    keep = (everything.visibility >= 2) & (everything.truncation <= 0.5) & np.isin(everything.category, [17, 3])
    assert len(some) == keep.sum() < len(everything)
    np.testing.assert_allclose(some.xyxy, everything.select(keep).xyxy)


def test_random_views_are_all_drawn(dataset):
    names = [tuple(run(dataset, [dict(type='LoadCameraImages', num_views=1)])['cam_names']) for _ in range(40)]
    assert len(set(names)) == 6
    fixed = run(dataset, [dict(type='LoadCameraImages', cameras=['CAM_BACK', 'CAM_FRONT'])])
    assert fixed['cam_names'] == ['CAM_BACK', 'CAM_FRONT'] and fixed['img'][0].shape == (900, 1600, 3)


@pytest.mark.parametrize(
    ('steps', 'words'),
    [
        ([dict(type='LoadCameraImages', cameras=['CAM_TOP'])], 'CAM_TOP'),
        ([dict(type='LoadCameraImages', num_views=7)], 'exceeds the 6'),
        ([LOAD[0], MATCH[4]], 'LoadCameraImages before'),
        ([LOAD[0], dict(type='RandomSweepTransform'), MATCH[2], MATCH[4]], 'before transforms that change points'),
        ([LOAD[0], MATCH[2], STEPS[5], MATCH[4]], 'before transforms that change images'),
        ([LOAD[0], MATCH[2], STEPS[5], MATCH[3]], 'LoadBoxes2D must stand'),
        ([MATCH[3]], 'LoadBoxes2D must stand'),
    ],
)
def test_wrong_order_is_explained(dataset, steps, words):
    with pytest.raises(ValueError, match=words):
        run(dataset, steps)


def test_wrong_arguments():
    for step in (
        dict(type='LoadCameraImages', num_views=0),
        dict(type='DropPoints', mode='hide'),
        dict(type='DropPoints', max_ratio=1.0),
        dict(type='DropPoints', max_ratio=-0.1),
        dict(type='LoadLidarSweep', use_dim=6),
        dict(type='LoadBoxes2D', categories=['car']),
        dict(type='LoadBoxes2D', categories='vehicle.car'),
        dict(type='LoadBoxes2D', min_visibility=5),
        dict(type='LoadBoxes2D', max_truncation=50),
        dict(type='RandomSweepTransform', rotation=360),
        dict(type='RandomSweepTransform', rotation=[90, -90]),
        dict(type='RandomSweepTransform', scale_xy=[0, 1]),
        dict(type='RandomSweepTransform', translation_std=-1),
        dict(type='VoteRotTrans', vote=-1),
        dict(type='PointsInVolume', lower=[50, -50, -4], upper=[-50, 50, 3]),
        dict(type='ResizeImages', size=400),
        dict(type='ResizeImages', size=(400, 0)),
        dict(type='RandomFlipImages', prob=50),
        dict(type='JitterImageColours', contrast=-0.4),
    ):
        with pytest.raises(ValueError):
            TRANSFORMS.build(step)


def test_drop_modes(matched):
    removed = DropPoints(0.2)(dict(matched))
    replaced = DropPoints(0.2, 'replace')(dict(matched))
    total = len(matched['points'])
    assert 0.75 * total < len(removed['points']) < total
    assert len(replaced['points']) == total
    copies = (replaced['points'].tensor == matched['points'].tensor[0]).all(dim=1)
    assert copies.sum() > 1
    np.testing.assert_array_equal(replaced['pts_semantic_mask'][copies.numpy()], matched['pts_semantic_mask'][0])


def test_sweep_transform_has_the_published_distribution(matched):
    matrices = []
    for _ in range(2000):
        results = TRANSFORMS.build(dict(type='RandomSweepTransform'))(dict(matched))
        matrices.append(results['lidar_aug_matrix'])
    matrices = np.stack(matrices)
    scale = np.linalg.norm(matrices[:, :2, 0], axis=1)
    assert scale.min() >= 0.95 and scale.max() <= 1.05 and abs(scale.mean() - 1) < 0.005
    np.testing.assert_allclose(matrices[:, 2, :3], np.tile([0, 0, 1.0], (2000, 1)))
    np.testing.assert_allclose(matrices[:, :3, 3].std(axis=0), 0.1, rtol=0.1)
    mirrored = np.linalg.det(matrices[:, :2, :2]) < 0
    assert abs(mirrored.mean() - 0.5) < 0.05
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    assert np.histogram(angles, 8, (-np.pi, np.pi))[0].min() > 180


def test_votes_depend_on_seed_vote_and_sample_alone(matched):
    def vote(number, seed=0, token='a', state=0):
        np.random.seed(state)
        results = TRANSFORMS.build(dict(type='VoteRotTrans', vote=number, seed=seed))(dict(matched, token=token))
        return results['lidar_aug_matrix']

    np.testing.assert_array_equal(vote(1), vote(1, state=5))
    for other in (vote(2), vote(1, seed=1), vote(1, token='b')):
        assert np.abs(vote(1) - other).max() > 1e-3
    np.testing.assert_allclose(vote(1)[:3, :3] @ vote(1)[:3, :3].T, np.eye(3), atol=1e-12)


def test_points_in_volume(matched):
    results = TRANSFORMS.build(VOLUME)(dict(matched))
    xyz, everything = results['points'].tensor[:, :3], matched['points'].tensor[:, :3]
    inside = ((everything >= torch.tensor([-50.0, -50, -4])) & (everything < torch.tensor([50.0, 50, 3]))).all(dim=1)
    assert 0 < len(xyz) == inside.sum() < len(everything)
    far = dict(VOLUME, lower=[500, 500, 500], upper=[600, 600, 600])
    assert TRANSFORMS.build(far)(dict(matched)) is None


def test_colours(matched):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    same = TRANSFORMS.build(dict(type='JitterImageColours', brightness=0, contrast=0, saturation=0))(dict(img=[image]))
    np.testing.assert_array_equal(same['img'][0], image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, 'uniform', lambda low, high: 1.0 if low == 1 else 0.0)
        patch.setattr(np.random, 'permutation', lambda n: np.array([2, 1, 0]))
        jitter = TRANSFORMS.build(dict(type='JitterImageColours', brightness=0, contrast=0, saturation=0.4))
        result = jitter(dict(img=[image]))['img'][0]
    expected = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    assert np.abs(result.astype(int) - expected[..., None]).max() <= 1


def test_packed_sample(dataset):
    packed = run(dataset, [*MATCH, STEPS[5], dict(type='PackFusionInputs')])
    inputs, sample = packed['inputs'], packed['data_samples']
    assert inputs['points'].shape == (300, 4) and inputs['points'].dtype == torch.float32
    assert inputs['imgs'].shape == (6, 3, 240, 400) and inputs['imgs'].dtype == torch.uint8
    assert inputs['pixels'].shape == (300, 6, 2) and inputs['pixels'].dtype == torch.float32
    assert sample.gt_pts_seg.pts_semantic_mask.dtype == torch.int64
    assert len(sample.gt_pts_seg.pts_semantic_mask) == 300
    assert sample.gt_boxes_2d.xyxy.dtype == torch.float32
    assert sample.num_pts_feats == 4 and sample.num_points_total == 300
    for key in ('sample_idx', 'token', 'lidar_sample_data_token', 'lidar_path', 'scene_name'):
        assert sample.get(key) is not None
    assert np.shape(sample.lidar2cam) == (6, 4, 4) and np.shape(sample.cam2img) == (6, 3, 3)
    np.testing.assert_allclose(np.array(sample.lidar2img)[:, :3, :4], sample.cam2img @ sample.lidar2cam[:, :3])
    batch = pseudo_collate([packed, packed])
    assert len(batch['inputs']['points']) == 2


def test_eval_labels_cover_all_points(build):
    dataset = build(test_mode=True)
    sample = run(dataset, [*LOAD, dict(type='PackFusionInputs')])['data_samples']
    assert sample.eval_ann_info['pts_semantic_mask'].shape == (300,)
    assert set(np.unique(sample.eval_ann_info['pts_semantic_mask'])) <= set(range(17))


def test_vote_pipeline_of_the_base_config(build, repo_root):
    from mmengine.config import Config

    config = Config.fromfile(repo_root / 'configs/_base_/datasets/nuscenes_lidarseg.py')
    dataset = build(test_mode=True, pipeline=config.tta_pipeline)
    votes, again = dataset[1], dataset[1]
    assert len(votes['inputs']) == config.num_votes == 12
    clouds = [vote['points'] for vote in votes['inputs']]
    assert all(cloud.shape == (300, 4) for cloud in clouds)
    assert min((clouds[0] - cloud).abs().max() for cloud in clouds[1:]) > 1
    for first, second in zip(clouds, again['inputs']):
        torch.testing.assert_close(first, second['points'], rtol=0, atol=0)
    for cloud, sample in zip(clouds, votes['data_samples']):
        matrix = np.linalg.inv(sample.lidar_aug_matrix)
        back = cloud[:, :3].numpy() @ matrix[:3, :3].T + matrix[:3, 3]
        original = np.fromfile(sample.lidar_path, np.float32).reshape(-1, 5)[:, :3]
        np.testing.assert_allclose(back, original, atol=1e-4)


def test_train_pipeline_of_the_base_config(build, repo_root):
    from mmengine.config import Config

    config = Config.fromfile(repo_root / 'configs/_base_/datasets/nuscenes_lidarseg.py')
    packed = build(pipeline=config.train_pipeline)[0]
    points, labels = packed['inputs']['points'], packed['data_samples'].gt_pts_seg.pts_semantic_mask
    assert 50 < len(points) == len(labels) < 300
    assert (points[:, :3] >= torch.tensor([-50.0, -50, -4])).all()
