from __future__ import annotations

import json
import os
import zipfile

import numpy as np
import pytest

from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES, FINE_NAMES
from mmfusion_plugin.evaluation import NuScenesSubmissionWriter
from mmfusion_plugin.evaluation import nuscenes_submission as module
from mmfusion_plugin.evaluation.nuscenes_submission import official_ids

from . import frames


def write(prefix, numbers, eval_set='val', **kwargs):
    writer = NuScenesSubmissionWriter(prefix, **kwargs)
    for number in numbers:
        writer.write(frames.token(number), frames.labels(number)[1], eval_set)
    return writer.finish(eval_set, len(numbers))


def test_layout_and_values(tmp_path):
    archive = write(tmp_path / 'sub', range(3))
    meta = json.loads((tmp_path / 'sub/val/submission.json').read_text())
    assert meta == {'meta': dict(use_camera=False, use_lidar=True, use_radar=False, use_map=False, use_external=False)}
    for number in range(3):
        raw = (tmp_path / 'sub/lidarseg/val' / f'{frames.token(number)}_lidarseg.bin').read_bytes()
        assert list(raw) == [value + 1 for value in frames.labels(number)[1].tolist()]
    assert archive == tmp_path / 'sub_val.zip'
    with zipfile.ZipFile(archive) as bundle:
        assert bundle.testzip() is None
        assert bundle.namelist() == ['val/submission.json'] + [
            f'lidarseg/val/{frames.token(number)}_lidarseg.bin' for number in range(3)]


def test_declared_inputs_can_be_changed(tmp_path):
    write(tmp_path / 'sub', range(1), 'test', meta=dict(use_camera=True))
    assert json.loads((tmp_path / 'sub/test/submission.json').read_text())['meta']['use_camera'] is True


@pytest.mark.parametrize('meta', [dict(camera=True), dict(use_camera=1)])
def test_unknown_or_untyped_meta_is_refused(meta):
    with pytest.raises(ValueError, match='submission_meta'):
        NuScenesSubmissionWriter('unused', meta)


def test_same_predictions_same_zip(tmp_path):
    first, second = (write(tmp_path / name, range(3)).read_bytes() for name in ('a', 'b'))
    assert first == second


def test_two_splits_share_a_folder(tmp_path):
    write(tmp_path / 'sub', range(2), 'val')
    write(tmp_path / 'sub', range(4), 'test')
    assert len(list((tmp_path / 'sub/lidarseg/val').iterdir())) == 2
    assert len(list((tmp_path / 'sub/lidarseg/test').iterdir())) == 4


def test_earlier_submission_is_replaced_whole(tmp_path):
    write(tmp_path / 'sub', range(5))
    write(tmp_path / 'sub', range(2))
    assert len(list((tmp_path / 'sub/lidarseg/val').iterdir())) == 2
    assert sorted(os.listdir(tmp_path / 'sub')) == ['lidarseg', 'val']


def test_incomplete_run_leaves_the_earlier_submission(tmp_path):
    write(tmp_path / 'sub', range(3))
    writer = NuScenesSubmissionWriter(tmp_path / 'sub')
    writer.write(frames.token(9), frames.labels(9)[1], 'val')
    with pytest.raises(RuntimeError, match='1 different frames were predicted, the dataset holds 3'):
        writer.finish('val', 3)
    assert len(list((tmp_path / 'sub/lidarseg/val').iterdir())) == 3


def test_leftovers_of_an_interrupted_run_do_not_enter(tmp_path):
    NuScenesSubmissionWriter(tmp_path / 'sub').write(frames.token(9), frames.labels(9)[1], 'val')
    (tmp_path / 'sub/.val.part/half.0.part').write_bytes(b'x')
    write(tmp_path / 'sub', range(2))
    assert sorted(os.listdir(tmp_path / 'sub/lidarseg/val')) == [
        f'{frames.token(number)}_lidarseg.bin' for number in range(2)]


def test_failed_exchange_restores_the_earlier_submission(tmp_path, monkeypatch):
    write(tmp_path / 'sub', range(3))
    real = os.replace

    def replace(source, target):
        if str(source).endswith('.val.part'):
            raise OSError('disk full')
        real(source, target)

    monkeypatch.setattr(module.os, 'replace', replace)
    with pytest.raises(RuntimeError, match='disk full'):
        write(tmp_path / 'sub', range(2))
    assert len(list((tmp_path / 'sub/lidarseg/val').iterdir())) == 3


def test_interrupted_exchange_is_mended_by_the_next_run(tmp_path):
    write(tmp_path / 'sub', range(3))
    (tmp_path / 'sub/lidarseg/val').rename(tmp_path / 'sub/.val.part.old')
    with pytest.raises(RuntimeError):
        NuScenesSubmissionWriter(tmp_path / 'sub').finish('val', 3)
    assert len(list((tmp_path / 'sub/.val.part.old').iterdir())) == 3
    write(tmp_path / 'sub', range(2))
    assert len(list((tmp_path / 'sub/lidarseg/val').iterdir())) == 2


def test_foreign_files_are_not_overwritten(tmp_path):
    folder = tmp_path / 'sub/lidarseg/val'
    folder.mkdir(parents=True)
    (folder / 'thesis.tex').write_text('years of work')
    with pytest.raises(RuntimeError, match='thesis.tex'):
        write(tmp_path / 'sub', range(1))
    assert (folder / 'thesis.tex').read_text() == 'years of work'


def test_labels_of_some_classes_get_their_official_ids(tmp_path):
    writer = NuScenesSubmissionWriter(tmp_path / 'sub')
    writer.write('a', np.array([0, 1, 2, 0]), 'val', ['pedestrian', 'car', 'barrier'])
    writer.finish('val', 1)
    # nuscenes-devkit: barrier is 1, car 4, pedestrian 7.
    assert list((tmp_path / 'sub/lidarseg/val/a_lidarseg.bin').read_bytes()) == [7, 4, 1, 7]


def test_official_ids_are_the_devkits():
    utils = pytest.importorskip('nuscenes.eval.lidarseg.utils', reason='needs nuscenes-devkit')
    names = {name: index for index, name in enumerate(FINE_NAMES)}
    mapper = utils.LidarsegClassMapper(type('Tables', (), dict(lidarseg_name2idx_mapping=names)))
    official = mapper.coarse_name_2_coarse_idx_mapping
    assert official_ids(CLASSES[::-1]).tolist() == [official[name] for name in CLASSES[::-1]]


def test_staging_waits_for_no_disk(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, 'fsync', flushed.append)
    writer = NuScenesSubmissionWriter(tmp_path / 'sub')
    for number in range(3):
        writer.write(frames.token(number), frames.labels(number)[1], 'val')
    assert not flushed and len(list((tmp_path / 'sub/.val.part').iterdir())) == 3


@pytest.mark.parametrize('classes, words', [(['car', 'tram'], 'tram'), (['car'], 'classes 0..0')])
def test_classes_that_do_not_fit_are_refused(tmp_path, classes, words):
    with pytest.raises(ValueError, match=words):
        NuScenesSubmissionWriter(tmp_path).write('a', np.array([0, 1]), 'val', classes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'token, labels, eval_set, words',
    [
        ('a', np.array([0, 16]), 'val', 'classes 0..15'),
        ('a', np.array([-1, 3]), 'val', 'classes 0..15'),
        ('a', np.array([1.0]), 'val', 'integer'),
        ('a', np.array([], np.int64), 'val', 'integer'),
        ('../a', np.array([1]), 'val', 'token'),
        ('a', np.array([1]), 'validation', "'validation' is no split"),
    ],
)
def test_bad_frames_are_refused(tmp_path, token, labels, eval_set, words):
    with pytest.raises(ValueError, match=words):
        NuScenesSubmissionWriter(tmp_path).write(token, labels, eval_set)
