"""The commands that write 2D boxes, each run as a user would."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from nuscenes_hand_world import make_world

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos


@pytest.fixture(scope='module')
def infos(tmp_path_factory):
    """An info file; not to be changed."""
    root = make_world(tmp_path_factory.mktemp('box_world'))
    return create_nuscenes_infos(root, root, max_sweeps=0)[0]


@pytest.fixture
def command(repo_root):
    """Run a converter; its output, or a failure that shows it."""

    def run(tool: str, *arguments: object, status: int = 0) -> str:
        done = subprocess.run([sys.executable, f'tools/dataset_converters/{tool}.py', *map(str, arguments)],
                              cwd=repo_root, text=True, timeout=200, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == status, done.stdout
        return done.stdout

    return run


@pytest.mark.slow
def test_boxes_from_coco(command, infos, tmp_path):
    image = json.loads(infos.read_text())['data_list'][0]['images']['CAM_FRONT']
    images = [dict(id=4, file_name=f'samples/CAM_FRONT/{image["img_path"]}', width=1600, height=900)]
    categories = [dict(id=1, name='kid'), dict(id=2, name='zebra')]
    coco, results, out = (tmp_path / f'{name}.json' for name in ('coco', 'results', 'new'))
    coco.write_text(json.dumps(dict(images=images, categories=categories)))
    boxes = [dict(image_id=4, category_id=1 + number % 2, bbox=[0, 0, 9, 9], score=number / 4) for number in range(4)]
    results.write_text(json.dumps(boxes))
    arguments = (infos, results, '--images', coco, '--out', out, '--score-thr', 0.1)
    text = command('boxes_from_coco', *arguments, '--categories', 'kid=human.pedestrian.child')
    assert '1 boxes kept' in text and "1 below the score, 2 of unknown category 'zebra'" in text
    assert '36 images, 35 of them not in the COCO file' in text
    assert json.loads(out.read_text())['data_list'][0]['images']['CAM_FRONT']['boxes_2d'][0]['category'] == 3
    assert 'none of the categories kid, zebra' in command('boxes_from_coco', *arguments, status=1)
    assert 'NAME=FINE' in command('boxes_from_coco', *arguments, '--categories', 'kid', status=1)


@pytest.mark.slow
def test_degrade_boxes(command, infos, tmp_path):
    text = command('degrade_boxes', infos, '--level', 0, '--out', tmp_path / 'exact.json')
    assert 'recall 1.000, precision 1.000' in text and (tmp_path / 'exact.json').read_bytes() == infos.read_bytes()
    changes = ('--level', 3, '--miss', 1, '--false-positives', 0)
    text = command('degrade_boxes', infos, *changes, '--out', tmp_path / 'a.json')
    assert 'miss=1.0, false_positives=0.0, wrong_class=0.2' in text and 'recall 0.000' in text
    assert 'jitter must be in' in command('degrade_boxes', infos, '--level', 1, '--jitter', -1, '--out',
                                          tmp_path / 'b.json', status=1)


@pytest.mark.slow
def test_images_to_coco(command, infos, tmp_path):
    text = command('images_to_coco', infos, '--classes', 'nuimages', '--out', tmp_path / 'images.json')
    assert '36 images, 10 classes' in text and len(json.loads((tmp_path / 'images.json').read_text())['images']) == 36
    assert 'is given twice' in command('images_to_coco', infos, '--classes', 'a', 'a', '--out', tmp_path / 'b.json',
                                       status=1)
