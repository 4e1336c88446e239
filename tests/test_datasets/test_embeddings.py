"""Embeddings out of a file: looked up, packed, refused where file or key is wrong; categories as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.registry import DATASETS
from mmengine.dataset import pseudo_collate
from shapenet_hand_world import CHAIR, MODELS, PLANE, VIEWS, make_shapenet

from mmfusion_plugin.datasets import CorruptDataError
from mmfusion_plugin.datasets.embedding_files import read_embeddings
from mmfusion_plugin.datasets.transforms import LabelCategory, LoadEmbedding, PackShapeInputs

KEYS = [f'{synset}/{model}/{view:02d}' for synset in MODELS for model in MODELS[synset] for view in range(VIEWS)]


def write(folder: Path, keys: Any = KEYS, width: int = 5, dtype: str = 'float32', **more: Any) -> Path:
    vectors = np.random.default_rng(0).normal(size=(len(keys), width)).astype(dtype)
    np.savez(folder / 'embeddings.npz', **{**dict(keys=keys, vectors=vectors), **more})
    return folder / 'embeddings.npz'


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64'])
def test_from_the_file_into_the_inputs(tmp_path, dtype):
    root, path = make_shapenet(tmp_path / 'world'), write(tmp_path, dtype=dtype)
    pipeline = [dict(type='LoadEmbedding', path=str(path), channels=5), dict(type='LoadVoxelTarget'),
                dict(type='PackShapeInputs')]  # fmt: skip
    dataset = DATASETS.build(dict(type='ShapeNetR2N2Dataset', data_root=str(root), split='cisp', targets=['voxels'],
                                  num_views=VIEWS, pipeline=pipeline))  # fmt: skip
    with np.load(path) as file:
        expected = dict(zip(file['keys'].tolist(), file['vectors']))
    seen = set()
    for sample in dataset:
        data, found = sample['data_samples'], sample['inputs']
        key = f'{data.synset}/{data.model_id}/{data.view:02d}'
        seen.add(key)
        assert set(found) == {'embedding'} and found['embedding'].dtype == torch.float32
        np.testing.assert_array_equal(found['embedding'], expected[key].astype(np.float32))
        assert data.gt_voxels.shape == (32, 32, 32)
    assert len(seen) == 2 * VIEWS
    batch = pseudo_collate([dataset[0], dataset[1]])
    assert [one.shape for one in batch['inputs']['embedding']] == [(5,), (5,)]
    dataset[0]['inputs']['embedding'].zero_()
    np.testing.assert_array_equal(dataset[0]['inputs']['embedding'], batch['inputs']['embedding'][0])


def test_one_vector_per_model(tmp_path):
    path = write(tmp_path, keys=[f'{CHAIR}/3c', f'{PLANE}/5e'])
    transform = LoadEmbedding(str(path), key='{synset}/{model_id}')
    first, second = (transform.transform(dict(synset=CHAIR, model_id='3c', view=view)) for view in (0, 2))
    np.testing.assert_array_equal(first['embedding'], second['embedding'])
    path.unlink()  # it was read once, and stays in memory
    assert transform.transform(dict(synset=PLANE, model_id='5e'))['embedding'].any()


def test_a_gallery_s_true_shapes_are_refused_unless_asked_for(tmp_path):
    """They would tell a network what it shall draw."""
    path = str(write(tmp_path, keys=[f'{CHAIR}/3c', f'{CHAIR}/3c/01'], kinds=['shape', 'image']))
    sample, of_model = dict(synset=CHAIR, model_id='3c', view=1), '{synset}/{model_id}'
    vectors = read_embeddings(path).vectors
    np.testing.assert_array_equal(LoadEmbedding(path).transform(dict(sample))['embedding'], vectors[1])
    asked = LoadEmbedding(path, key=of_model, kind='shape').transform(dict(sample))
    np.testing.assert_array_equal(asked['embedding'], vectors[0])
    with pytest.raises(ValueError, match=f"'{CHAIR}/3c' in .*npz is the embedding of the true shape itself, not of an"):
        LoadEmbedding(path, key=of_model).transform(dict(sample))
    with pytest.raises(ValueError, match="is the embedding of an image, not of the .* or kind='image' if"):
        LoadEmbedding(path, kind='shape').transform(dict(sample))
    with pytest.raises(ValueError, match=r"kind must be one of \('shape', 'image'\), got 'text'"):
        LoadEmbedding(path, kind='text')


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    transform = LoadEmbedding(str(tmp_path / 'later.npz'))
    with pytest.raises(FileNotFoundError, match=r'later.npz, the file of the embeddings, not found: write it with'):
        transform.transform(dict(synset=CHAIR, model_id='3c', view=0))


def test_a_key_that_is_not_there(tmp_path):
    path = write(tmp_path, keys=[f'{CHAIR}/3c/00', 'other'])
    with pytest.raises(CorruptDataError, match=f"npz has no embedding '{CHAIR}/3c/01' among 2 .*'{CHAIR}/3c/00'"):
        LoadEmbedding(str(path)).transform(dict(synset=CHAIR, model_id='3c', view=1))
    with pytest.raises(ValueError, match=r"key '\{author\}' needs 'author' of the sample, which has \['view'\]"):
        LoadEmbedding(str(path), key='{author}').transform(dict(view=1))
    with pytest.raises(ValueError, match='npz holds embeddings of 5 dimensions, not of 512: set channels'):
        LoadEmbedding(str(path), channels=512).transform(dict(synset=CHAIR, model_id='3c', view=0))


WRONG = [
    (dict(vectors=np.zeros((2, 3))), r'got .*U4 \(15,\) and float64 \(2, 3\)|must hold keys'),
    (dict(vectors=np.zeros(len(KEYS))), r'must hold vectors \(N, D\)'),
    (dict(vectors=np.zeros((len(KEYS), 3), int)), r'floating, got .* int64'),
    (dict(vectors=np.full((len(KEYS), 3), np.nan)), r'finite numbers, got \(15, 3\), 45 of them NaN'),
    (dict(keys=np.arange(len(KEYS))), 'must hold keys .N,., text'),
    (dict(kinds=['image']), r'must hold kinds \(N,\) of .* got <U5 \(1,\)'),
    (dict(kinds=['text'] * len(KEYS)), 'must hold kinds'),
    (dict(keys=['a'] * len(KEYS)), "has 'a' more than once"),
    (dict(keys=np.array([object()] * len(KEYS))), 'no complete file of embeddings .*allow_pickle=False'),
]


@pytest.mark.parametrize(('arrays', 'message'), WRONG)
def test_wrong_arrays(tmp_path, arrays, message):
    path = write(tmp_path, **arrays)
    with pytest.raises(ValueError, match=message) as error:
        read_embeddings(str(path))
    assert str(path) in str(error.value)


def test_damaged_files(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    np.savez(tmp_path / 'lacking.npz', keys=KEYS)
    np.save(tmp_path / 'array.npy', np.zeros((2, 3)))
    contents = [
        (b'', 'no complete file'), (b'no array', 'no complete file'), (whole[: len(whole) // 2], 'no complete file'),
        ((tmp_path / 'lacking.npz').read_bytes(), r"no array vectors, but \['keys'\]"),
        ((tmp_path / 'array.npy').read_bytes(), 'an array alone, not keys and vectors'),
    ]  # fmt: skip
    for content, message in contents:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as error:
            read_embeddings(str(path))
        assert str(path) in str(error.value) and 'numpy.savez' in str(error.value)


def test_what_is_packed_is_what_was_loaded():
    packer, image = PackShapeInputs(), np.zeros((4, 5, 3), np.uint8)
    assert packer.transform(dict(synset=CHAIR))['inputs'] == {}
    both = packer.transform(dict(img=image, embedding=np.arange(3)))['inputs']
    assert both['img'].shape == (3, 4, 5) and both['embedding'].tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match='img must be uint8'):
        packer.transform(dict(img=image.astype(float)))


def test_categories_as_numbers():
    transform = LabelCategory(['airplane', CHAIR])
    assert [transform.transform(dict(synset=synset))['gt_label'] for synset in (PLANE, CHAIR)] == [0, 1]
    with pytest.raises(ValueError, match='a.png is of category 04379243, which is not among'):
        transform.transform(dict(synset='04379243', img_path='a.png'))
    for wrong in ([], 'chair'):
        with pytest.raises(ValueError, match='categories must be a list of at least one name'):
            LabelCategory(wrong)
    with pytest.raises(ValueError, match='dragon'):
        LabelCategory(['dragon'])
