"""``tools/dataset_converters/mesh_to_shapenet.py`` as its user meets it: files, the sheet, faults."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from shapenet_hand_world import write_obj

pytest.importorskip('embreex', reason='embreex is not installed')

from mmfusion_plugin.converters.shapenet import create_shapenet  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TOOL = 'tools/dataset_converters/mesh_to_shapenet.py'


@pytest.fixture()
def tool(monkeypatch, capsys):
    """Run the tool in this process; its status, output and errors."""
    def run(*arguments: object) -> tuple:
        monkeypatch.setattr(sys, 'argv', [TOOL, *map(str, arguments), '--workers', '1'])
        status = runpy.run_path(str(ROOT / TOOL))['main']()
        text = capsys.readouterr()
        return status, text.out, text.err

    return run


@pytest.fixture()
def meshes(tmp_path) -> Path:
    """Two chairs and a table."""
    write_obj(tmp_path / 'meshes/chair/hand.obj')
    (tmp_path / 'meshes/tables').mkdir()
    trimesh.creation.torus(1, 0.3, 12, 8).export(tmp_path / 'meshes/chair/ring.off')
    trimesh.creation.box((1, 0.6, 2)).export(tmp_path / 'meshes/tables/flat.stl')
    return tmp_path / 'meshes'


def test_a_tree_that_other_tools_read(meshes, tool, tmp_path):
    out = tmp_path / 'out'
    status, text, errors = tool(meshes, '--out', out, '--category', 'table', '--views', 2, '--front=-z')
    assert status == 0 and f'{out}: 3 models, 2 views of each model' in text and 'error' not in errors
    picture = np.asarray(Image.open(out / 'models.png').convert('RGB'))
    assert picture.shape[1] > 1000 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
    create_shapenet(out, views=2)
    assert '"missing": {}' in (out / 'shapenet_manifest.json').read_text()
    status, text, _ = tool(meshes / 'chair', '--out', tmp_path / 'two', '--views', 1, '--shown', 0)
    assert status == 0 and '2 models' in text and not (tmp_path / 'two/models.png').exists()


def test_faults_are_told(meshes, tool, tmp_path):
    (meshes / 'chair/broken.ply').write_bytes(b'ply')
    status, text, errors = tool(meshes, '--out', tmp_path / 'out', '--category', 'table', '--views', 1, '--shown', 1)
    assert status == 3 and '3 models' in text and 'broken.ply is no readable mesh' in errors
    status, _, errors = tool(meshes / 'chair/broken.ply', '--out', tmp_path / 'none', '--views', 1)
    assert status == 1 and 'broken.ply' in errors
    for words, arguments in {
        'lies in no folder that is called like a category': (meshes,),
        'lie on one axis': (meshes / 'chair', '--up', '+y', '--front=-y'),
        'views=0 must be 1 to 100': (meshes / 'chair', '--views', 0),
        'neither a mesh nor a folder': (meshes / 'nowhere',),
    }.items():
        status, _, errors = tool(*arguments, '--out', tmp_path / 'other')
        assert status == 1 and words in errors.splitlines()[-1], errors
    status, _, errors = tool(meshes / 'chair', '--out', meshes)
    assert status == 1 and 'is not empty and was not made by' in errors
