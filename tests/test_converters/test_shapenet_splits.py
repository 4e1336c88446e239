"""Both readers of splits, and the names of categories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shapenet_hand_world import CHAIR, CISP, LMNET, MODELS, PLANE

from mmfusion_plugin.converters.shapenet_splits import ModelKey, find_split, read_split
from mmfusion_plugin.converters.shapenet_taxonomy import (
    CATEGORIES,
    CISP_CATEGORIES,
    category_name,
    chosen_categories,
    synset_of,
)


@pytest.fixture
def lmnet(tmp_path: Path) -> Path:
    path = tmp_path / 'splits' / 'train_models.json'
    path.parent.mkdir()
    path.write_text(json.dumps({s: [f'{s}/{m}' for m in models] for s, models in LMNET['train'].items()}))
    return path


@pytest.fixture
def cisp(tmp_path: Path) -> Path:
    path = tmp_path / 'ShapeNet.json'
    rows = [{'taxonomy_id': synset, 'taxonomy_name': 'x', **parts} for synset, parts in CISP.items()]
    path.write_text(json.dumps(rows))
    return path


def test_lmnet(lmnet):
    assert read_split(lmnet, 'lmnet', 'train') == [
        ModelKey(PLANE, MODELS[PLANE][0]), ModelKey(CHAIR, MODELS[CHAIR][0]), ModelKey(CHAIR, 'u2f')
    ]  # fmt: skip
    assert read_split(lmnet, 'lmnet', 'train', ['airplane']) == [ModelKey(PLANE, MODELS[PLANE][0])]
    assert find_split(lmnet.parents[1], 'lmnet', 'train') == lmnet
    lmnet.write_text(f'{{"{CHAIR}": ["{CHAIR}/b", "{CHAIR}/a", "{CHAIR}/b"]}}')
    assert read_split(lmnet, 'lmnet', 'train') == [ModelKey(CHAIR, 'b'), ModelKey(CHAIR, 'a')], 'each once'


def test_cisp(cisp):
    assert read_split(cisp, 'cisp', 'test') == [ModelKey(CHAIR, MODELS[CHAIR][0]), ModelKey(PLANE, MODELS[PLANE][0])]
    assert read_split(cisp, 'cisp', 'val') == [ModelKey(CHAIR, 'u2f')]
    assert read_split(cisp, 'cisp', 'val', ['airplane']) == []
    assert read_split(cisp, 'cisp', 'train', [CHAIR]) == [ModelKey(CHAIR, '3c')]
    assert find_split(cisp.parent, 'cisp', 'val') == cisp


@pytest.mark.parametrize('folder', ['', 'data/splits', 'data', 'dataset'])
def test_places_of_the_authors(tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / folder / 'val_models.json').write_text('{}')
    assert find_split(tmp_path, 'lmnet', 'val') == tmp_path / folder / 'val_models.json'
    with pytest.raises(FileNotFoundError, match=r"train_models\.json is in none of .*splits.*3D-LMNet's split files"):
        find_split(tmp_path, 'lmnet', 'train')


def test_parts_that_there_are_not(lmnet):
    with pytest.raises(ValueError, match="train, val, got 'test': 3D-LMNet tests on 'val'"):
        read_split(lmnet, 'lmnet', 'test')
    with pytest.raises(ValueError, match="'lmnet' or 'cisp', got 'r2n2'"):
        read_split(lmnet, 'r2n2', 'train')
    with pytest.raises(FileNotFoundError, match='nowhere.json'):
        read_split(lmnet.with_name('nowhere.json'), 'lmnet', 'train')


@pytest.mark.parametrize(('content', 'message'), [
    ('{"03001627": ["03001627/a"', 'no complete JSON'),
    ('[]', 'lists of "synset/id" by synset'),
    ('{"03001627": "03001627/a"}', 'lists of "synset/id" by synset'),
    ('{"03001627": ["02691156/a"]}', "'02691156/a' among the models of 03001627"),
    ('{"03001627": [7]}', '7 among the models'),
    ('{"03001627": ["03001627/../../etc"]}', "'../../etc' of 03001627 is no id"),
    ('{"chair": ["chair/a"]}', "'chair' is no synset id"),
])  # fmt: skip
def test_damaged_lmnet_file(lmnet, content, message):
    lmnet.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        read_split(lmnet, 'lmnet', 'train')
    assert str(lmnet) in str(error.value)


@pytest.mark.parametrize(('content', 'message'), [
    ('{}', 'list of objects with taxonomy_id and val'),
    ('[]', 'list of objects with taxonomy_id and val'),
    ('[{"taxonomy_id": "03001627", "train": ["a"]}]', 'taxonomy_id and val'),
    ('[{"val": ["a"]}]', "'' is no synset id"),
    ('[{"taxonomy_id": "03001627", "val": [null]}]', 'None of 03001627 is no id'),
    ('[{"taxonomy_id": "03001627", "val": []}, {"taxonomy_id": "03001627", "val": ["a"]}]', 'a category twice'),
])  # fmt: skip
def test_damaged_cisp_file(cisp, content, message):
    cisp.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        read_split(cisp, 'cisp', 'val')
    assert str(cisp) in str(error.value)


def test_category_that_the_file_has_not(lmnet):
    with pytest.raises(ValueError, match=r"no category 'boat', but aeroplane \(02691156\), chair \(03001627\)"):
        read_split(lmnet, 'lmnet', 'train', ['chair', 'boat'])
    with pytest.raises(ValueError, match="'teapot' is unknown; choose among"):
        read_split(lmnet, 'lmnet', 'train', ['teapot'])


def test_names_and_aliases():
    # WordNet 3.0 offsets of the 13 categories, as 3D-R2N2's README and 3D-LMNet's taxonomy list them.
    ids = {'airplane': '02691156', 'bench': '02828884', 'cabinet': '02933112', 'car': '02958343', 'chair': '03001627',
           'monitor': '03211117', 'lamp': '03636649', 'speaker': '03691459', 'rifle': '04090263', 'sofa': '04256520',
           'table': '04379243', 'telephone': '04401088', 'vessel': '04530566'}  # fmt: skip
    assert {name: synset_of(name) for name in ids} == ids and len(CATEGORIES) == 13
    for pair in (('aeroplane', 'airplane'), ('display', 'monitor'), ('watercraft', 'vessel'),
                 ('loudspeaker', 'speaker')):  # fmt: skip
        assert len({synset_of(name) for name in pair}) == 1 and category_name(synset_of(pair[1])) == pair[0]
    assert [category.name for category in chosen_categories(['boat', CHAIR])] == ['chair', 'watercraft']
    five = ('airplane', 'car', 'chair', 'table', 'vessel')
    assert [synset_of(name) for name in CISP_CATEGORIES] == [ids[name] for name in five]
    assert synset_of('02747177') == category_name('02747177') == '02747177', 'other categories go by their id'
