"""Damage to views: what is hit, by how much, and that it is the same whoever asks."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from mmdet3d.registry import TRANSFORMS
from scipy.ndimage import label

from mmfusion_plugin.datasets.transforms import DamageViews

HEIGHT, WIDTH = 30, 40


def sample(number: int = 6, scan: str = 'scene0000_00', first: int = 0, missing: int = 0, labels: bool = True) -> dict:
    """A scan of which each view differs from all others; frame ``first + i`` of the recording is view ``i``."""
    rng = np.random.default_rng(5)
    frames = [10 * i for i in range(first + number)]
    images = [np.full((HEIGHT, WIDTH, 3), 50 + frame, np.uint8) for frame in frames[first:]]
    depth = rng.uniform(1, 3, (number, HEIGHT, WIDTH)).astype(np.float32)
    depth[:, :5] = 0  # never measured
    poses = np.tile(np.eye(4, dtype=np.float32), (number, 1, 1))
    poses[:, :3, :3] = np.linalg.qr(rng.standard_normal((number, 3, 3)))[0]
    poses[:, :3, 3] = rng.uniform(-2, 2, (number, 3))
    out: dict[str, Any] = dict(scan_id=scan, img=images, depth=depth, cam2world=poses, rgbd=dict(frames=frames),
                               views=np.arange(first, first + number))
    if labels:
        out['gt_sem_seg'] = np.stack([np.full((HEIGHT, WIDTH), i % 20, np.int64) for i in range(number)])
    for view in range(missing):
        out['views'][view], out['depth'][view], out['img'][view][:] = -1, 0, 0
        if labels:
            out['gt_sem_seg'][view] = 20
    return out


def damage(data: dict, **kwargs: Any) -> dict:
    """The damaged sample; what was handed over stays as it was."""
    before = copy.deepcopy(data)
    after = TRANSFORMS.build(dict(type='DamageViews', **kwargs))(dict(data))
    assert_same(data, before)
    return after


def assert_same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for key in ('img', 'depth', 'cam2world', *(['gt_sem_seg'] if 'gt_sem_seg' in one else [])):
        assert len(one[key]) == len(other[key])
        for a, b in zip(one[key], other[key]):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype


def black(data: dict) -> np.ndarray:
    return np.array([not image.any() for image in data['img']])


def blind(data: dict) -> np.ndarray:
    return ~data['depth'].any((1, 2))


def test_nothing_is_asked_nothing_changes():
    assert_same(damage(sample()), sample())
    assert_same(damage(sample(missing=2)), sample(missing=2))


def test_dropped_views_are_black_without_depth_and_ignored():
    data = sample()
    out = damage(data, drop=0.5)
    assert black(out).sum() == 3
    np.testing.assert_array_equal(black(out), blind(out))
    np.testing.assert_array_equal(black(out), (out['gt_sem_seg'] == 20).all((1, 2)))
    for view in np.flatnonzero(~black(out)):
        np.testing.assert_array_equal(out['img'][view], data['img'][view])
        np.testing.assert_array_equal(out['depth'][view], data['depth'][view])
    np.testing.assert_array_equal(out['cam2world'], data['cam2world'])
    assert black(damage(data, drop=1.0)).all()


def test_black_views_keep_their_depth():
    out = damage(sample(), black=0.5)
    assert black(out).sum() == 3 and not blind(out).any()
    np.testing.assert_array_equal(out['depth'], sample()['depth'])
    np.testing.assert_array_equal(black(out), (out['gt_sem_seg'] == 20).all((1, 2)))


@pytest.mark.parametrize('share, count', [(0.5, 3), (1.0, 6)])
def test_swapped_views_show_another_view_with_its_labels(share, count):
    data = sample()
    out = damage(data, swap=share)
    shown = [image[0, 0, 0] // 10 - 5 for image in out['img']]  # the frame whose image it is
    assert (np.array(shown) != np.arange(6)).sum() == count and set(shown) <= set(range(6))
    np.testing.assert_array_equal(out['gt_sem_seg'][:, 0, 0], shown)
    np.testing.assert_array_equal(out['depth'], data['depth'])
    np.testing.assert_array_equal(out['cam2world'], data['cam2world'])


def test_a_single_view_has_none_to_be_swapped_with():
    assert_same(damage(sample(1), swap=1.0), sample(1))
    assert_same(damage(sample(3, missing=2), swap=1.0), sample(3, missing=2))


def test_no_view_at_all():
    empty = dict(scan_id='a', img=[], depth=np.zeros((0, 3, 4)), cam2world=np.zeros((0, 4, 4)), views=np.zeros(0, int))
    assert_same(damage(dict(empty), drop=1.0, swap=1.0, depth_holes=0.5, pose_rotation=1.0), empty)
    assert_same(damage(sample(2, missing=2), drop=0.5, pose_rotation=1.0), sample(2, missing=2))


def test_missing_views_are_not_counted_as_dropped():
    for seed in range(10):
        out = damage(sample(6, missing=2), drop=0.5, seed=seed)
        assert black(out).sum() == 4 and black(out)[:2].all()


def test_mean_share_over_scans_is_exact():
    hit = [black(damage(sample(3, f'scene{i:04d}_00'), drop=0.2)).sum() for i in range(400)]
    assert set(hit) == {0, 1}  # 0.6 of three views
    assert np.mean(hit) == pytest.approx(0.6, abs=0.08)


def test_greater_shares_add_to_smaller_ones():
    for kind, seen in (('drop', black), ('black', black), ('depth_holes', lambda out: out['depth'] == 0)):
        hit = [seen(damage(sample(), **{kind: share})) for share in (0.1, 0.3, 0.5, 0.8)]
        for less, more in zip(hit, hit[1:]):
            assert (less <= more).all() and more.sum() > less.sum()


def errors(out: dict, data: dict) -> tuple[np.ndarray, np.ndarray]:
    """Metres and degrees between the poses, from the rotation's trace."""
    between = np.linalg.inv(data['cam2world'].astype(np.float64)) @ out['cam2world']
    cosine = (np.trace(between[:, :3, :3], axis1=1, axis2=2) - 1) / 2
    np.testing.assert_allclose(np.linalg.det(out['cam2world'][:, :3, :3]), np.linalg.det(data['cam2world'][:, :3, :3]),
                               atol=1e-5)
    return between[:, :3, 3], np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))


def test_pose_errors_are_rigid_and_as_large_as_asked():
    data = sample(8)
    runs = [errors(damage(dict(data, scan_id=str(i)), pose_translation=0.1, pose_rotation=2.0), data)
            for i in range(60)]
    shift, turn = (np.concatenate(part) for part in zip(*runs))
    np.testing.assert_allclose(shift.std(0), 0.1, rtol=0.15)
    np.testing.assert_allclose(shift.mean(0), 0, atol=0.02)
    assert np.sqrt((turn**2).mean()) == pytest.approx(2 * np.sqrt(3), rel=0.1)  # three axes
    shift, turn = errors(damage(data, pose_translation=0.1), data)
    assert (np.abs(shift) > 1e-4).any(1).all() and turn.max() < 0.1  # float32
    half = errors(damage(data, pose_translation=0.05), data)[0]
    np.testing.assert_allclose(half, shift / 2, atol=1e-5)


def test_depth_holes_are_blobs_of_the_asked_size():
    data = sample()
    out = damage(data, depth_holes=0.3)
    hidden = (data['depth'] > 0) & (out['depth'] == 0)
    np.testing.assert_array_equal(hidden.sum((1, 2)), round(0.3 * 25 * WIDTH))
    np.testing.assert_array_equal(out['depth'][~hidden], data['depth'][~hidden])
    assert not (hidden[0] == hidden[1]).all()
    for view in hidden:
        pieces, count = label(view)
        assert view.sum() / count > 12  # pixels of chance would stand almost alone: 30 % of them, below 3
    assert not damage(data, depth_holes=1.0)['depth'].any()
    np.testing.assert_array_equal(damage(data, depth_holes=0.3)['img'], data['img'])


EVERYTHING = dict(swap=0.4, black=0.3, drop=0.2, pose_translation=0.1, pose_rotation=1.0, depth_holes=0.2)


def test_same_damage_in_any_order_of_samples():
    transform = DamageViews(**EVERYTHING)
    names = [f'scene{i:04d}_00' for i in range(4)]
    forward = {name: transform(sample(scan=name)) for name in names}
    np.random.seed(7)
    backward = {name: DamageViews(**EVERYTHING)(sample(scan=name)) for name in names[::-1]}
    for name in names:
        assert_same(forward[name], backward[name])
    assert not np.array_equal(forward[names[0]]['cam2world'], forward[names[1]]['cam2world'])
    other = DamageViews(**EVERYTHING, seed=1)(sample(scan=names[0]))
    assert not np.array_equal(forward[names[0]]['cam2world'], other['cam2world'])


def test_a_frame_has_one_error_in_every_chunk():
    """Frames 3..5 as views of a chunk, and among all views of the scan."""
    whole, chunk = sample(6), sample(6)
    for key in ('img', 'depth', 'cam2world', 'gt_sem_seg', 'views'):
        chunk[key] = chunk[key][3:]
    asked = dict(pose_translation=0.1, pose_rotation=1.0, depth_holes=0.3)
    whole, chunk = damage(whole, **asked), damage(chunk, **asked)
    np.testing.assert_array_equal(whole['cam2world'][3:], chunk['cam2world'])
    np.testing.assert_array_equal(whole['depth'][3:], chunk['depth'])


def test_without_a_seed_each_time_is_new():
    np.random.seed(0)
    transform = DamageViews(pose_translation=0.1, seed=None)
    assert not np.array_equal(transform(sample())['cam2world'], transform(sample())['cam2world'])
    np.random.seed(0)
    first = transform(sample())
    np.random.seed(0)
    assert_same(first, transform(sample()))


def test_without_labels_and_without_names_of_frames():
    data = sample(labels=False)
    del data['rgbd'], data['views']
    out = damage(data, **{**EVERYTHING, 'drop': 0.5})
    assert 'gt_sem_seg' not in out and blind(out).sum() == 3


def test_images_alone():
    data = sample()
    del data['depth'], data['cam2world']
    out = DamageViews(**EVERYTHING)(dict(data))
    np.testing.assert_array_equal(np.stack(out['img']), np.stack(damage(sample(), **EVERYTHING)['img']))


def test_everything_at_once_is_what_the_parts_are():
    """Swapped, then black, then dropped: a dropped view is black, whatever it would have shown."""
    out = damage(sample(), swap=1.0, drop=0.5)
    np.testing.assert_array_equal(black(out), black(damage(sample(), drop=0.5)))
    kept = ~black(out)
    shown = np.stack(damage(sample(), swap=1.0)['img'])
    np.testing.assert_array_equal(np.stack(out['img'])[kept], shown[kept])


@pytest.mark.parametrize('wrong', [dict(drop=1.1), dict(black=-0.1), dict(swap='all'), dict(depth_holes=30),
                                   dict(pose_translation=-0.1), dict(pose_rotation=float('nan')), dict(seed=-1)])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DamageViews(**wrong)
