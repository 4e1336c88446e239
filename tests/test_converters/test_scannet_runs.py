"""The conversion as a run: workers, interruption, changed input, and every fault named."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import scannet_hand_world as world

from mmfusion_plugin.converters import scannet, scannet_scan
from mmfusion_plugin.converters.scannet import create_scannet_infos
from mmfusion_plugin.converters.scannet_frames import ScanOptions

SMALL = ScanOptions((16, 12))


@pytest.fixture(scope='module')
def untouched(tmp_path_factory) -> Path:
    return world.make_world(tmp_path_factory.mktemp('scannet') / 'raw')


@pytest.fixture
def raw(untouched, tmp_path) -> Path:
    """A copy that a test may damage, with the same times."""
    return Path(shutil.copytree(untouched, tmp_path / 'raw'))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob('*')) if path.is_file()}


def test_any_number_of_workers_gives_the_same_files(untouched, tmp_path):
    for workers in (1, 3):
        create_scannet_infos(untouched, tmp_path / str(workers), SMALL, workers=workers)
    one, three = (content(tmp_path / name) for name in ('1', '3'))
    assert one == three and len(one) > 60


def counted(monkeypatch, stop_at: int = 0) -> list[str]:
    """Names of the scans that are converted from now on; the run stops in scan number ``stop_at``."""
    convert, calls = scannet.convert_scan, []

    def wrapped(*args):
        calls.append(args[-1].name)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        return convert(*args)

    monkeypatch.setattr(scannet, 'convert_scan', wrapped)
    return calls


def test_interrupted_run_resumes(untouched, tmp_path, monkeypatch, capsys):
    create_scannet_infos(untouched, tmp_path / 'whole', SMALL)
    calls = counted(monkeypatch, stop_at=3)
    with pytest.raises(KeyboardInterrupt):
        create_scannet_infos(untouched, tmp_path / 'out', SMALL)
    assert not list((tmp_path / 'out').glob('*.json')), 'nothing half-written under a final name'
    create_scannet_infos(untouched, tmp_path / 'out', SMALL)
    assert calls == ['scene0000_00', 'scene0000_01', 'scene0011_00', 'scene0011_00', 'scene0707_00']
    assert '2 of 4 scans are converted already' in capsys.readouterr().out
    assert content(tmp_path / 'out') == content(tmp_path / 'whole')


def test_scan_interrupted_half_way_leaves_no_frames(untouched, tmp_path, monkeypatch):
    write, calls = scannet_scan.write_frame, []

    def stop_at_third(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(*args)

    monkeypatch.setattr(scannet_scan, 'write_frame', stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        create_scannet_infos(untouched, tmp_path, SMALL)
    assert not list((tmp_path / 'frames').iterdir()) and not list(tmp_path.glob('manifests/*'))


def test_what_a_killed_run_left_is_not_taken_over(untouched, tmp_path):
    create_scannet_infos(untouched, tmp_path / 'whole', SMALL)
    for place in ('.scene0000_00.partial', 'scene0000_00'):
        (tmp_path / 'out/frames' / place / 'color').mkdir(parents=True)
        (tmp_path / 'out/frames' / place / 'color/77.jpg').write_text('of another run')
    (tmp_path / 'out/manifests').mkdir()
    (tmp_path / 'out/manifests/scene0000_00.json').write_text('{"fingerpr')
    create_scannet_infos(untouched, tmp_path / 'out', SMALL)
    assert content(tmp_path / 'out') == content(tmp_path / 'whole')


def test_only_changed_scans_are_converted_again(raw, tmp_path, monkeypatch):
    create_scannet_infos(raw, tmp_path / 'out', SMALL)
    calls = counted(monkeypatch)
    create_scannet_infos(raw, tmp_path / 'out', SMALL)
    assert calls == []
    os.utime(raw / 'scans/scene0011_00/scene0011_00.aggregation.json', ns=(1, 1))
    create_scannet_infos(raw, tmp_path / 'out', SMALL)
    assert calls == ['scene0011_00']
    table = raw / 'scannetv2-labels.combined.tsv'
    os.utime(table, ns=(1, 1))
    create_scannet_infos(raw, tmp_path / 'out', SMALL)
    assert calls == ['scene0011_00'], 'the same names, written again'
    table.write_text(table.read_text() + '\n')
    create_scannet_infos(raw, tmp_path / 'out', SMALL)
    assert calls[1:] == ['scene0000_00', 'scene0000_01', 'scene0011_00'], 'all that have labels'
    calls.clear()
    create_scannet_infos(raw, tmp_path / 'out', ScanOptions((16, 12), frame_skip=3))
    assert len(calls) == 4
    assert {path.name for path in (tmp_path / 'out/frames/scene0000_00/color').iterdir()} == {'0.jpg'}


def test_a_fault_in_the_middle_keeps_no_manifest_of_before(raw, tmp_path):
    create_scannet_infos(raw, tmp_path / 'out', SMALL)
    path = raw / 'scans/scene0011_00/scene0011_00.aggregation.json'
    path.write_text(path.read_text().replace('oil \\"painting', 'unheard of'))
    with pytest.raises(ValueError, match="'unheard of' is not in"):
        create_scannet_infos(raw, tmp_path / 'out', SMALL)
    assert not (tmp_path / 'out/manifests/scene0011_00.json').exists()


def sens(raw: Path) -> Path:
    return raw / 'scans/scene0000_01/scene0000_01.sens'


def damage_picture(path: Path, number: int) -> None:
    """Overwrite the start of a frame's colour image."""
    data = bytearray(path.read_bytes())
    pose = world.camera_pose(number, 1).astype('<f4').tobytes()
    start = data.index(pose) + len(pose) + 32
    data[start:start + 20] = bytes(20)
    path.write_bytes(data)


def test_damaged_frame_stops_or_is_dropped(raw, tmp_path):
    damage_picture(sens(raw), 4)
    with pytest.raises(ValueError, match=r'scene0000_01\.sens: frame 4 at offset \d+.*--drop-damaged-frames'):
        create_scannet_infos(raw, tmp_path / 'out', SMALL)
    create_scannet_infos(raw, tmp_path / 'out', ScanOptions((16, 12), drop_damaged=True))
    manifest = json.loads((tmp_path / 'out/manifests/scene0000_01.json').read_text())
    assert manifest['dropped']['damaged'] == [4] and manifest['entry']['rgbd']['frames'] == [0, 1, 5]
    assert not (tmp_path / 'out/frames/scene0000_01/depth/4.png').exists()


def test_missing_label_image_stops_or_is_dropped(raw, tmp_path):
    path = raw / 'scans/scene0000_01/scene0000_01_2d-label-filt.zip'
    with zipfile.ZipFile(path) as archive:
        images = {name: archive.read(name) for name in archive.namelist() if '1.png' not in name}
    with zipfile.ZipFile(path, 'w') as archive:
        for name, data in images.items():
            archive.writestr(name, data)
    with pytest.raises(ValueError, match=r'2d-label-filt\.zip: label-filt/1\.png is missing'):
        create_scannet_infos(raw, tmp_path / 'out', SMALL)
    create_scannet_infos(raw, tmp_path / 'out', ScanOptions((16, 12), drop_damaged=True))
    assert json.loads((tmp_path / 'out/manifests/scene0000_01.json').read_text())['dropped']['damaged'] == [1]


def test_truncated_sequence_is_never_dropped_silently(raw, tmp_path):
    data = sens(raw).read_bytes()
    sens(raw).write_bytes(data[: data.index(world.camera_pose(4, 1).tobytes()) + 50])
    with pytest.raises(ValueError, match=r'scene0000_01\.sens breaks off in frame 4 of 6'):
        create_scannet_infos(raw, tmp_path / 'out', ScanOptions((16, 12), drop_damaged=True))


@pytest.mark.parametrize('damage, message', [
    (lambda path: path.unlink(), r'(?s)1 files of 1 other scans.*{name}'),
    (lambda path: path.write_bytes(path.read_bytes()[:200]), '{name}'),
    (lambda path: path.write_bytes(b''), '{name}'),
])
@pytest.mark.parametrize('name', ['scene0000_01_vh_clean_2.ply', 'scene0000_01_vh_clean_2.0.010000.segs.json',
                                  'scene0000_01.aggregation.json', 'scene0000_01_2d-label.zip', 'scene0000_01.sens'])
def test_damaged_file_is_named(raw, tmp_path, name, damage, message):
    damage(raw / 'scans/scene0000_01' / name)
    with pytest.raises((ValueError, FileNotFoundError), match=message.format(name=name.replace('.', r'\.'))):
        create_scannet_infos(raw, tmp_path / 'out', SMALL)


def test_missing_label_images_name_their_own_remedy(raw, tmp_path):
    (raw / 'scans/scene0000_01/scene0000_01_2d-label.zip').unlink()
    with pytest.raises(FileNotFoundError, match='--label-images'):
        create_scannet_infos(raw, tmp_path / 'out', SMALL)
    create_scannet_infos(raw, tmp_path / 'out', ScanOptions((16, 12), label_kinds=('label-filt',)))


def test_missing_scans_stop_or_are_left_out(raw, tmp_path, capsys):
    shutil.rmtree(raw / 'scans/scene0000_00')
    (raw / 'scans/scene0011_00/scene0011_00.sens').unlink()
    with pytest.raises(FileNotFoundError, match='(?s)1 scans and 1 files.*--skip-missing-scans.*scene0000_00'):
        create_scannet_infos(raw, tmp_path / 'out', SMALL)
    files = create_scannet_infos(raw, tmp_path / 'out', SMALL, skip_missing_scans=True)
    found = [[entry['scan_id'] for entry in json.loads(path.read_text())['data_list']] for path in files]
    assert found == [['scene0000_01'], [], ['scene0707_00']]
    assert 'Left out 2 of 4 scans' in capsys.readouterr().out


@pytest.mark.parametrize('text, message', [
    ('scene0000_00\nscene0011_00\n', 'scene0011_00 is in'), ('scene0000_00 scene0000_00', 'scene0000_00 is in'),
    ('../secrets', 'no scan name'), ('/etc', 'no scan name'), ('.hidden', 'no scan name'),
])
def test_lists_without_meaning(raw, tmp_path, text, message):
    (raw / 'scannetv2_train.txt').write_text(text)
    with pytest.raises(ValueError, match=message):
        create_scannet_infos(raw, tmp_path / 'out', SMALL)
    assert not (tmp_path / 'out').exists()


def test_missing_lists_table_and_root(raw, tmp_path):
    with pytest.raises(FileNotFoundError, match='--root-path'):
        create_scannet_infos(tmp_path / 'nowhere', tmp_path / 'out', SMALL, lists={'train': raw / 'x'})
    with pytest.raises(FileNotFoundError, match='train scans'):
        create_scannet_infos(raw, tmp_path / 'out', SMALL, lists={'train': raw / 'x'})
    (raw / 'scannetv2-labels.combined.tsv').unlink()
    with pytest.raises(FileNotFoundError, match='combined.tsv'):
        create_scannet_infos(raw, tmp_path / 'out', SMALL)
    create_scannet_infos(raw, tmp_path / 'out', SMALL, lists={'test': raw / 'scannetv2_test.txt'})  # needs no table
    for path in raw.glob('*.txt'):
        path.unlink()
    with pytest.raises(FileNotFoundError, match='--splits-dir.*--train-list'):
        create_scannet_infos(raw, tmp_path / 'out', SMALL)


@pytest.mark.parametrize('arguments', [((0, 12),), ((16, 12), 0), ((16, 12), 1, ('labels',))])
def test_options_without_meaning(arguments):
    with pytest.raises(ValueError):
        ScanOptions(*arguments)


def run_tool(monkeypatch, repo_root, *arguments: object) -> int:
    monkeypatch.setattr(sys, 'argv', ['create_data.py', 'scannet', *map(str, arguments)])
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))  # as where python runs a script
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(repo_root / 'tools/create_data.py'), run_name='__main__')
    return stop.value.code


def test_command(raw, tmp_path, monkeypatch, repo_root, capsys):
    lists = tmp_path / 'lists'
    lists.mkdir()
    for path in raw.glob('scannetv2_*.txt'):
        shutil.move(path, lists / path.name)
    target = ('--root-path', raw, '--out-dir', tmp_path / 'out', '--image-size', 16, 12, '--frame-skip', 4)
    assert run_tool(monkeypatch, repo_root, *target) == 1
    assert capsys.readouterr().err.startswith('error: no scannetv2_train.txt')
    assert run_tool(monkeypatch, repo_root, *target, '--splits-dir', lists, '--workers', 2) == 0
    create_scannet_infos(raw, tmp_path / 'api', ScanOptions((16, 12), frame_skip=4), splits_dir=lists)
    assert content(tmp_path / 'out') == content(tmp_path / 'api')
    both = ('--splits-dir', lists, '--val-list', lists / 'scannetv2_val.txt')
    assert run_tool(monkeypatch, repo_root, *target, *both) == 1
    assert run_tool(monkeypatch, repo_root, *target[:2], '--out-dir', tmp_path / 'few', *target[4:], '--val-list',
                    lists / 'scannetv2_val.txt', '--label-images', '--extra-tag', 'few') == 0
    (entry,) = json.loads((tmp_path / 'few/few_infos_val.json').read_text())['data_list']
    assert entry['scan_id'] == 'scene0011_00' and entry['rgbd']['labels'] == []
    assert 'pts_semantic_mask_path' in entry  # meshes keep their labels


def test_memory_does_not_grow_with_the_sequence(untouched, tmp_path):
    """One frame at a time: the peak of Python's memory is far below the size of the frames together."""
    import tracemalloc

    from mmfusion_plugin.converters.sens import SensHeader, SensReader, SensWriter

    header = SensHeader((4, 4), (4, 4), *[world.INTRINSIC_DEPTH] * 2, color_compression='raw')
    path, frames, size = tmp_path / 'long.sens', 200, 500_000
    with SensWriter(path, header) as writer:
        for _ in range(frames):
            writer.write(world.camera_pose(0), bytes(size), world.depth_image(0)[:4, :4])
    assert path.stat().st_size > frames * size
    tracemalloc.start()
    with SensReader(path) as reader:
        assert sum(len(frame.color_data) for frame in reader.frames()) == frames * size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size
