"""2D boxes from COCO-style files: made by hand, and checked in the dataset that reads them."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmfusion_plugin.converters.boxes_2d_categories import fine_category
from mmfusion_plugin.converters.boxes_2d_coco import boxes_from_coco
from mmfusion_plugin.converters.nuscenes_taxonomy import DETECTION_CLASSES, FINE_NAMES, FINE_TO_DETECTION
from mmfusion_plugin.datasets import NuScenesLidarSegDataset

INFOS = 'nuscenes_infos_train.json'
SQUARE = [[10, 20, 30, 20, 30, 40, 10, 40]]


@pytest.fixture
def infos(hand_infos):
    return hand_infos / INFOS


def entries(path) -> list[dict]:
    return json.loads(path.read_text())['data_list']


@pytest.fixture
def dataset(infos) -> dict:
    """Boxes for the front image of the first sample; all images are known."""
    names = [f'samples/{c}/{image["img_path"]}' for entry in entries(infos) for c, image in entry['images'].items()]
    front = next(i for i, name in enumerate(names) if 'CAM_FRONT/' in name)
    bus = dict(image_id=front, category_id=6)
    return dict(
        images=[dict(id=i, file_name=name, width=1600, height=900) for i, name in enumerate(names)],
        categories=[dict(id=1, name='person'), dict(id=6, name='bus'), dict(id=9, name='traffic light')],
        annotations=[
            dict(image_id=front, category_id=1, bbox=[10, 20, 20, 20], segmentation=SQUARE, score=0.8),
            dict(bus, bbox=[-5.0, 0, 2000, 900]),
            dict(bus, bbox=[100, 100, 50, 40.25], score=0.29),
            dict(bus, bbox=[100, 100, 50, 40.25], score=0.3),
            dict(bus, bbox=[100, 100, 0, 40]),
            dict(bus, bbox=[1601, 100, 10, 40]),
            dict(bus, bbox=[100, 100, 10, 40], iscrowd=1, segmentation={}),
            dict(bus, bbox=[100, 100, 10, 40], category_id=9),
        ],
    )


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def test_boxes_arrive_in_the_dataset(infos, dataset, hand_world, tmp_path):
    out = tmp_path / 'new.json'
    summary = boxes_from_coco(infos, write(tmp_path / 'coco.json', dataset), out)
    assert (summary.samples, summary.images, summary.without_entry, summary.kept) == (6, 36, 0, 3)
    assert summary.left_out == {'below the score': 1, 'crowds': 1, 'empty or outside the image': 2}
    assert summary.unknown == {'traffic light': 1}
    assert "1 of unknown category 'traffic light'" in str(summary)
    # All else is as it was, and the file has the layout that is read line by line.
    before, after = entries(infos), entries(out)
    boxes = after[0]['images']['CAM_FRONT']['boxes_2d']
    for entry in before + after:
        for image in entry['images'].values():
            del image['boxes_2d']
    assert before == after
    assert len(out.read_text().splitlines()) == len(infos.read_text().splitlines())
    common = dict(visibility=0, truncation=0.0, depth=0.0)
    adult = dict(category=2, category_name='human.pedestrian.adult')
    bus = dict(category=16, category_name='vehicle.bus.rigid')
    assert boxes == [
        dict(bbox=[9.5, 19.5, 29.5, 39.5], segmentation=SQUARE, score=0.8, **adult, **common),
        dict(bbox=[0, 0, 1600, 899.5], **bus, **common),
        dict(bbox=[99.5, 99.5, 149.5, 139.75], score=0.3, **bus, **common),
    ]
    init_default_scope('mmdet3d')
    prefix = {'pts': 'samples/LIDAR_TOP', **{camera: f'samples/{camera}' for camera in before[0]['images']}}
    loaded = NuScenesLidarSegDataset(
        data_root=str(hand_world), ann_file=str(out), modality=dict(use_camera=True), data_prefix=prefix
    ).get_data_info(0)
    steps = [dict(type='LoadCameraImages', cameras=['CAM_FRONT']), dict(type='LoadBoxes2D', with_masks=True)]
    held = Compose(steps)(copy.deepcopy(loaded))['gt_boxes_2d']
    np.testing.assert_allclose(held.xyxy[1], [-0.5, -0.5, 1599.5, 899.5])
    assert held.label.tolist() == [6, 2, 2] and held.mask.all() and held.depth.tolist() == [0, 0, 0]


def test_results_with_images(infos, dataset, tmp_path):
    results = [dict(box, score=box.get('score', 0.9)) for box in dataset['annotations'] if 'iscrowd' not in box]
    content = {key: dataset[key] for key in ('images', 'categories')}
    images, results = write(tmp_path / 'images.json', content), write(tmp_path / 'results.bbox.json', results)
    summary = boxes_from_coco(infos, results, tmp_path / 'new.json', images)
    whole = boxes_from_coco(infos, write(tmp_path / 'coco.json', dataset), tmp_path / 'other.json')
    assert summary.kept == whole.kept == 3
    boxes = [entries(tmp_path / name)[0]['images']['CAM_FRONT']['boxes_2d'] for name in ('new.json', 'other.json')]
    assert [box['bbox'] for box in boxes[0]] == [box['bbox'] for box in boxes[1]]
    assert boxes_from_coco(infos, results, tmp_path / 'new.json', images, score_thr=0.85).kept == 1
    with pytest.raises(ValueError, match='--images'):
        boxes_from_coco(infos, results, tmp_path / 'new.json')


def test_instances_keep_what_is_known_of_them(infos, dataset, tmp_path):
    known = entries(infos)[0]['images']['CAM_FRONT']['boxes_2d'][0]
    dataset['annotations'][0]['instance_token'] = known['instance_token']
    dataset['annotations'][1]['instance_token'] = 'another'
    summary = boxes_from_coco(infos, write(tmp_path / 'coco.json', dataset), tmp_path / 'new.json')
    first, second, _ = entries(tmp_path / 'new.json')[0]['images']['CAM_FRONT']['boxes_2d']
    assert summary.tracked == 1 and known['depth'] > 0
    assert all(first[key] == known[key] for key in ('depth', 'visibility', 'truncation', 'instance_token'))
    assert second['depth'] == second['visibility'] == 0


def test_file_names(infos, dataset, tmp_path):
    """Folders do not matter while names differ; where they do not, the camera's folder decides."""
    out = tmp_path / 'new.json'
    for image in dataset['images']:
        image['file_name'] = 'C:\\any\\' + image['file_name'].split('/')[-1]
    assert boxes_from_coco(infos, write(tmp_path / 'coco.json', dataset), out).without_entry == 0
    front = dataset['annotations'][0]['image_id']
    name = dataset['images'][front]['file_name'].split('\\')[-1]
    other = next(image for image in dataset['images'] if image['id'] != front)
    dataset['images'][front]['file_name'], other['file_name'] = f'CAM_FRONT/{name}', f'copies/{name}'
    summary = boxes_from_coco(infos, write(tmp_path / 'coco.json', dataset), out)
    assert (summary.without_entry, summary.kept) == (1, 3)
    dataset['images'][front]['file_name'] = f'others/{name}'
    with pytest.raises(ValueError, match=f'{name} is the name of several images'):
        boxes_from_coco(infos, write(tmp_path / 'coco.json', dataset), out)


def test_category_names():
    for name in FINE_NAMES:
        assert FINE_NAMES[fine_category(name)] == name
    for label, name in enumerate(DETECTION_CLASSES):
        assert FINE_TO_DETECTION[fine_category(name)] == label
    assert fine_category('Traffic Cone') == fine_category('traffic-cone') == fine_category('traffic_cone') == 12
    coco = ['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck', 'train', 'dog']
    assert [fine_category(name) for name in coco] == [2, 14, 17, 21, 16, 23, None, None]
    assert fine_category('Dog', {'dog': 'animal'}) == 1 and fine_category('person', {'person': 'animal'}) == 1
    with pytest.raises(ValueError, match="'cat' is no fine category"):
        fine_category('dog', {'dog': 'cat'})


def broken(dataset, **changes):
    dataset['annotations'][1].update(changes)
    return dataset


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (lambda d: '', 'no COCO file'),
        (lambda d: json.dumps(d)[:-9], 'not complete JSON'),
        (lambda d: {'images': d['images']}, 'no list of "categories"'),
        (lambda d: dict(d, annotations=None), 'no list of "annotations"'),
        (lambda d: dict(d, categories=[dict(id=1, name='zebra')]), 'none of the categories zebra is known'),
        (lambda d: dict(d, categories=[dict(id=1)]), '"id" and "name"'),
        (lambda d: dict(d, images=[dict(id=1, file_name='a')]), "image 0: it has no 'width'"),
        (lambda d: dict(d, images=[dict(d['images'][0], width='1600')]), 'two sizes in pixels'),
        (lambda d: dict(d, images=[d['images'][0]] * 2), 'is that of samples'),
        (lambda d: dict(d, images=[dict(i, file_name=f'x/{i["id"]}') for i in d['images']]), 'none of the 36'),
        (lambda d: dict(d, images=[dict(image, width=800) for image in d['images']]), r'is 800 x 900 .* 1600 x 900'),
        (lambda d: broken(d, bbox=[0, 0, -3, 4]), 'box 1: .*negative size'),
        (lambda d: broken(d, bbox=[0, 0, float('nan'), 4]), 'box 1: .*4 finite numbers'),
        (lambda d: broken(d, bbox=[0, 0, 3]), '4 finite numbers'),
        (lambda d: broken(d, bbox=7), '4 finite numbers'),
        (lambda d: broken(d, score=float('inf')), '1 finite number'),
        (lambda d: broken(d, image_id=99), 'no image has the id 99'),
        (lambda d: broken(d, category_id=99), 'no category has the id 99'),
        (lambda d: broken(d, segmentation=[[1, 2]]), 'box 1: a polygon'),
        (lambda d: broken(d, segmentation=dict(size=[900, 1600], counts='83')), 'box 1: run lengths are damaged'),
        (lambda d: dict(d, annotations=[dict(image_id=0)]), "box 0: it has no 'category_id'"),
        (lambda d: dict(d, annotations=[3]), 'box 0'),
    ],
)
def test_damage_is_named_and_nothing_written(infos, dataset, tmp_path, damage, words):
    content = damage(dataset)
    path = tmp_path / 'coco.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=words):
        boxes_from_coco(infos, path, tmp_path / 'new.json')
    assert [one.name for one in tmp_path.iterdir()] == ['coco.json']


def test_damaged_results_and_infos(infos, dataset, tmp_path):
    images = write(tmp_path / 'images.json', dataset)
    results = tmp_path / 'results.json'
    results.write_text('[{"image_id": 0, ')
    with pytest.raises(ValueError, match='breaks off'):
        boxes_from_coco(infos, results, tmp_path / 'new.json', images)
    with pytest.raises(FileNotFoundError, match='COCO file'):
        boxes_from_coco(infos, tmp_path / 'none.json', tmp_path / 'new.json')
    with pytest.raises(FileNotFoundError, match='create_data'):
        boxes_from_coco(tmp_path / 'none.json', images, tmp_path / 'new.json')
    with pytest.raises(ValueError, match='would replace'):
        boxes_from_coco(infos, images, infos)
    cut = tmp_path / 'cut.json'
    cut.write_text(infos.read_text()[:-5])
    with pytest.raises(ValueError, match='cut.json'):
        boxes_from_coco(cut, images, tmp_path / 'new.json')
    with pytest.raises(ValueError, match='not an info file'):
        boxes_from_coco(images, images, tmp_path / 'new.json')
    pretty = tmp_path / 'pretty.json'
    pretty.write_text(json.dumps(json.loads(infos.read_text()), indent=1))
    boxes_from_coco(pretty, images, tmp_path / 'a.json')
    boxes_from_coco(infos, images, tmp_path / 'b.json')
    assert (tmp_path / 'a.json').read_bytes() == (tmp_path / 'b.json').read_bytes()
