"""Retrieval: ranks by cosine, equal to the embeddings by hand; pictures and shapes as queries; what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapenet_hand_world import CHAIR, make_shapenet
from shapenet_hand_world import MODELS as IDS

from mmfusion_plugin.apis import retrieve_shapes
from mmfusion_plugin.apis.embed_shapes import embed_items
from mmfusion_plugin.apis.embedding_inferencer import EmbeddingInferencer
from mmfusion_plugin.apis.gallery import read_gallery
from mmfusion_plugin.apis.gallery_items import dataset_items, file_items
from mmfusion_plugin.datasets.object_images import fit_object

from .shape_models import stool
from .voxel_models import CISP, PIXELS, command, write_model

pytest.importorskip('mmpretrain')


@pytest.fixture()
def tool(monkeypatch, capsys):
    return command('tools/retrieve_shapes.py', monkeypatch, capsys)


@pytest.fixture(scope='module')
def world(tmp_path_factory) -> Path:
    """ShapeNet, ``cisp.py``, ``cisp.pth``, galleries ``shapes.npz`` (five) and ``both.npz`` (two and six images), and
    pictures of a stool."""
    tmp_path = tmp_path_factory.mktemp('world')
    root = make_shapenet(tmp_path / 'shapenet', clouds=False)
    model = EmbeddingInferencer(*write_model(tmp_path, CISP, 'cisp', root), 'cpu')
    embed_items(model, file_items([root / 'ShapeNetVox32']), tmp_path / 'shapes.npz', 'cisp.pth')
    embed_items(model, dataset_items(model, images=True, views=()), tmp_path / 'both.npz', 'cisp.pth')
    image, mask = stool()
    for folder in ('photos', 'masks'):
        (tmp_path / folder).mkdir()
    Image.fromarray(image).save(tmp_path / 'photos/plain.png')
    Image.fromarray(np.dstack([image, mask * np.uint8(255)])).save(tmp_path / 'photos/cut.png')
    for name in ('plain', 'cut'):
        Image.fromarray(mask * np.uint8(255)).save(tmp_path / f'masks/{name}.png')
    return tmp_path


def by_hand(vector: np.ndarray, path: Path, kind: str) -> list:
    """Keys and cosines, the best first."""
    with np.load(path) as file:
        rows = file['kinds'] == kind
        keys, vectors = file['keys'][rows], file['vectors'][rows]
    cosines = vectors @ vector / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vector)
    return sorted(zip(-cosines, keys))


def assert_found(found: list, expected: list) -> None:
    assert [one['key'] for one in found] == [key for _, key in expected]
    np.testing.assert_allclose([one['similarity'] for one in found], [-cosine for cosine, _ in expected], atol=1e-5)
    assert [one['rank'] for one in found] == list(range(1, 1 + len(found)))


def test_pictures_find_shapes(world, tmp_path, tool):
    """By alpha, plain ground or mask alike; one shape's file has gone, which its panel says."""
    models, out = (world / 'cisp.py', world / 'cisp.pth'), tmp_path / 'out'
    (world / 'shapenet/ShapeNetVox32' / CHAIR / IDS[CHAIR][1] / 'model.binvox').unlink()
    status, text, errors = tool(world / 'photos', world / 'shapes.npz', *models, '--top', 4, '--out', out)
    assert status == 0 and '2 of 2 queries answered' in text, errors
    results = json.loads((out / 'results.json').read_text())
    image, mask = stool()
    fitted = fit_object(image[..., ::-1], mask, size=PIXELS, longest=93 * PIXELS // 128, background=240)
    model = EmbeddingInferencer(*models, 'cpu')
    expected = by_hand(model.embed_images([model.pack(model.transform(fitted))])[0], world / 'shapes.npz', 'shape')
    for entry, origin in zip(results['queries'], ('alpha', 'background')):
        assert entry['object'] == origin and entry['find'] == 'shape'
        assert_found(entry['found'], expected[:4])
        picture = np.asarray(Image.open(entry['file']).convert('RGB'))
        assert picture.shape[1] > 1000 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
        assert f'   1. {entry["found"][0]["similarity"]:+.4f}' in text and expected[0][1] in text
    assert results['gallery'] == read_gallery(world / 'shapes.npz').made_by
    tool(world / 'photos', '--mask', world / 'masks', world / 'shapes.npz', *models, '--out', tmp_path / 'masked')
    for entry in json.loads((tmp_path / 'masked/results.json').read_text())['queries']:
        assert entry['object'] == 'mask'
        assert_found(entry['found'], expected[:5])


def test_renderings_and_shapes_find_themselves(world, tmp_path, tool, monkeypatch):
    """A query that is in the gallery comes first, at 1; shapes look for images, or, if asked, for shapes."""
    monkeypatch.setattr(retrieve_shapes, 'shape_tiles', lambda path, *_: path)  # it takes most of the time
    models = world / 'cisp.py', world / 'cisp.pth'
    rendering = world / 'shapenet/ShapeNetRendering' / CHAIR / IDS[CHAIR][0] / 'rendering/02.png'
    shape = world / 'shapenet/ShapeNetVox32' / CHAIR / IDS[CHAIR][0] / 'model.binvox'
    status, _, errors = tool(rendering, shape, world / 'both.npz', *models, '--rendering', '--find', 'image', '--out',
                             tmp_path)  # fmt: skip
    assert status == 0, errors
    picture, solid = json.loads((tmp_path / 'results.json').read_text())['queries']
    assert picture['object'] == 'rendering' and solid['object'] == 'voxels' and len(solid['found']) == 5
    assert picture['found'][0]['key'] == f'{CHAIR}/{IDS[CHAIR][0]}/02'
    assert picture['found'][0]['similarity'] == pytest.approx(1, abs=1e-5)
    model = EmbeddingInferencer(*models, 'cpu')
    vector = model.embed_shapes([model.read_shape(shape)])[0]
    assert_found(solid['found'], by_hand(vector, world / 'both.npz', 'image')[:5])
    assert tool(shape, world / 'both.npz', *models, '--find', 'shape', '--out', tmp_path)[0] == 0
    (entry,) = json.loads((tmp_path / 'results.json').read_text())['queries']
    assert entry['found'][0]['key'] == f'{CHAIR}/{IDS[CHAIR][0]}' and len(entry['found']) == 2


def test_shapenet_s_shapes_are_called_as_their_folders(world, tmp_path, tool, monkeypatch):
    """As all their files are called alike; also where the folder is not said."""
    monkeypatch.setattr(retrieve_shapes, 'shape_tiles', lambda path, *_: path)
    models, names = (world / 'cisp.py', world / 'cisp.pth'), IDS[CHAIR][::2]
    shapes = [world / 'shapenet/ShapeNetVox32' / CHAIR / name / 'model.binvox' for name in names]
    status, _, errors = tool(*shapes, world / 'both.npz', *models, '--out', tmp_path)
    assert status == 0, errors
    files = [Path(entry['file']).name for entry in json.loads((tmp_path / 'results.json').read_text())['queries']]
    assert files == [f'{name}_found.png' for name in names]
    monkeypatch.chdir(shapes[0].parent)
    assert tool('model.binvox', world / 'both.npz', *models, '--out', tmp_path)[0] == 0
    (entry,) = json.loads((tmp_path / 'results.json').read_text())['queries']
    assert Path(entry['file']).name == files[0]


def test_queries_that_cannot_be_read_are_listed(world, tmp_path, tool, monkeypatch):
    monkeypatch.setattr(retrieve_shapes, 'shape_tiles', lambda path, *_: path)
    (tmp_path / 'broken.jpg').write_bytes(b'\xff\xd8\xff')
    (tmp_path / 'small.binvox').write_bytes(b'#binvox 1\ndim 1 1 1\ndata\n\x01\x01')
    models = world / 'cisp.py', world / 'cisp.pth'
    status, text, errors = tool(world / 'photos', *tmp_path.iterdir(), world / 'both.npz', *models, '--out',
                                tmp_path / 'out')  # fmt: skip
    assert status == 3 and '2 of 4 queries answered' in text and errors.count('error: ') == 2
    assert 'broken.jpg is no complete image' in errors and 'small.binvox holds (1, 1, 1) voxels, not 32^3' in errors


def test_what_cannot_be_searched_is_one_line(world, tmp_path, tool):
    models, one, gallery = (world / 'cisp.py', world / 'cisp.pth'), world / 'photos/plain.png', world / 'shapes.npz'
    other = write_model(world, CISP, 'other', seed=1)
    wide = write_model(world, {**CISP, 'image_encoder': {**CISP['image_encoder'], 'embed_channels': 8},
                               'shape_encoder': {**CISP['shape_encoder'], 'embed_channels': 8}}, 'wide')  # fmt: skip
    shape = world / 'shapenet/ShapeNetVox32' / CHAIR / IDS[CHAIR][0] / 'model.binvox'
    cases = {
        'there is no gallery': (one, world / 'none.npz', *models),
        'is no gallery': (one, one, *models),
        'by cisp.pth of': (one, gallery, *other),
        'embeddings of 6 dimensions': (one, gallery, *wide),
        'not of 8 by the checkpoint given': (one, gallery, *wide),
        'the gallery holds no images': (shape, gallery, *models),
        'need top of at least 1': (one, gallery, *models, '--top', 0),
        'would both be called': (one, world / 'photos/plain.png', gallery, *models),
        'there is no shape': (world / 'no.binvox', gallery, *models),
        'is neither an image nor a folder': (world / 'nowhere', gallery, *models),
        'there is no mask': (one, gallery, *models, '--mask', world / 'none'),
        'leave out --mask or --rendering': (one, gallery, *models, '--mask', world / 'masks', '--rendering'),
        'tolerance must lie within': (one, gallery, *models, '--tolerance', -1),
        'no device': (one, gallery, *models, '--device', 'abacus'),
    }
    for words, arguments in cases.items():
        status, _, errors = tool(*arguments, '--out', tmp_path / 'out')
        assert status == 1 and words in errors.splitlines()[-1] and errors.count('error: ') == 1, (words, errors)
    assert not (tmp_path / 'out').exists()
