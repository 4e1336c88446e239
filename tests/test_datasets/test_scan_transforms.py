"""Chunks and views of scans: against a room whose geometry is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from scannet_samples import CHUNK, CLASS_OF_FACE, LOOK, PACK, SIZE, TEST, TRAIN, dataset, face_of, in_original_frame

AUGMENT = [
    dict(type='RandomSweepTransform', rotation=[-180, 180], flip=True, scale_xy=[0.9, 1.1], translation_std=0.2),
    dict(type='RandomFlipImages', prob=0.5),
]


@pytest.mark.parametrize('seed', range(3))
def test_pixels_keep_their_place_colour_and_label_through_the_whole_pipeline(scannet_rooms, seed):
    """The colour of each packed pixel tells the face that its position lies on, mirrored and rotated or not."""
    np.random.seed(seed)
    sample = dataset(scannet_rooms, [*TRAIN, *AUGMENT, PACK])[0]
    inputs, meta = sample['inputs'], sample['data_samples'].metainfo
    assert len(inputs['pixel_xyz']) == len(inputs['pixel_index']) > 100
    face, gap = face_of(in_original_frame(inputs['pixel_xyz'].numpy().astype(np.float64), meta))
    assert gap.max() < 0.002, 'depth is rounded to millimetres'
    view, row, column = np.unravel_index(inputs['pixel_index'].numpy(), (3, SIZE[1], SIZE[0]))
    colour = inputs['imgs'].numpy()[view, 0, row, column].astype(float)  # blue tells the face: 30 face + 10
    assert (np.abs(colour - (30 * face + 10)) < 12).mean() > 0.8, 'all but the edges, where shrinking averages'
    labels = sample['data_samples'].gt_sem_seg.sem_seg.numpy()[view, row, column]
    assert (labels == CLASS_OF_FACE[face]).mean() > 0.95
    points = in_original_frame(inputs['points'].numpy().astype(np.float64), meta)
    assert face_of(points)[1].max() < 1e-5
    assert (sample['data_samples'].gt_pts_seg.pts_semantic_mask.numpy() == CLASS_OF_FACE[face_of(points)[0]]).all()


def test_chunk_holds_its_points_and_pixels_only(scannet_rooms):
    results = dataset(scannet_rooms, TRAIN[:-1])[0]
    x0, y0, x1, y1 = results['chunk_box']
    assert np.allclose([x1 - x0, y1 - y0], 1.9)
    xyz = results['scan_xyz']
    inside = (xyz[:, 0] >= x0) & (xyz[:, 0] <= x1) & (xyz[:, 1] >= y0) & (xyz[:, 1] <= y1)
    assert len(results['points']) == len(results['pts_semantic_mask']) == inside.sum()
    assert np.array_equal(results['points'].tensor[:, :3].numpy(), xyz[inside])
    assert (results['pts_semantic_mask'] != 20).mean() >= 0.3
    pixels = results['pixel_xyz'][results['pixel_valid']]
    assert (pixels[:, :2] >= [x0 - 0.101, y0 - 0.101]).all() and (pixels[:, :2] <= [x1 + 0.101, y1 + 0.101]).all()
    left_out = results['pixel_xyz'][(results['depth'] > 0) & ~results['pixel_valid']]
    outside = (left_out[:, :2] < [x0 - 0.099, y0 - 0.099]) | (left_out[:, :2] > [x1 + 0.099, y1 + 0.099])
    assert outside.any(axis=1).all()


def test_a_scan_without_enough_labels_is_taken_whole(scannet_rooms):
    results = dataset(scannet_rooms, [dict(type='LoadScan'), dict(CHUNK, min_labelled=1.0, tries=3)])[0]
    assert len(results['points']) == len(results['scan_xyz'])
    assert np.allclose(results['chunk_box'], [-2.2, -1.7, 2.2, 1.7], atol=0.2)


def test_a_fixed_number_of_points_is_drawn_without_repeating_where_there_are_enough(scannet_rooms):
    few = dataset(scannet_rooms, [dict(type='LoadScan'), dict(type='SamplePoints', num_points=50)])[0]
    assert len(np.unique(few['points'].tensor.numpy(), axis=0)) == 50
    many = dataset(scannet_rooms, [dict(type='LoadScan'), dict(type='SamplePoints', num_points=5000)])[0]
    assert len(many['points']) == len(many['pts_semantic_mask']) == 5000


@pytest.mark.parametrize('count', [1, 3, 9])
def test_views_are_those_of_a_plain_greedy_choice(scannet_rooms, count):
    results = dataset(scannet_rooms, [dict(type='LoadScan'), CHUNK, dict(type='SelectViews', num_views=count)])[0]
    arrays = np.load(f'{results["rgbd"]["path"]}/overlap.npz')
    base = results['scan_xyz'][arrays['base']]
    seen = np.unpackbits(arrays['seen'], axis=1, count=len(base)).astype(bool)
    x0, y0, x1, y1 = results['chunk_box']
    left = {k for k, p in enumerate(base) if x0 <= p[0] <= x1 and y0 <= p[1] <= y1}
    expected = []
    while len(expected) < count:
        gains = [len(left & set(np.flatnonzero(row))) for row in seen]
        best = int(np.argmax(gains))
        expected.append(best if gains[best] else -1)
        left -= set(np.flatnonzero(seen[best]))
    assert results['views'].tolist() == expected
    assert count < 9 or -1 in expected, 'five frames cannot give nine useful views'


def test_whole_scan_loads_each_frame_once_and_its_chunks_hold_every_point(scannet_rooms):
    data = dataset(scannet_rooms, [*TEST, PACK], 'val')
    sample = data[0]
    inputs, frames = sample['inputs'], sample['data_samples'].frames
    assert frames == sorted(set(frames)) and len(inputs['imgs']) == len(frames)
    boxes, points = inputs['chunk_boxes'], inputs['points']
    assert boxes.dtype == torch.float32 and inputs['chunk_views'].shape == (len(boxes), 3)
    held = ((points[:, None, :2] >= boxes[:, :2]) & (points[:, None, :2] <= boxes[:, 2:])).all(-1)
    assert held.any(1).all()
    chosen = inputs['chunk_views']
    assert chosen.max() == len(frames) - 1 and chosen.min() >= -1
    assert set(chosen[chosen >= 0].tolist()) == set(range(len(frames)))
    assert len(sample['data_samples'].eval_ann_info['pts_semantic_mask']) == len(points)


def test_boxes_keep_their_points_in_single_precision():
    """A box that ends at a float32 coordinate still holds that point after packing."""
    edge = np.float64(np.float32(0.1)) + 1e-12
    results = dict(chunk_boxes=np.array([[-edge, -edge, edge, edge]]))
    from mmfusion_plugin.datasets.transforms.packing import pack_pixels

    box = pack_pixels(results)['chunk_boxes'][0]
    assert box[2] >= np.float32(0.1) and box[0] <= -np.float32(0.1)


@pytest.mark.parametrize('pipeline, split', [(TRAIN, 'train'), (TEST, 'val')])
def test_no_view_at_all(scannet_rooms, pipeline, split):
    steps = [dict(step, **(dict(num_views=0) if step['type'] == 'SelectViews' else {})) for step in pipeline]
    find = dict(type='FindNeighbours', pixels=3, points=4)
    inputs = dataset(scannet_rooms, [*steps, find, PACK], split)[0]['inputs']
    assert 'imgs' not in inputs and inputs['pixel_xyz'].shape == (0, 3) and inputs['pixel_index'].shape == (0,)
    assert (inputs['pixel_neighbours'] == -1).all() and (inputs['point_neighbours'] >= 0).all()


def test_a_missing_view_is_black_empty_and_ignored(scannet_rooms):
    results = dict(dataset(scannet_rooms, [])[0], views=np.array([1, -1]))
    results['chunk_box'] = np.array([-9.0, -9, 9, 9])
    from mmdet3d.registry import TRANSFORMS

    results = Compose([TRANSFORMS.build(step) for step in LOOK[1:]])(results)
    assert results['frames'] == [1, -1]
    assert not results['img'][1].any() and results['img'][0].any()
    assert not results['pixel_valid'][1].any() and results['pixel_valid'][0].any()
    assert (results['gt_sem_seg'][1] == 20).all() and (results['gt_sem_seg'][0] != 20).any()


def test_neighbours_are_the_nearest(scannet_rooms):
    find = dict(type='FindNeighbours', pixels=5, points=4, octant_radius=0.6)
    inputs = dataset(scannet_rooms, [*TRAIN, *AUGMENT, find, PACK])[0]['inputs']
    points, pixels = inputs['points'].double(), inputs['pixel_xyz'].double()
    for key, others, count in (('pixel_neighbours', pixels, 5), ('point_neighbours', points, 4)):
        distance = (points[:, None] - others).norm(dim=2)
        expected = distance.sort(dim=1).values[:, :count]
        torch.testing.assert_close(distance.gather(1, inputs[key]), expected)
    assert inputs['octants'].shape == (64, 8)


def test_votes_rotate_scan_boxes_and_pixels_alike(scannet_rooms):
    """Chunks are cut out of the rotated scan, and its pixels lie on the rotated walls."""
    vote = dict(type='VoteRotTrans', vote=3, seed=1)
    inputs = dataset(scannet_rooms, [TEST[0], vote, *TEST[1:], PACK], 'val')[0]
    meta = inputs['data_samples'].metainfo
    assert not np.allclose(meta['lidar_aug_matrix'], np.eye(4))
    xyz = inputs['inputs']['pixel_xyz'].numpy().astype(np.float64)
    assert face_of(in_original_frame(xyz, meta))[1].max() < 0.002


def test_cropping_takes_all_maps_along(scannet_rooms):
    crop = dict(type='RandomCropImages', size=(16, 8))
    sample = dataset(scannet_rooms, [*TRAIN, crop, PACK])[0]
    inputs = sample['inputs']
    assert inputs['imgs'].shape == (3, 3, 8, 16) and sample['data_samples'].gt_sem_seg.sem_seg.shape == (3, 8, 16)
    face, _ = face_of(inputs['pixel_xyz'].numpy().astype(np.float64))
    view, row, column = np.unravel_index(inputs['pixel_index'].numpy(), (3, 8, 16))
    colour = inputs['imgs'].numpy()[view, 0, row, column].astype(float)
    assert (np.abs(colour - (30 * face + 10)) < 12).mean() > 0.8


@pytest.mark.parametrize('step, text', [
    (dict(type='RandomChunk', size=1.5), 'two positive lengths'),
    (dict(type='RandomChunk', min_labelled=2), 'min_labelled'),
    (dict(type='CutIntoChunks', stride=2.0), 'stride'),
    (dict(type='SamplePoints', num_points=0), 'num_points'),
    (dict(type='SelectViews', num_views=-1), 'num_views'),
    (dict(type='LoadViews', labels='labels'), 'label-filt'),
    (dict(type='FindNeighbours', octant_radius=-1), 'octant_radius'),
    (dict(type='RandomCropImages', size=16), 'width and height'),
])  # fmt: skip
def test_odd_options_are_refused(step, text):
    from mmdet3d.registry import TRANSFORMS

    with pytest.raises(ValueError, match=text):
        TRANSFORMS.build(step)


def test_order_and_sizes_that_cannot_work_are_named(scannet_rooms):
    resize = dict(type='ResizeImages', size=(16, 16))
    with pytest.raises(ValueError, match='--image-size'):
        dataset(scannet_rooms, [*TRAIN, resize])[0]
    with pytest.raises(ValueError, match='RandomChunk or CutIntoChunks'):
        dataset(scannet_rooms, [dict(type='LoadScan'), LOOK[0]])[0]
    with pytest.raises(ValueError, match='cannot cut'):
        dataset(scannet_rooms, [*TRAIN, dict(type='RandomCropImages', size=(64, 64))])[0]
