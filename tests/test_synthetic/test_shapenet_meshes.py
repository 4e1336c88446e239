"""Any mesh as a model of a ShapeNet: pose, colours, pictures, voxels, clouds, splits; also three real meshes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Dict, List

import cv2
import numpy as np
import pytest
import trimesh
from real_meshes import MESHES, mesh_folder
from scipy.spatial import cKDTree

pytest.importorskip('embreex', reason='embreex is not installed')

from mmfusion_plugin.converters.binvox import read_binvox  # noqa: E402
from mmfusion_plugin.converters.cloud_axes import turn_matrix  # noqa: E402
from mmfusion_plugin.converters.shapenet_splits import read_split  # noqa: E402
from mmfusion_plugin.synthetic.materials import PLAIN  # noqa: E402
from mmfusion_plugin.synthetic.meshes import build  # noqa: E402
from mmfusion_plugin.synthetic.shapenet_camera import Studio, Viewpoint  # noqa: E402
from mmfusion_plugin.synthetic.shapenet_from_meshes import shapenet_from_meshes  # noqa: E402
from mmfusion_plugin.synthetic.shapenet_mesh import DIRECTIONS, read_mesh, shapenet_pose, upright_turn  # noqa: E402
from mmfusion_plugin.synthetic.shapenet_mesh_model import find_meshes  # noqa: E402

CHAIR, LAMP = '03001627', '03636649'
VIEWS = 3
AXES = dict(zip('xyz', np.eye(3)))
#: A box twice as long (x) as high (z) and wide (y), in Blender's axes, with a red lid and a green front.
BOX = trimesh.creation.box((2.0, 1.0, 1.0))


def painted_box(path: Path, high: float = 1.0) -> Path:
    box = BOX.copy()
    box.apply_scale([1, 1, high])
    normal = box.face_normals
    colours = np.full((len(box.faces), 4), (40, 60, 200, 255), np.uint8)
    colours[normal[:, 2] > 0.9] = (220, 30, 30, 255)
    colours[normal[:, 0] > 0.9] = (30, 220, 30, 255)
    box.visual = trimesh.visual.ColorVisuals(box, face_colors=colours)
    path.parent.mkdir(parents=True, exist_ok=True)
    box.export(path)
    return path


def silhouette(points: np.ndarray, azimuth: float, elevation: float, ratio: float) -> np.ndarray:
    """``(N, 2)`` whole columns and rows of points in 3D-R2N2's Blender scene: the model upright (x, -z, y), the camera
    on an empty that is turned by -elevation about y, then by -azimuth about z; 35 mm before 32 mm."""
    az, el = np.radians(-azimuth), np.radians(-elevation)
    about_z = np.array([[np.cos(az), -np.sin(az), 0], [np.sin(az), np.cos(az), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(el), 0, np.sin(el)], [0, 1, 0], [-np.sin(el), 0, np.cos(el)]])
    hung = points[:, [0, 2, 1]] * [1, -1, 1] @ (about_z @ about_y)
    scale = 35 / 32 * 137 / (1.75 * ratio - hung[:, :1])
    return np.floor(scale * hung[:, 1:] * [1, -1] + 68.5).astype(int)


def digests(root: Path) -> Dict[str, str]:
    return {str(p.relative_to(root)): hashlib.md5(p.read_bytes()).hexdigest() for p in root.rglob('*') if p.is_file()}


def notes(root: Path) -> List[str]:
    return sorted(f'{p.parts[-3]}/{p.parts[-2]}' for p in root.glob('ShapeNetRendering/*/*/mesh.json'))


@pytest.mark.parametrize('up', DIRECTIONS)
@pytest.mark.parametrize('front', DIRECTIONS)
def test_upright_turns(up, front):
    if up[1] == front[1]:
        with pytest.raises(ValueError, match='lie on one axis'):
            upright_turn(up, front)
        return
    matrix = turn_matrix(upright_turn(up, front))  # refuses what is no rotation
    for direction, goal in ((up, 'y'), (front, 'x')):
        vector = AXES[direction[1]] * (1 if direction[0] == '+' else -1)
        np.testing.assert_array_equal(matrix @ vector, AXES[goal])


def test_colours_and_pose(tmp_path):
    """The green front is seen at azimuth 0, the red lid above it; lengths are of a diagonal of 1."""
    mesh = read_mesh(painted_box(tmp_path / 'box.ply'))
    placed = shapenet_pose(mesh, upright_turn('+z', '+x'))
    np.testing.assert_allclose(placed.bounds[1], np.array([2, 1, 1]) / 2 / 6**0.5)
    np.testing.assert_allclose(placed.bounds[0], -placed.bounds[1])
    image = Studio(placed).picture(Viewpoint(0, 27, 0.8)).astype(int)
    rows = {}
    for name, channel in (('lid', 0), ('front', 1), ('side', 2)):
        others = [other for other in range(3) if other != channel]
        drawn = (image[..., 3] == 255) & (image[..., channel] > 2 * image[..., others].max(axis=2))
        rows[name] = drawn.any(axis=1).nonzero()[0]
    assert len(rows['lid']) > 10 and len(rows['front']) > 10 and not len(rows['side'])
    assert rows['lid'].max() <= rows['front'].min() + 1


def test_colours_of_materials_vertices_and_none(tmp_path):
    corners, faces = BOX.vertices, BOX.faces
    lines = [f'v {x} {y} {z}' for x, y, z in corners]
    triangles = [f'f {a} {b} {c}' for a, b, c in faces + 1]
    (tmp_path / 'paint.mtl').write_text('newmtl red\nKd 0.8 0.2 0.4\nnewmtl black\nKd 0 0 0\n')
    (tmp_path / 'a.obj').write_text('\n'.join(['mtllib paint.mtl', *lines, 'usemtl red', *triangles[:6], 'usemtl black',
                                               *triangles[6:]]))  # fmt: skip
    found = np.unique(read_mesh(tmp_path / 'a.obj').colour.round(2), axis=0)
    np.testing.assert_allclose(found, [[0.12] * 3, [0.8, 0.2, 0.4]], atol=0.01)  # black is not left to be black
    plain = [('b.obj', [*lines, *triangles]), ('c.obj', ['mtllib lost.mtl', *lines, 'usemtl lost', *triangles])]
    for name, text in plain:
        (tmp_path / name).write_text('\n'.join(text))
        colour = read_mesh(tmp_path / name).colour
        assert len(colour) == 12 and (colour == colour[0]).all() and colour.min() > 0.5
    box = BOX.copy()
    box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=np.tile([[10, 200, 10, 255]], (8, 1)))
    box.export(tmp_path / 'd.ply')
    green = np.tile([0.12, 200 / 255, 0.12], (12, 1))
    np.testing.assert_allclose(read_mesh(tmp_path / 'd.ply').colour, green, atol=0.01)


def test_faces_of_either_side_look_alike():
    """A mesh that does not know its outside is lit as one that does."""
    views = [Viewpoint(azimuth, 28, 0.7) for azimuth in (20, 110, 250)]
    pictures = {}
    for flipped in (0, 6, 12):
        faces = BOX.faces.copy()
        faces[:flipped] = faces[:flipped, ::-1]
        mesh = shapenet_pose(build(BOX.vertices, faces, PLAIN, (0.6, 0.6, 0.6)))
        for two_sided in (False, True):
            studio = Studio(mesh, two_sided)
            pictures[flipped, two_sided] = np.array([studio.picture(view) for view in views])
    expected = pictures[0, False]
    assert len(np.unique(expected[..., 0])) > 5
    for flipped in (0, 6, 12):
        difference = np.abs(pictures[flipped, True].astype(int) - expected).max(axis=3)
        assert (difference > 1).mean() < 1e-4  # on edges a ray may meet either of two faces
    assert (np.abs(pictures[12, False].astype(int) - expected).max(axis=3) > 20).mean() > 0.02


@pytest.fixture(scope='module')
def real_tree(tmp_path_factory) -> Path:
    """The three real meshes, each in a folder of its category."""
    source, root = tmp_path_factory.mktemp('meshes'), tmp_path_factory.mktemp('real') / 'tree'
    folder = mesh_folder()
    for name, (category, up, front) in MESHES.items():
        (source / category).mkdir()
        (source / category / name).symlink_to(folder / name)
        part = shapenet_from_meshes([source / category], root / category, up=up, front=front, views=VIEWS,
                                    progress=False)  # fmt: skip
        assert not part.faults and len(part.models) == 1
    return root


@pytest.mark.parametrize('name', MESHES)
def test_files_of_real_meshes_agree(real_tree, name):
    """Pictures, voxels and clouds show one shape at one place; the surface is that of the mesh."""
    category, up, front = MESHES[name]
    root = real_tree / category
    (model,) = notes(root)
    cloud = np.load(root / 'ShapeNet_pointclouds' / model / 'pointcloud_2048.npy').astype(float)
    small = np.load(root / 'ShapeNet_pointclouds' / model / 'pointcloud_1024.npy')
    assert cloud.shape == (2048, 3) and small.dtype == np.float32 and (small == cloud[:1024].astype(np.float32)).all()

    mesh = trimesh.load(mesh_folder() / name, force='mesh', process=False, skip_materials=True)
    mesh.apply_translation(-mesh.bounds.mean(axis=0))
    mesh.apply_scale(1 / np.linalg.norm(mesh.extents))
    turn = np.stack([AXES[front[1]], AXES[up[1]], np.cross(AXES[front[1]], AXES[up[1]])])
    dense = trimesh.sample.sample_surface(mesh, 60_000, seed=1)[0] @ turn.T
    assert cKDTree(dense).query(cloud)[0].max() < 0.02 and cKDTree(cloud).query(dense)[0].mean() < 0.015

    folder = root / 'ShapeNetRendering' / model / 'rendering'
    for number, camera in enumerate(np.loadtxt(folder / 'rendering_metadata.txt')):
        image = cv2.imread(str(folder / f'{number:02d}.png'), cv2.IMREAD_UNCHANGED)
        assert image.shape == (137, 137, 4) and image[image[..., 3] == 255].mean() > 60
        column, row = silhouette(dense, camera[0], camera[1], camera[3]).T
        inside = (column >= 0) & (column < 137) & (row >= 0) & (row < 137)
        drawn = np.zeros((137, 137), np.uint8)
        drawn[row[inside], column[inside]] = 1
        mask = image[..., 3] > 0
        assert inside.mean() > 0.97 and mask[drawn > 0].mean() > 0.95
        assert cv2.dilate(mask.astype(np.uint8), np.ones((3, 3)))[drawn > 0].mean() > 0.99  # thin wires have gaps
        assert cv2.dilate(drawn, np.ones((3, 3)))[mask].mean() > 0.99

    grid = read_binvox(root / 'ShapeNetVox32' / model / 'model.binvox')
    cells = grid.cells(dense)
    assert grid.occupied.shape == (32, 32, 32) and grid.occupied[tuple(cells.T)].mean() > 0.999
    surface = np.zeros_like(grid.occupied)
    surface[tuple(cells.T)] = True
    hollow = grid.occupied & ~surface
    # A solid is filled, a shell of thin walls has nothing inside.
    assert (hollow.sum() > 0.4 * grid.occupied.sum()) == (name != 'chair_model.obj')
    if mesh.is_watertight:
        assert mesh.contains(((np.argwhere(hollow) + 0.5) / 32 * grid.scale + grid.translate) @ turn).mean() > 0.99


def boxes(folder: Path, count: int = 5) -> Path:
    for number in range(count):
        painted_box(folder / f'chair/{number}.ply')
    painted_box(folder / 'kitchen/Lamp/on table 1.OBJ')
    painted_box(folder / 'x/lost.off')
    return folder


def test_categories_and_ids(tmp_path):
    source = boxes(tmp_path / 'meshes', 2)
    painted_box(source / '.hidden/chair/a.ply')
    painted_box(tmp_path / 'meshes/out/chair/b.ply')
    found = find_meshes([source], source / 'out', 'sofa')
    assert {str(model): str(path.relative_to(source)) for model, path in found.items()} == {
        f'{CHAIR}/0': 'chair/0.ply', f'{CHAIR}/1': 'chair/1.ply', f'{LAMP}/on_table_1': 'kitchen/Lamp/on table 1.OBJ',
        '04256520/x-lost': 'x/lost.off'}  # fmt: skip
    assert [*find_meshes([source / 'chair'], tmp_path / 'o')] == [(CHAIR, '0'), (CHAIR, '1')]
    assert [*find_meshes([source / 'chair/0.ply'], tmp_path / 'o')] == [(CHAIR, '0')]
    for sources, category, words in (
        ([source], None, r'lost.off lies in no folder .* \(--category\)'), ([source], 'teapot', "'teapot' is unknown"),
        ([source / 'chair', source / 'chair/0.ply'], None, 'would both be model 03001627/0'),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            find_meshes(sources, source / 'out', category)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='no mesh'):
        find_meshes([tmp_path / 'empty'], tmp_path / 'o')
    with pytest.raises(FileNotFoundError, match='neither a mesh nor a folder'):
        find_meshes([tmp_path / 'nowhere'], tmp_path / 'o')


def test_a_tree_grows_and_stays(tmp_path):
    """Splits as published; again nothing is made anew but what is new or changed; faulty meshes are told."""
    source, root = boxes(tmp_path / 'meshes'), tmp_path / 'tree'
    (source / 'chair/broken.ply').write_bytes(b'ply\nformat')
    (source / 'chair/points.off').write_text('OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n')
    options = dict(category='table', up='+z', views=VIEWS, progress=False, held_out=0.4)
    made = shapenet_from_meshes([source], root, **options)
    assert sorted(path.name for path in made.faults) == ['broken.ply', 'points.off']
    assert all(path.name in reason for path, reason in made.faults.items())
    assert len(made.models) == 7
    for split, parts in (('lmnet', ('train', 'val')), ('cisp', ('train', 'val', 'test'))):
        files = [root / 'ShapeNet.json'] * 3 if split == 'cisp' else [root / f'splits/{p}_models.json' for p in parts]
        members = [read_split(file, split, part) for file, part in zip(files, parts)]
        assert sorted(model for part in members for model in part) == made.models
        assert [sum(model.synset == CHAIR for model in part) for part in members] == [3, 2][:2] if split == 'lmnet' \
            else [3, 1, 1]
    before = digests(root)
    painted_box(source / 'chair/new.ply')
    painted_box(source / 'chair/0.ply', 1.5)
    (source / 'chair/broken.ply').write_bytes((source / 'chair/1.ply').read_bytes())
    (source / 'chair/points.off').unlink()
    again = shapenet_from_meshes([source], root, **options)
    after = digests(root)
    changed = {name for name in before if after.get(name) != before[name]}
    assert len(again.models) == 9 and not again.faults
    assert {name.split('/')[2] for name in changed if name.startswith('ShapeNet') and '/' in name} <= {'0', 'broken'}
    with pytest.raises(FileExistsError, match="up: '\\+z' there, '\\+y' asked"):
        shapenet_from_meshes([source], root, **{**options, 'up': '+y'})
    with pytest.raises(FileExistsError, match='not empty'):
        shapenet_from_meshes([source], source, **options)
    for wrong in (dict(views=0), dict(held_out=1.5), dict(seed=-1)):
        with pytest.raises(ValueError, match='must be'):
            shapenet_from_meshes([source], root, **{**options, **wrong})


@pytest.mark.parametrize('content', ['', '{"mesh": "0.p', '[]'])
def test_damaged_notes(tmp_path, content):
    """A model whose note is damaged is made again; one whose mesh is gone is left out, and its note named."""
    source, root = boxes(tmp_path / 'meshes', 2), tmp_path / 'tree'
    options = dict(category='table', views=1, progress=False)
    made = shapenet_from_meshes([source], root, **options)
    before = digests(root)
    damaged = [root / f'ShapeNetRendering/{CHAIR}/{name}/mesh.json' for name in '01']
    for path in damaged:
        path.write_text(content)
    assert shapenet_from_meshes([source], root, **options) == made and digests(root) == before
    damaged[0].write_text(content)
    (source / 'chair/0.ply').unlink()
    again = shapenet_from_meshes([source], root, **options)
    assert len(again.models) == len(made.models) - 1 and (CHAIR, '0') not in again.models
    assert str(damaged[0]) in again.faults[damaged[0]] and 'is damaged' in again.faults[damaged[0]]


@pytest.mark.slow
def test_workers_do_not_change_bytes(tmp_path):
    source = boxes(tmp_path / 'meshes', 2)
    options = dict(category='table', views=1, progress=False)
    for name, workers in (('one', 1), ('two', 2)):
        shapenet_from_meshes([source], tmp_path / name, workers=workers, **options)
    assert digests(tmp_path / 'one') == digests(tmp_path / 'two')


@pytest.mark.parametrize('held_out, train', [(0.0, 3), (1.0, 0), (0.01, 2), (0.99, 1)])
def test_shares(tmp_path, held_out, train):
    source = tmp_path / 'meshes'
    for number in range(3):
        painted_box(source / f'chair/{number}.ply')
    painted_box(source / 'lamp/alone.ply')
    shapenet_from_meshes([source], tmp_path / 'tree', views=1, held_out=held_out, progress=False)
    sizes = {part: len(json.loads((tmp_path / f'tree/splits/{part}_models.json').read_text())[CHAIR])
             for part in ('train', 'val')}  # fmt: skip
    assert sizes == {'train': train, 'val': 3 - train}
    cisp = json.loads((tmp_path / 'tree/ShapeNet.json').read_text())
    for part in cisp:
        ids = [*part['train'], *part['val'], *part['test']]
        assert sorted(ids) == (['0', '1', '2'] if part['taxonomy_name'] == 'chair' else ['alone'])
