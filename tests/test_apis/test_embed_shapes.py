"""Galleries: equal to dataset and model, in their order; runs that go on; files of one's own; faults."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import load_checkpoint
from shapenet_hand_world import CHAIR, PLANE, make_shapenet, voxels
from shapenet_hand_world import CISP as CISP_SPLIT
from shapenet_hand_world import MODELS as IDS

from mmfusion_plugin.apis import embed_shapes
from mmfusion_plugin.apis.embedding_inferencer import EmbeddingInferencer
from mmfusion_plugin.apis.gallery import read_gallery
from mmfusion_plugin.datasets.transforms import LoadEmbedding

from .voxel_models import CISP, PIPELINE, WIDTH, command, write_model

pytest.importorskip('mmpretrain')


@pytest.fixture()
def tool(monkeypatch, capsys):
    return command('tools/embed_shapes.py', monkeypatch, capsys)


@pytest.fixture()
def world(tmp_path: Path) -> Path:
    """``shapenet`` with a chair and a plane in the test part, and ``cisp.py`` and ``cisp.pth``."""
    write_model(tmp_path, CISP, 'cisp', make_shapenet(tmp_path / 'shapenet', clouds=False))
    return tmp_path


def test_gallery_equals_dataset_and_model(world, tool):
    """Shapes, then all views, in the dataset's order; the same from batches of any size."""
    models, out = (world / 'cisp.py', world / 'cisp.pth'), world / 'out/gallery.npz'
    status, text, errors = tool(*models, '--images', '--views', 'all', '--batch-size', 4, '--out', out)
    assert status == 0 and '2 shapes, 6 images in 6 dimensions, 0 of them from an earlier run' in text, errors
    cfg = Config.fromfile(models[0])
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'views': None})
    model = MODELS.build(cfg.model).eval()
    load_checkpoint(model, str(models[1]), map_location='cpu')
    with torch.no_grad():
        samples = model.test_step(pseudo_collate([dataset[place] for place in range(6)]))
    names = [f'{sample.synset}/{sample.model_id}' for sample in samples]
    with np.load(out, allow_pickle=False) as file:
        keys, vectors, kinds = file['keys'], file['vectors'], file['kinds']
    assert keys.tolist() == names[::3] + [f'{name}/{view:02d}' for name, view in zip(names, 2 * [0, 1, 2])]
    assert kinds.tolist() == ['shape'] * 2 + ['image'] * 6 and vectors.dtype == np.float32
    expected = [sample.pred_shape_embedding for sample in samples[::3]]
    expected += [sample.pred_image_embedding for sample in samples]
    np.testing.assert_allclose(vectors, torch.stack(expected), rtol=1e-4, atol=1e-5)
    assert np.ptp(vectors, axis=0).min() > 1e-3, 'all embeddings are the same'
    for place in range(6):  # a model that is conditioned on a file finds the images' embeddings in it
        loaded = LoadEmbedding(str(out)).transform(dataset.get_data_info(place))
        np.testing.assert_array_equal(loaded['embedding'], vectors[2 + place])
    gallery = read_gallery(out)
    assert set(gallery.categories[:2]) == {'chair', 'aeroplane'} and set(gallery.synsets) == {CHAIR, PLANE}
    assert gallery.made_by['config'] == str(models[0]) and gallery.made_by['checkpoint'] == str(models[1])
    assert all(Path(path).is_file() for path in gallery.paths) and not list(out.parent.glob('*.part*'))


def test_a_second_run_embeds_what_is_new(world, tool, monkeypatch):
    """Also after a stop, from the part that was written; other weights embed all anew."""
    models, out, made = (world / 'cisp.py', world / 'cisp.pth'), world / 'gallery.npz', []
    original = EmbeddingInferencer.embed_shapes

    def counted(self: EmbeddingInferencer, batch: list) -> np.ndarray:
        if len(made) == 1 and stops:
            raise KeyboardInterrupt
        made.extend([1] * len(batch))
        return original(self, batch)

    monkeypatch.setattr(EmbeddingInferencer, 'embed_shapes', counted)
    monkeypatch.setattr(embed_shapes, '_SAVE_EVERY', 0.0)
    stops = True
    with pytest.raises(KeyboardInterrupt):
        tool(*models, '--batch-size', 1, '--out', out)
    assert not out.exists() and len(read_gallery(world / 'gallery.part.npz').keys) == 1
    stops = False
    runs = []
    for more in ((), (), ('--split', 'train'), ('--split', 'test')):
        made.clear()
        status, _, errors = tool(*models, *more, '--out', out)
        assert status == 0, errors
        runs.append(len(made))
    assert runs == [1, 0, 2, 2] and not (world / 'gallery.part.npz').exists()
    expected = read_gallery(out).vectors
    path = world / 'shapenet/ShapeNetVox32' / CHAIR / IDS[CHAIR][0] / 'model.binvox'
    path.write_bytes((world / 'shapenet/ShapeNetVox32' / PLANE / IDS[PLANE][0] / 'model.binvox').read_bytes())
    made.clear()
    assert tool(*models, '--out', out)[0] == 0 and len(made) == 1
    changed = read_gallery(out)
    chair = list(changed.synsets).index(CHAIR)
    np.testing.assert_allclose(changed.vectors[chair], expected[1 - chair], rtol=1e-5)
    made.clear()
    others = write_model(world, CISP, 'other', world / 'shapenet', seed=1)
    assert tool(*others, '--out', out)[0] == 0 and len(made) == 2


def test_several_parts_of_the_split(world, tool):
    """All shapes and then all images, part by part: what a model conditioned on a file is trained and tested on."""
    models, out = (world / 'cisp.py', world / 'cisp.pth'), world / 'all.npz'
    arguments = *models, '--images', '--views', 0, 2, '--out', out
    status, text, errors = tool(*arguments, '--split', 'train', 'val', 'test')
    assert status == 0 and '5 shapes, 10 images' in text, errors
    parts = {part: [f'{synset}/{model}' for synset in sorted(CISP_SPLIT) for model in CISP_SPLIT[synset][part]]
             for part in ('train', 'val', 'test')}  # fmt: skip
    found = read_gallery(out).keys.tolist()
    assert [sorted(found[:2]), found[2:3], sorted(found[3:5])] == list(parts.values())
    assert found[5:] == [f'{name}/{view:02d}' for name in found[:5] for view in (0, 2)]
    for wrong in (('--split', 'test', 'val', 'test'), ('--views', 1, 1)):
        status, _, errors = tool(*arguments, *wrong)
        assert status == 1 and 'would stand in the gallery more than once' in errors, wrong


@pytest.mark.parametrize('name', ['out.npz', 'out.part.npz'])
def test_only_galleries_are_replaced(world, tool, name):
    """Not, for instance, embeddings of another network, nor what a folder of the name holds."""
    path, models = world / name, (world / 'cisp.py', world / 'cisp.pth')
    np.savez(path, keys=['a'], vectors=np.ones((1, 512)))
    content = path.read_bytes()
    status, _, errors = tool(*models, '--out', world / 'out.npz')
    assert status == 1 and f'{name} is there, is no gallery and would be replaced: name another --out' in errors
    assert path.read_bytes() == content and [one.name for one in world.glob('out*')] == [name]


def test_files_of_one_s_own(world, tool):
    """Folders in ShapeNet's layout or any, single files; what cannot be read is listed and left out."""
    models, root = (world / 'cisp.py', world / 'cisp.pth'), world / 'shapenet/ShapeNetVox32'
    mine = world / 'mine/deep'
    mine.mkdir(parents=True)
    (mine / 'a.binvox').write_bytes((root / CHAIR / IDS[CHAIR][1] / 'model.binvox').read_bytes())
    (mine / 'cut.binvox').write_bytes((mine / 'a.binvox').read_bytes()[:-2])
    status, text, errors = tool(*models, root, world / 'mine', '--out', world / 'all.npz')
    assert status == 3 and '6 shapes, 0 images' in text and errors.count('error: ') == 1
    assert 'deep/cut.binvox holds 32767 voxels' in errors
    found = read_gallery(world / 'all.npz')
    assert found.keys.tolist() == sorted(f'{synset}/{model}' for synset in IDS for model in IDS[synset]) + ['deep/a']
    assert found.categories[-1] == '' and found.synsets.tolist()[:2] == [PLANE] * 2
    assert found.categories[0] == 'aeroplane'
    expected = EmbeddingInferencer(*models, 'cpu').embed_shapes([voxels(f'{CHAIR}/{IDS[CHAIR][1]}')])
    np.testing.assert_allclose(found.vectors[-1:], expected, rtol=1e-4, atol=1e-6)


def test_what_cannot_be_embedded_is_one_line(world, tool):
    models, root = (world / 'cisp.py', world / 'cisp.pth'), world / 'shapenet'
    bare = write_model(world, CISP, 'bare', root, pipeline=PIPELINE[:1])
    clouds = write_model(world, CISP, 'clouds', make_shapenet(world / 'other'), targets=['points'])
    wide = write_model(world, {**CISP, 'image_encoder': {**CISP['image_encoder'], 'embed_channels': 8},
                               'shape_encoder': {**CISP['shape_encoder'], 'embed_channels': 8}}, 'wide')  # fmt: skip
    (world / 'empty').mkdir()
    (world / 'model.binvox').write_bytes(b'#binvox 1')
    cases = {
        'nowhere.pth': (models[0], world / 'nowhere.pth'),
        'cannot be used with': (models[0], wide[1]),
        'ends in LoadRendering': bare,
        "targets=['voxels']": clouds,
        'must be one of train, val, test': (*models, '--split', 'half'),
        'leave them out, or the shapes': (*models, root, '--split', 'test'),
        'is neither a .binvox file nor a folder': (*models, world / 'nothing'),
        'is no file of voxels': (*models, models[0]),
        'has no .binvox file in it': (*models, world / 'empty'),
        'would both be called': (*models, root, root / 'ShapeNetVox32' / '..'),
        'say --images too': (*models, '--views', 0),
        'numbers or the word all': (*models, '--images', '--views', 'some'),
        'ends in .npz': (*models, '--out', world / 'gallery.json'),
        'nothing could be embedded': (*models, world / 'model.binvox'),
        'no device': (*models, '--device', 'abacus'),
    }
    for words, arguments in cases.items():
        out = () if '--out' in arguments else ('--out', world / 'none.npz')
        status, _, errors = tool(*arguments, *out)
        assert status == 1 and words in errors.splitlines()[-1] and errors.count('error: ') == 1, (words, errors)
    assert not list(world.glob('none*')) and not (world / 'gallery.json').exists()


@pytest.mark.parametrize('content', [
    b'', b'no archive', json.dumps({}).encode(),
    dict(keys=['a'], vectors=np.zeros((1, WIDTH))),
    dict(vectors=np.zeros(3), made_by='{}', **{name: ['a'] * 3 for name in embed_shapes.Gallery.__annotations__
                                               if name not in ('vectors', 'made_by')}),
    dict(vectors=np.full((1, 3), np.nan), made_by='{}', **{name: ['a'] for name in embed_shapes.Gallery.__annotations__
                                                           if name not in ('vectors', 'made_by')}),
    dict(keys=np.array([None]), vectors=np.zeros((1, 3))),
])  # fmt: skip
def test_what_is_no_gallery(tmp_path, content):
    path = tmp_path / 'gallery.npz'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(ValueError, match='gallery.npz'):
        read_gallery(path)
