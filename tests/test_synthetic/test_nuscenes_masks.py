"""Instance masks of a generated world: what they hold, and that they leave the world as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

pytest.importorskip('embreex', reason='embreex is not installed')
coco = pytest.importorskip('pycocotools.mask')

from mmfusion_plugin.converters.boxes_2d_coco import boxes_from_coco  # noqa: E402
from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos  # noqa: E402
from mmfusion_plugin.converters.nuscenes_taxonomy import CAMERAS, FINE_NAMES  # noqa: E402
from mmfusion_plugin.datasets import NuScenesLidarSegDataset  # noqa: E402
from mmfusion_plugin.synthetic.nuscenes import make_nuscenes  # noqa: E402
from mmfusion_plugin.synthetic.nuscenes_masks import instance_masks  # noqa: E402

MASKS = 'v1.0-trainval/instance_masks.json'
ONE = dict(scenes=1, keyframes=1, seed=5, val_scenes=0, progress=False)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob('*') if path.is_file()}


@pytest.fixture(scope='module')
def plain(tmp_path_factory) -> Path:
    return make_nuscenes(tmp_path_factory.mktemp('plain') / 'world', **ONE)


@pytest.fixture(scope='module')
def masked(plain: Path, tmp_path_factory) -> Path:
    """The same world, masks added to it; not to be changed."""
    root = Path(shutil.copytree(plain, tmp_path_factory.mktemp('masked') / 'world'))
    return make_nuscenes(root, masks=True, **ONE)


def test_masks_are_one_more_file(plain, masked, tmp_path):
    without, added = contents(plain), contents(masked)
    assert {name: added[name] for name in without} == without and set(added) - set(without) == {MASKS}
    assert contents(make_nuscenes(tmp_path / 'at_once', masks=True, **ONE)) == added
    make_nuscenes(masked, **ONE)  # the masks stay
    assert contents(masked) == added


def test_refusals(masked, tmp_path):
    with pytest.raises(FileExistsError, match='seed: 5 there, 6 asked'):
        make_nuscenes(masked, masks=True, **{**ONE, 'seed': 6})
    with pytest.raises(ValueError, match='v1.0-test has no annotations'):
        make_nuscenes(tmp_path / 'world', version='v1.0-test', masks=True, **ONE)
    assert not (tmp_path / 'world').exists()


def test_run_lengths_of_an_instance_render():
    ids = np.full((6, 9), -1, np.int32)
    ids[1:4, 2:5], ids[2, 3], ids[5, 8] = 7, 3, 0
    masks = instance_masks(ids)
    assert [mask['instance'] for mask in masks] == [0, 3, 7]
    assert [mask['bbox'] for mask in masks] == [[8, 5, 1, 1], [3, 2, 1, 1], [2, 1, 3, 3]]
    assert [mask['area'] for mask in masks] == [1, 1, 8]
    for mask in masks:
        np.testing.assert_array_equal(coco.decode(mask['segmentation']), ids == mask['instance'])
    assert instance_masks(np.full((4, 4), -1)) == []


def test_file_is_a_coco_dataset_of_annotated_objects(masked):
    content = json.loads((masked / MASKS).read_text())
    rows = {name: json.loads((masked / f'v1.0-trainval/{name}.json').read_text())
            for name in ('sample_data', 'instance', 'category', 'sample_annotation')}
    images = {image['id']: image for image in content['images']}
    assert {image['file_name'] for image in images.values()} == {
        row['filename'] for row in rows['sample_data'] if row['fileformat'] == 'jpg'}
    category = {row['token']: row['name'] for row in rows['category']}
    instance = {row['token']: category[row['category_token']] for row in rows['instance']}
    names = {one['id']: one['name'] for one in content['categories']}
    assert list(names.values()) == list(FINE_NAMES)
    covered = {key: np.zeros((900, 1600), int) for key in images}
    for mask in content['annotations']:
        assert names[mask['category_id']] == instance[mask['instance_token']]
        pixels = coco.decode(mask['segmentation'])
        covered[mask['image_id']] += pixels
        (top, bottom), (left, right) = (np.flatnonzero(pixels.any(axis))[[0, -1]] for axis in (1, 0))
        assert mask['bbox'] == [left, top, right - left + 1, bottom - top + 1]
        assert mask['area'] == pixels.sum()
    assert max(count.max() for count in covered.values()) == 1, 'a pixel shows one object'
    assert len(content['annotations']) > 20


def test_points_in_masks_have_the_class_of_their_object(masked, tmp_path):
    """LiDAR labels know nothing of the renderer: a mask holds points of its class, a whole box others beside."""
    (infos, *_) = create_nuscenes_infos(masked, tmp_path, max_sweeps=0)
    summary = boxes_from_coco(infos, masked / MASKS, tmp_path / 'masks.json')
    assert summary.kept == summary.tracked > 20
    init_default_scope('mmdet3d')
    prefix = {'pts': 'samples/LIDAR_TOP', **{camera: f'samples/{camera}' for camera in CAMERAS}}
    dataset = NuScenesLidarSegDataset(data_root=str(masked), ann_file=str(tmp_path / 'masks.json'),
                                      modality=dict(use_camera=True), data_prefix=prefix)
    right = {}
    info = dataset.get_data_info(0)
    for with_masks in (False, True):
        results = Compose([
            dict(type='LoadLidarSweep'), dict(type='LoadLidarSeg'), dict(type='LoadCameraImages'),
            dict(type='LoadBoxes2D', with_masks=with_masks), dict(type='MatchPointsToPixels')])(info.copy())
        boxes, match = results['gt_boxes_2d'], results['point_pixel_match']
        same = held = 0
        for k in np.flatnonzero(boxes.label < 16):
            seen = match.visible[:, boxes.view[k]]
            pixels, labels = match.pixels[seen, boxes.view[k]], results['pts_semantic_mask'][seen]
            inside = boxes.contains(np.full(len(pixels), k), pixels)
            same, held = same + (labels[inside] == boxes.label[k]).sum(), held + inside.sum()
        right[with_masks] = same / held
        assert same > 200
    # Not all: the LiDAR sees past objects that hide others from the camera, and sees them at another moment.
    assert right[True] > 0.8 and right[True] > right[False] + 0.1, right
