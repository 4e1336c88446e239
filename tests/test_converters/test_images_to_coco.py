"""The list of images for a detector, by MMDetection's own dataset and metric, and the way back."""

from __future__ import annotations

import json

import pytest
import torch

from mmfusion_plugin.converters.boxes_2d_coco import boxes_from_coco
from mmfusion_plugin.converters.images_to_coco import images_to_coco, named_classes

INFOS = 'nuscenes_infos_train.json'


@pytest.mark.parametrize('names', [['coco'], ['nuimages'], ['bus', 'sheep', 'car']])
def test_from_images_to_boxes(hand_world, hand_infos, tmp_path, names):
    """A stand-in for a model answers a car in each image; its results end up as cars in the info file."""
    from mmdet.datasets import CocoDataset
    from mmdet.evaluation import CocoMetric
    from pycocotools import mask as coco_mask

    classes = named_classes(names)
    assert images_to_coco(hand_infos / INFOS, tmp_path / 'images.json', classes) == 36
    dataset = CocoDataset(
        data_root=str(hand_world), ann_file=str(tmp_path / 'images.json'), data_prefix=dict(img='./'),
        metainfo=dict(classes=classes), test_mode=True, pipeline=[])  # fmt: skip
    assert len(dataset) == 36 and dataset.metainfo['classes'] == classes
    metric = CocoMetric(
        ann_file=str(tmp_path / 'images.json'), metric=['bbox', 'segm'], format_only=True,
        outfile_prefix=str(tmp_path / 'boxes'))  # fmt: skip
    metric.dataset_meta = dataset.metainfo
    for number in range(len(dataset)):
        image = dataset.get_data_info(number)
        mask = torch.zeros(1, image['height'], image['width'], dtype=torch.bool)
        mask[:, 100:140, 200:260] = True
        found = dict(
            bboxes=torch.tensor([[200.0, 100.0, 260.0, 140.0]]), scores=torch.tensor([0.9]),
            labels=torch.tensor([classes.index('car')]), masks=mask)  # fmt: skip
        sample = dict(img_id=image['img_id'], ori_shape=(image['height'], image['width']), pred_instances=found)
        metric.process({}, [sample])
    metric.evaluate(len(dataset))
    for ending, masks in (('bbox', 0), ('segm', 36)):
        out = tmp_path / f'{ending}.json'
        summary = boxes_from_coco(hand_infos / INFOS, tmp_path / f'boxes.{ending}.json', out, tmp_path / 'images.json')
        assert (summary.without_entry, summary.kept) == (0, 36)
        images = [image for entry in json.loads(out.read_text())['data_list'] for image in entry['images'].values()]
        boxes = [box for image in images for box in image['boxes_2d']]
        assert {box['category_name'] for box in boxes} == {'vehicle.car'}
        assert all(box['bbox'] == [199.5, 99.5, 259.5, 139.5] for box in boxes)
        areas = [coco_mask.area(box['segmentation']) for box in boxes if 'segmentation' in box]
        assert areas == [40 * 60] * masks


def test_file_names_lead_to_images(hand_infos, tmp_path):
    images_to_coco(hand_infos / INFOS, tmp_path / 'images.json', ['car'])
    listed = json.loads((tmp_path / 'images.json').read_text())['images']
    infos = json.loads((hand_infos / INFOS).read_text())['data_list']
    names = [f'samples/{c}/{image["img_path"]}' for entry in infos for c, image in entry['images'].items()]
    assert [image['file_name'] for image in listed] == names and len(set(names)) == 36
    assert {(image['width'], image['height']) for image in listed} == {(1600, 900)}


def test_refusals(hand_infos, tmp_path):
    with pytest.raises(ValueError, match="'car' is given twice"):
        named_classes(['car', 'bus', 'car'])
    with pytest.raises(FileNotFoundError, match='create_data'):
        images_to_coco(tmp_path / 'none.json', tmp_path / 'images.json', ['car'])
    content = json.loads((hand_infos / INFOS).read_text())
    del content['data_list'][1]['images']['CAM_BACK']['width']
    (tmp_path / 'infos.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='no width and height'):
        images_to_coco(tmp_path / 'infos.json', tmp_path / 'images.json', ['car'])
    assert not (tmp_path / 'images.json').exists()
