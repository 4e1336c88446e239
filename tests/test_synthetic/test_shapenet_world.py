"""Generated ShapeNet models, read with json, numpy, cv2 and trimesh: layouts, camera, geometry, splits, determinism."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Dict, List, Tuple

import cv2
import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

pytest.importorskip('embreex', reason='embreex is not installed')

from mmfusion_plugin.converters.shapenet import create_shapenet  # noqa: E402
from mmfusion_plugin.converters.shapenet_taxonomy import CATEGORIES, chosen_categories  # noqa: E402
from mmfusion_plugin.synthetic import shapenet, shapenet_model  # noqa: E402
from mmfusion_plugin.synthetic.shapenet_builders import BUILDERS  # noqa: E402
from mmfusion_plugin.synthetic.shapenet_shape import draw_shape, sample_cloud, within  # noqa: E402

VIEWS = 3


def models(root: Path) -> List[str]:
    """``synset/id`` of each model."""
    return sorted(f'{path.parents[2].name}/{path.parents[1].name}'
                  for path in root.glob('ShapeNetRendering/*/*/rendering/renderings.txt'))  # fmt: skip


def blender_pixels(points: np.ndarray, azimuth: float, elevation: float, ratio: float) -> Tuple[np.ndarray, np.ndarray]:
    """Columns and rows of a cloud, as 3D-R2N2's scene in Blender has them.

    The importer turns the model upright (x, -z, y). The camera hangs on an empty at (1.75 ratio, 0, 0), looking back at
    the origin, its right along y and its top along z; the empty is turned by -elevation about y, then by -azimuth
    about z. A lens of 35 mm before 32 mm of sensor; 0 is the left edge of the first pixel.
    """
    az, el = np.radians(-azimuth), np.radians(-elevation)
    about_z = np.array([[np.cos(az), -np.sin(az), 0], [np.sin(az), np.cos(az), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(el), 0, np.sin(el)], [0, 1, 0], [-np.sin(el), 0, np.cos(el)]])
    hung = points[:, [0, 2, 1]] * [1, -1, 1] @ (about_z @ about_y)
    depth = 1.75 * ratio - hung[:, 0]
    scale = 35 / 32 * 137 / depth
    return scale * hung[:, 1] + 68.5, 68.5 - scale * hung[:, 2]


def digests(root: Path) -> Dict[str, str]:
    return {str(p.relative_to(root)): hashlib.md5(p.read_bytes()).hexdigest() for p in root.rglob('*') if p.is_file()}


@pytest.fixture(scope='module')
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model of each category."""
    return shapenet.make_shapenet(tmp_path_factory.mktemp('world') / 'shapenet', 1, views=VIEWS, progress=False)


def test_layout_of_the_releases(world: Path) -> None:
    assert len(models(world)) == 13 and len({name.split('/')[0] for name in models(world)}) == 13
    for name in models(world):
        folder = world / 'ShapeNetRendering' / name / 'rendering'
        pictures = [f'{number:02d}.png' for number in range(VIEWS)]
        assert sorted(p.name for p in folder.iterdir()) == [*pictures, 'rendering_metadata.txt', 'renderings.txt']
        assert (folder / 'renderings.txt').read_text().splitlines() == pictures
        lines = (folder / 'rendering_metadata.txt').read_text().splitlines()
        table = np.array([line.split(' ') for line in lines], dtype=float)
        assert table.shape == (VIEWS, 5)
        assert (table >= [0, 25, 0, 0.65, 25]).all() and (table <= [360, 30, 0, 0.95, 25]).all()
        for picture in pictures:
            image = cv2.imread(str(folder / picture), cv2.IMREAD_UNCHANGED)
            assert image.shape == (137, 137, 4) and image.dtype == np.uint8
            alpha = image[..., 3]
            assert (alpha == 255).any() and ((alpha > 0) & (alpha < 255)).any()
            assert (image[alpha == 0] == 0).all() and len(np.unique(image[alpha == 255], axis=0)) > 1
        clouds = [np.load(world / 'ShapeNet_pointclouds' / name / f'pointcloud_{n}.npy') for n in (1024, 2048)]
        assert [cloud.shape for cloud in clouds] == [(1024, 3), (2048, 3)] and clouds[1].dtype == np.float32
        np.testing.assert_array_equal(clouds[0], clouds[1][:1024])
        low, high = clouds[1].min(0), clouds[1].max(0)
        assert 0.9 < np.linalg.norm(high - low) < 1 + 1e-6 and np.abs(low + high).max() < 0.06
        assert sorted(p.name for p in (world / 'ShapeNetVox32' / name).iterdir()) == ['model.binvox']


def test_clouds_fall_on_the_masks(world: Path) -> None:
    """Each point is drawn where the metadata's camera sees it, and together they fill the mask."""
    for name in models(world):
        cloud = np.load(world / 'ShapeNet_pointclouds' / name / 'pointcloud_2048.npy').astype(float)
        folder = world / 'ShapeNetRendering' / name / 'rendering'
        for number, camera in enumerate(np.loadtxt(folder / 'rendering_metadata.txt')):
            mask = cv2.imread(str(folder / f'{number:02d}.png'), cv2.IMREAD_UNCHANGED)[..., 3] > 0
            column, row = blender_pixels(cloud, camera[0], camera[1], camera[3])
            column, row = np.floor(column).astype(int), np.floor(row).astype(int)
            inside = (column >= 0) & (column < 137) & (row >= 0) & (row < 137)
            assert inside.mean() > 0.97, name  # the nearest cameras may cut off a corner
            column, row = column[inside], row[inside]
            assert mask[row, column].mean() > 0.99, name
            drawn = np.zeros(mask.shape, dtype=np.uint8)
            drawn[row, column] = 1
            assert cv2.dilate(drawn, np.ones((9, 9)))[mask].mean() > 0.95, name


def test_models_look_along_x() -> None:
    """Azimuth 0 sees the front: fins of aeroplanes and backs of chairs, which are high, are behind; cars are long."""
    for name in ('aeroplane', 'chair', 'car'):
        x, y, z = draw_shape(chosen_categories([name])[0], np.random.default_rng(3)).mesh.vertices.T
        if name == 'car':
            assert np.ptp(x) > 1.5 * np.ptp(z) and np.ptp(z) > 0.8 * np.ptp(y)
        else:
            assert x[y > y.max() - 0.02].mean() < -0.05


def test_voxels_hold_the_clouds(world: Path) -> None:
    for name in models(world):
        data = (world / 'ShapeNetVox32' / name / 'model.binvox').read_bytes()
        fields = dict(line.split(b' ', 1) for line in data.split(b'\ndata\n')[0].splitlines())
        assert fields[b'dim'] == b'32 32 32'
        corner, side = np.array(fields[b'translate'].split(), dtype=float), float(fields[b'scale'])
        with open(world / 'ShapeNetVox32' / name / 'model.binvox', 'rb') as file:
            occupied = np.asarray(trimesh.exchange.binvox.load_binvox(file).matrix)
        cloud = np.load(world / 'ShapeNet_pointclouds' / name / 'pointcloud_2048.npy').astype(float)
        cells = ((cloud - corner) / side * 32).astype(int).clip(0, 31)
        assert occupied[tuple(cells.T)].all()
        spans = np.ptp(np.argwhere(occupied), axis=0) + 1
        assert spans.max() == 32 and 100 < occupied.sum() < 32**3
        # No voxel is far from the surface but those inside: the grid has no stray ones.
        centers = corner + (np.argwhere(occupied) + 0.5) * side / 32
        assert (centers.min(0) > cloud.min(0) - side / 16).all() and (centers.max(0) < cloud.max(0) + side / 16).all()


def test_clouds_lie_on_the_union() -> None:
    """No point off the faces, none within a solid; solids are closed."""
    for category in CATEGORIES[::4]:
        shape = draw_shape(category, np.random.default_rng(1))
        parts = [trimesh.Trimesh(part.vertices, part.faces) for part in shape.parts]
        assert all(part.is_watertight and part.volume > 0 for part in parts)
        cloud = sample_cloud(shape, 60, np.random.default_rng(2)).astype(float)
        _, distance, _ = trimesh.proximity.closest_point(trimesh.Trimesh(shape.mesh.vertices, shape.mesh.faces), cloud)
        assert distance.max() < 1e-6
        inside = np.stack([trimesh.proximity.signed_distance(part, cloud) for part in parts]).max(axis=0)
        assert inside.max() < 2e-5
        middles = np.stack([part.vertices.mean(axis=0) for part in shape.parts])
        assert within(shape, middles).all()


@pytest.mark.parametrize('name', [category.name for category in CATEGORIES])
def test_shapes_differ(name: str) -> None:
    sizes = []
    for index in range(12):
        mesh = draw_shape(chosen_categories([name])[0], np.random.default_rng([index, 5])).mesh
        low, high = mesh.bounds
        np.testing.assert_allclose(np.linalg.norm(high - low), 1.0)
        np.testing.assert_allclose(low, -high, atol=1e-9)
        sizes.append(high - low)
    assert np.std(sizes, axis=0).max() > 0.02
    assert len(np.unique(np.round(sizes, 6), axis=0)) == 12


def test_splits_are_disjoint_and_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapenet, 'record_all', lambda *_: None)  # splits need no files
    root = shapenet.make_shapenet(tmp_path, 20, ['chair', 'boat'], seed=4, progress=False)
    train, val = (json.loads((root / f'splits/{name}_models.json').read_text()) for name in ('train', 'val'))
    cisp = {part['taxonomy_id']: part for part in json.loads((root / 'ShapeNet.json').read_text())}
    assert list(train) == list(val) == list(cisp) == ['03001627', '04530566']
    assert [part['taxonomy_name'] for part in cisp.values()] == ['chair', 'watercraft']
    for synset, part in cisp.items():
        ids = {shapenet_model.ModelPlan(synset, 4, index, 24).model_id for index in range(20)}
        assert (len(train[synset]), len(val[synset])) == (16, 4)
        assert {f'{synset}/{model_id}' for model_id in ids} == set(train[synset]) | set(val[synset])
        assert [len(part[name]) for name in ('train', 'val', 'test')] == [14, 2, 4]
        assert set(part['train']) | set(part['val']) | set(part['test']) == ids
    single = shapenet.make_shapenet(tmp_path / 'one', 1, ['chair'], progress=False)
    assert len(json.loads((single / 'splits/train_models.json').read_text())['03001627']) == 1


def test_same_bytes_and_an_interrupted_run_goes_on(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model is the same in a smaller world, with more views; finished models are not made again."""
    recorded = []

    def stop(root: Path, plan: shapenet_model.ModelPlan, advance: object) -> None:
        if recorded:
            raise KeyboardInterrupt
        recorded.append(plan.model_id)
        shapenet_model.record_model(root, plan, advance)

    arguments = {'categories': ['car', 'airplane'], 'views': VIEWS + 1, 'progress': False}
    with monkeypatch.context() as patch:
        patch.setattr(shapenet, 'record_model', stop)
        with pytest.raises(KeyboardInterrupt):
            shapenet.make_shapenet(tmp_path, 1, **arguments)
    assert len(models(tmp_path)) == 1 and not (tmp_path / 'ShapeNet.json').exists()
    first = digests(tmp_path)
    shapenet.make_shapenet(tmp_path, 1, **arguments)
    again, before = digests(tmp_path), digests(world)
    assert first.items() <= again.items() and len(models(tmp_path)) == 2
    shared = [name for name in again if name in before and name.endswith(('.png', '.npy', '.binvox'))]
    assert len(shared) == 2 * (VIEWS + 3) and all(again[name] == before[name] for name in shared)
    with pytest.raises(FileExistsError, match='seed: 0 there, 1 asked'):
        shapenet.make_shapenet(tmp_path, 1, seed=1, **arguments)


@pytest.mark.slow
def test_workers_do_not_change_bytes(world: Path, tmp_path: Path) -> None:
    assert digests(shapenet.make_shapenet(tmp_path, 1, workers=2, views=VIEWS, progress=False)) == digests(world)


def test_impossible_settings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='models=0 must be at least 1, views=24 1 to 100'):
        shapenet.make_shapenet(tmp_path / 'world', 0)
    with pytest.raises(ValueError, match=r"\['teapot'\] are unknown; choose among 02691156.*airplane"):
        shapenet.make_shapenet(tmp_path / 'world', 1, ['chair', 'teapot'])
    assert not (tmp_path / 'world').exists()


def test_every_category_has_its_builder() -> None:
    assert set(BUILDERS) == {category.name for category in CATEGORIES}


def test_the_datasets_read_it(world: Path) -> None:
    """Both papers' samples of a generated world; what a part has not is an error that says so."""
    from mmdet3d.registry import DATASETS

    import mmfusion_plugin  # noqa: F401  (registers what is built)

    options = dict(type='ShapeNetR2N2Dataset', data_root=str(world), num_views=VIEWS)
    reconstnet = [dict(type='LoadRendering'), dict(type='LoadViewpoint'), dict(type='LoadCloudTarget'),
                  dict(type='PackShapeInputs')]  # fmt: skip
    dataset = DATASETS.build(dict(options, num_points=2048, pipeline=reconstnet, _scope_='mmdet3d'))
    assert len(dataset) == 13 * VIEWS and len(dataset.metainfo['classes']) == 13
    sample = dataset[VIEWS + 1]
    assert sample['inputs']['img'].shape == (3, 128, 128) and sample['inputs']['img'].any()
    azimuth = np.loadtxt(Path(sample['data_samples'].img_path).with_name('rendering_metadata.txt'))[1, 0]
    np.testing.assert_allclose(np.degrees(sample['data_samples'].azimuth), azimuth, rtol=1e-5)
    cisp = [dict(type='LoadRendering', background=240, size=224), dict(type='LoadVoxelTarget'),
            dict(type='PackShapeInputs')]  # fmt: skip
    dataset = DATASETS.build(dict(options, split='cisp', views='random', targets=['voxels'], pipeline=cisp,
                                  _scope_='mmdet3d'))  # fmt: skip
    sample = dataset[0]
    assert len(dataset) == 13 and sample['data_samples'].gt_voxels.shape == (32, 32, 32)
    assert (sample['inputs']['img'][:, 0, 0] == 240).all()
    with pytest.raises(ValueError, match="names no model of part 'test'"):
        DATASETS.build(dict(options, split='cisp', part='test', _scope_='mmdet3d'))


def test_clouds_sampled_of_voxels_fit_the_generated_ones(world: Path, tmp_path: Path) -> None:
    """The turn between clouds and voxels is measured to be none; a lost cloud is sampled beside the others."""
    root = Path(shutil.copytree(world, tmp_path / 'world'))
    name = next(name for name in models(root) if name.startswith('03001627'))
    lost = root / 'ShapeNet_pointclouds' / name / 'pointcloud_2048.npy'
    before = np.load(lost)
    lost.unlink()
    manifest = json.loads(create_shapenet(root, views=VIEWS, from_voxels=True).read_text())
    assert manifest['clouds']['turn']['turn'] == 'x,y,z' and manifest['missing'] == {} and manifest['faults'] == []
    distance, _ = cKDTree(before).query(np.load(lost))
    assert distance.mean() < 0.03 and np.load(lost).shape == (2048, 3)
