"""The checker accepts what the writer writes, as a folder and as a zip, and refuses broken variants by name."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scannet_hand_world as world

from mmfusion_plugin.evaluation import ScanNetSubmissionWriter
from mmfusion_plugin.evaluation.scannet_submission_check import (
    check_submission,
    evaluate_submission,
    find_problems,
    vertices_per_scan,
)

from . import scans

SCANS = range(4)
NAME = scans.name(1)


@pytest.fixture
def data(tmp_path) -> Path:
    """A converted split with labels, as far as the checker looks at it."""
    entries = [dict(scan_id=scans.name(i), num_points=len(scans.labels(i)[0])) for i in SCANS]
    (tmp_path / 'data/semantic_mask').mkdir(parents=True)
    for split in ('val', 'test'):
        (tmp_path / f'data/scannet_infos_{split}.json').write_text(json.dumps(dict(metainfo={}, data_list=entries)))
    for i in SCANS:
        truth = [scans.VALID[t] if t < 20 else 38 for t in scans.labels(i)[0]]
        np.array(truth, '<i8').tofile(tmp_path / f'data/semantic_mask/{scans.name(i)}.bin')
    return tmp_path / 'data'


@pytest.fixture
def written(tmp_path) -> Path:
    writer = ScanNetSubmissionWriter(tmp_path / 'sub')
    for i in SCANS:
        writer.write(scans.name(i), scans.labels(i, invalid=False)[1])
    writer.finish(len(SCANS))
    return tmp_path / 'sub'


@pytest.mark.parametrize('form', ['sub', 'sub.zip'])
def test_what_the_writer_writes_is_valid(data, written, form):
    vertices = sum(len(scans.labels(i)[0]) for i in SCANS)
    assert check_submission(written.with_name(form), data) == f"valid: 4 scans of 'test', {vertices} vertices"


@pytest.mark.parametrize('form', ['sub', 'sub.zip'])
def test_scores_equal_the_official_script(data, written, form):
    scores = evaluate_submission(written.with_name(form), data, 'val')
    ious, _ = scans.official(SCANS, invalid=False)
    np.testing.assert_allclose(scores.iou, list(ious.values()), atol=1e-12)
    assert scores.miou == pytest.approx(np.mean(list(ious.values())), abs=1e-12)


def lines(change):
    """Change the lines of one file."""

    def apply(folder: Path) -> None:
        path = folder / f'{NAME}.txt'
        path.write_text('\n'.join(change(path.read_text().split('\n')[:-1])) + '\n')

    return apply


def as_class_indices(rows: list[str]) -> list[str]:
    return [str(scans.VALID.index(int(row))) for row in rows]


def nest(folder: Path) -> None:
    (folder / 'sub').mkdir()
    for path in list(folder.glob('*.txt')):
        shutil.move(path, folder / 'sub' / path.name)


BROKEN = {
    'scan missing': (lambda folder: (folder / f'{NAME}.txt').unlink(), f'1 of 4 scans are missing, first {NAME}.txt'),
    'scan of another split': (lambda folder: shutil.copy(folder / f'{NAME}.txt', folder / 'scene0999_00.txt'),
                              "1 files belong to no scan of the split, first 'scene0999_00.txt'"),
    'other file': (lambda folder: (folder / 'README.md').write_text('x'), "first 'README.md'"),
    'other ending': (lambda folder: (folder / f'{NAME}.txt').rename(folder / f'{NAME}.TXT'), f"first '{NAME}.TXT'"),
    'folder inside': (nest, '4 files lie in folders and must lie at the root, first sub/scene0000_00.txt'),
    'one vertex less': (lines(lambda rows: rows[:-1]), f'{NAME}.txt: 76 lines for a mesh of 77 vertices'),
    'one vertex more': (lines(lambda rows: [*rows, '1']), '78 lines for a mesh of 77 vertices'),
    'empty file': (lambda folder: (folder / f'{NAME}.txt').write_text(''), '0 lines for a mesh of 77 vertices'),
    'blank line': (lines(lambda rows: [*rows[:5], '', *rows[6:]]), "line 6 is b''"),
    'all on one line': (lines(lambda rows: [' '.join(rows)]), '1 lines for a mesh of 77 vertices'),
    'decimals': (lines(lambda rows: [f'{row}.0' for row in rows]), "line 1 is b'"),
    'names': (lines(lambda rows: ['wall', *rows[1:]]), "line 1 is b'wall'"),
    'two columns': (lines(lambda rows: [f'{row} 0.9' for row in rows]), 'line 1 is'),
    'negative id': (lines(lambda rows: ['-1', *rows[1:]]), "line 1 is b'-1'"),
    'class indices': (lines(as_class_indices), 'these look like class indices 0..19'),
    'unlabelled vertex': (lines(lambda rows: ['0', *rows[1:]]), '1 of 77 vertices have ids that are no class'),
    'id that is not scored': (lines(lambda rows: ['13', *rows[1:]]), 'such as 13'),
    'raw id': (lines(lambda rows: ['1357', *rows[1:]]), 'such as 1357; the classes are 1, 2, 3'),
    'binary': (lambda folder: (folder / f'{NAME}.txt').write_bytes(bytes(77)), f'{NAME}.txt: 1 lines'),
    'far too long': (lambda folder: (folder / f'{NAME}.txt').write_bytes(b'1' * 99999), 'than its vertices can take'),
}


@pytest.mark.parametrize('form', ['folder', 'zip'])
@pytest.mark.parametrize('name', sorted(BROKEN))
def test_broken_variant_is_refused_and_named(data, written, name, form):
    damage, message = BROKEN[name]
    damage(written)
    target = written
    if form == 'zip':
        target = written.with_name('broken.zip')
        with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(written.rglob('*')):
                archive.write(path, path.relative_to(written))
    problems = find_problems(target, vertices_per_scan(data, 'test'))
    assert any(message in problem for problem in problems), problems
    with pytest.raises(ValueError, match='no valid submission'):
        check_submission(target, data)


def test_damaged_zips(data, written):
    archive, vertices = written.with_name('sub.zip'), vertices_per_scan(data, 'test')
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    assert 'neither a folder nor a complete zip' in find_problems(archive, vertices)[0]
    damaged = bytearray(whole)
    start = whole.index(f'{NAME}.txt'.encode()) + len(f'{NAME}.txt')
    damaged[start:start + 30] = bytes(30)
    archive.write_bytes(damaged)
    assert any(NAME in problem and 'cannot be read' in problem for problem in find_problems(archive, vertices))
    with pytest.warns(UserWarning), zipfile.ZipFile(archive, 'w') as twice:
        for i in (0, 1, 2, 3, 1):
            twice.write(written / f'{scans.name(i)}.txt', f'{scans.name(i)}.txt')
    assert find_problems(archive, vertices) == [f'1 files are in the zip more than once, first {NAME}.txt']


def test_missing_target_and_data(data, written, tmp_path):
    assert 'neither' in find_problems(tmp_path / 'nowhere', {})[0]
    with pytest.raises(FileNotFoundError, match='scannetv2_train.txt'):
        check_submission(written, tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='scannetv2'):
        check_submission(written, data, 'train')
    (data / f'semantic_mask/{NAME}.bin').unlink()
    with pytest.raises(FileNotFoundError, match=f'{NAME}.bin'):
        evaluate_submission(written, data, 'val')


def test_raw_scans_tell_the_number_of_vertices_as_well(tmp_path):
    raw = world.make_world(tmp_path / 'raw')
    count = len(world.mesh()[0])
    assert vertices_per_scan(raw, 'test') == {'scene0707_00': count}
    writer = ScanNetSubmissionWriter(tmp_path / 'sub')
    writer.write('scene0707_00', np.zeros(count, np.int64))
    assert check_submission(writer.finish(1), raw).startswith("valid: 1 scans of 'test'")


def run_tool(monkeypatch, repo_root, *arguments: object) -> object:
    monkeypatch.setattr(sys, 'argv', ['check_submission.py', 'scannet', *map(str, arguments)])
    try:
        runpy.run_path(str(repo_root / 'tools/check_submission.py'), run_name='__main__')
    except SystemExit as stop:
        return stop.code
    return 0


def test_command(data, written, monkeypatch, repo_root, capsys):
    target = (written, '--data-root', data)
    assert run_tool(monkeypatch, repo_root, *target, '--split', 'val', '--score') == 0
    text = capsys.readouterr().out
    miou = 100 * np.mean(list(scans.official(SCANS, invalid=False)[0].values()))
    assert text.startswith("valid: 4 scans of 'val'") and f'mIoU{miou:25.2f}' in text and 'shower curtain' in text
    (written / f'{NAME}.txt').unlink()
    assert '1 of 4 scans are missing' in run_tool(monkeypatch, repo_root, *target)
