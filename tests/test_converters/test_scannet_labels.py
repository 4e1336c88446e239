"""Labels, meshes and alignments from hand-written files, and the table of ids against mmdet3d's."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scannet_hand_world as world

from mmfusion_plugin.converters import scannet_taxonomy as taxonomy
from mmfusion_plugin.converters.scannet_files import read_axis_alignment, read_vertices
from mmfusion_plugin.converters.scannet_labels import read_label_table, read_mesh_labels

TABLE = 'id\traw_category\tcategory\tnyu40id\n1\twall\twall\t1\n22\tchair\tchair\t5\n23\tstool\tstool\t40\n9\t"x\tx\t\n'


def test_taxonomy_equals_mmdet3d():
    from mmdet3d.datasets import ScanNetSegDataset

    meta = ScanNetSegDataset.METAINFO
    assert taxonomy.NYU40_IDS == meta['seg_valid_class_ids'] and taxonomy.IGNORE_INDEX == 20
    assert taxonomy.PALETTE == tuple(map(tuple, meta['palette']))
    spelled = [name.replace('showercurtrain', 'shower curtain') for name in meta['classes']]
    assert list(taxonomy.CLASSES) == spelled
    for number in meta['seg_all_class_ids']:
        known = number in meta['seg_valid_class_ids']
        expected = meta['seg_valid_class_ids'].index(number) if known else 20
        assert taxonomy.NYU40_TO_CLASS[number] == expected
    assert len(taxonomy.NYU40_TO_CLASS) == 41


@pytest.fixture
def files(tmp_path):
    (tmp_path / 'table.tsv').write_text(TABLE)
    return tmp_path


def mesh_labels(files, segments, groups):
    (files / 'segs.json').write_text(json.dumps(dict(segIndices=segments)))
    (files / 'agg.json').write_text(json.dumps(dict(segGroups=groups)))
    table = read_label_table(files / 'table.tsv')
    return read_mesh_labels(files / 'segs.json', files / 'agg.json', table, len(segments)).tolist()


def test_table(files):
    table = read_label_table(files / 'table.tsv')
    assert table.by_name == {'wall': 1, 'chair': 5, 'stool': 40, '"x': 0}
    assert {int(i): int(table.by_id[i]) for i in np.flatnonzero(table.by_id)} == {1: 1, 22: 5, 23: 40}
    assert table.by_id.shape == (65536,) and table.by_id.dtype == np.uint8


@pytest.mark.parametrize('text, message', [
    (TABLE.replace('nyu40id', 'nyu'), 'no column nyu40id'), (TABLE.replace('40\n', '41\n'), 'line 4.*41'),
    (TABLE.replace('22\t', '-22\t'), 'line 3'), (TABLE.replace('22\t', '70000\t'), 'line 3'), ('', 'no column'),
])
def test_damaged_table(files, text, message):
    (files / 'table.tsv').write_text(text)
    with pytest.raises(ValueError, match=message):
        read_label_table(files / 'table.tsv')


def test_segments_of_objects(files):
    groups = [dict(label='chair', segments=[7, 900]), dict(label='wall', segments=[3])]
    assert mesh_labels(files, [3, 7, 3, 5, 900, 7], groups) == [1, 5, 1, 0, 5, 5]


def test_a_segment_of_two_objects_takes_the_label_named_last(files):
    groups = [dict(label='wall', segments=[1]), dict(label='chair', segments=[1, 2]), dict(label='wall', segments=[2])]
    # ScanNet's script gathers the segments per label first: wall 1, 2; then chair 1, 2.
    assert mesh_labels(files, [1, 2], groups) == [5, 5]


@pytest.mark.parametrize('vertices', [5, 7])
def test_segments_of_another_mesh(files, vertices):
    (files / 'segs.json').write_text(json.dumps(dict(segIndices=[1] * 6)))
    (files / 'agg.json').write_text(json.dumps(dict(segGroups=[])))
    with pytest.raises(ValueError, match=f'segs.json.*{vertices} vertices'):
        read_mesh_labels(files / 'segs.json', files / 'agg.json', read_label_table(files / 'table.tsv'), vertices)


def test_vertices_equal_trimesh(tmp_path):
    import trimesh

    world.write_mesh(tmp_path / 'mesh.ply')
    mine = read_vertices(tmp_path / 'mesh.ply')
    mesh = trimesh.load(tmp_path / 'mesh.ply', process=False)
    assert mine.dtype == np.float32
    np.testing.assert_array_equal(mine[:, :3], mesh.vertices.astype(np.float32))
    np.testing.assert_array_equal(mine[:, 3:], mesh.visual.vertex_colors[:, :3])


HEAD = 'ply\nformat ascii 1.0\nelement vertex {count}\nproperty float x\nproperty float y\nproperty float z\n{more}'
COLOURS = 'property uchar red\nproperty uchar green\nproperty uchar blue\n'


@pytest.mark.parametrize('text, message', [
    (HEAD.format(count=1, more='end_header\n1 2 3\n'), 'without red, green, blue'),
    (HEAD.format(count=0, more=f'{COLOURS}end_header\n'), '0 vertices'),
    (HEAD.format(count=1, more=f'{COLOURS}end_header\nnan 2 3 4 5 6\n'), 'NaN'),
    (HEAD.format(count=2, more=f'{COLOURS}end_header\n1 2 3 4 5 6\n'), 'no complete PLY'),
    ('solid no ply', 'no complete PLY'), ('', 'no complete PLY'),
])
def test_damaged_mesh(tmp_path, text, message):
    (tmp_path / 'mesh.ply').write_text(text)
    with pytest.raises(ValueError, match=f'mesh.ply.*{message}'):
        read_vertices(tmp_path / 'mesh.ply')


def test_alignment(tmp_path):
    path = tmp_path / 'scan.txt'
    np.testing.assert_array_equal(read_axis_alignment(path), np.eye(4))
    path.write_text('sceneType = Office\n')
    np.testing.assert_array_equal(read_axis_alignment(path), np.eye(4))
    path.write_text('axisAlignment = ' + ' '.join(map(str, range(16))) + ' \ncolorHeight = 968\n')
    np.testing.assert_array_equal(read_axis_alignment(path), np.arange(16.0).reshape(4, 4))
    for wrong in ('1 2 3', 'a ' * 16, 'nan ' * 16):
        path.write_text(f'axisAlignment = {wrong}\n')
        with pytest.raises(ValueError, match='scan.txt: axisAlignment'):
            read_axis_alignment(path)


@pytest.mark.parametrize('group', ['chair', {'label': 'wall'}, {'segments': [1]}, {'label': 3, 'segments': [1]}])
def test_damaged_groups_name_their_file(files, group):
    with pytest.raises(ValueError, match='agg.json.*no group'):
        mesh_labels(files, [1, 2], [group])
