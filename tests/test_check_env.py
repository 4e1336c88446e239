"""Judging versions, at import and by ``tools/check_env.py``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mmfusion_plugin import environment

REFERENCE = {'torch': '2.7.1', 'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmdet': '3.2.0', 'mmdet3d': '1.4.0'}


def test_versions_are_ordered() -> None:
    ordered = ['1.9', '2.0.0rc3', '2.0.0rc4', '2.0.0', '2.0.1', '2.1.0+cu126', '2.2.0a1', '2.2', '2.10', '10.0']
    keys = [environment.version_key(version) for version in ordered]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)
    assert environment.version_key('2.1') == environment.version_key('2.1.0') == environment.version_key('2.1.0.post1')
    with pytest.raises(ValueError, match='latest'):
        environment.version_key('latest')


@pytest.mark.parametrize(('name', 'found', 'verdict'), [
    ('torch', '2.0.1', 'unsupported'), ('torch', '2.1.0', 'ok'), ('torch', '2.13.1+cu130', 'ok'),
    ('torch', '2.14.0', 'untested'), ('torch', None, 'missing'),
    ('mmcv', '2.0.0rc3', 'unsupported'), ('mmcv', '2.0.0rc4', 'ok'), ('mmcv', '2.1.0', 'ok'),
    ('mmcv', '2.2.0', 'unsupported'), ('mmdet3d', '1.3.0', 'unsupported'), ('mmdet3d', '1.4.0', 'ok'),
    ('mmdet3d', '1.5.0', 'unsupported'), ('mmengine', '0.10.7', 'ok'), ('mmengine', '0.11.0', 'untested'),
    ('numpy', '1.24.4', 'ok'), ('numpy', '2.5.1', 'ok'), ('numpy', '2.6.0', 'untested'),
    ('numpy', '1.23.5', 'unsupported'), ('setuptools', '82.0.0', 'unsupported')])
def test_judgement(name: str, found: str | None, verdict: str) -> None:
    (requirement, ) = (r for r in environment.REQUIREMENTS if r.name == name)
    assert environment.judge(requirement, found) == verdict


def test_check_versions_tells_faults_from_doubts() -> None:
    assert environment.check_versions(REFERENCE.get) == []
    (doubt, ) = environment.check_versions({**REFERENCE, 'torch': '2.14.0'}.get)
    assert '2.14.0' in doubt and '2.13' in doubt
    with pytest.raises(ImportError) as refused:
        environment.check_versions({**REFERENCE, 'mmcv': '2.2.0', 'mmdet3d': None}.get)
    message = str(refused.value)
    assert 'mmcv >=2.0.0rc4,<2.2 is needed, found 2.2.0' in message and '"mmcv==2.1.0"' in message
    assert 'mmdet3d >=1.4,<1.5 is needed, found none' in message and '"mmdet3d==1.4.0"' in message
    assert 'torch >=' not in message


def python_beside(folder: Path, versions: dict[str, str], *arguments: object) -> subprocess.CompletedProcess:
    """Run Python in an environment that claims to hold ``versions``."""
    for name, version in versions.items():
        record = folder / f'{name.replace("-", "_")}-{version}.dist-info'
        record.mkdir()
        (record / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
    root = Path(__file__).resolve().parents[1]
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd=folder,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(folder), str(root)]), 'OMP_NUM_THREADS': '1'})


def test_import_beside_unsupported_versions_is_refused(tmp_path: Path) -> None:
    done = python_beside(tmp_path, {'mmdet3d': '1.3.0', 'mmcv': '2.2.0'}, '-c', 'import mmfusion_plugin')
    assert done.returncode == 1
    last = done.stderr[done.stderr.index('ImportError'):]
    assert 'mmdet3d >=1.4,<1.5 is needed, found 1.3.0' in last and 'mmcv' in last and 'tools/check_env.py' in last


@pytest.mark.slow
def test_import_beside_an_untested_version_warns_once(tmp_path: Path) -> None:
    done = python_beside(tmp_path, {'torch': '2.14.0'}, '-c', 'import mmfusion_plugin')
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count('torch 2.14.0 is newer than the tested 2.13') == 1


def test_table_of_a_bad_environment() -> None:
    have = {**REFERENCE, 'mmdet3d': '1.3.0', 'numpy': '2.9.0', 'opencv-python': '4.5', 'opencv-python-headless': '4.11'}
    rows = {row.part: row for row in environment.version_rows(have.get)}
    assert rows['mmdet3d'].state == 'fault' and rows['mmdet3d'].mend == 'pip install --no-deps "mmdet3d==1.4.0"'
    assert rows['numpy'].state == 'note', 'an untested version is no fault'
    assert rows['setuptools'].state == 'fault' and 'setuptools<81' in rows['setuptools'].mend
    assert rows['nuscenes-devkit'].state == 'note', 'an optional package is no fault'
    assert rows['torch'] == ('torch', '2.7.1', '>=2.1,<3; tested to 2.13', 'ok', '')
    assert environment.verdict(list(rows.values())).startswith('NOT READY: ')


HEADLESS, WINDOWED = {'opencv-python-headless': '4.11'}, {'opencv-python': '4.11'}


@pytest.mark.parametrize(('have', 'imports', 'state'), [
    (HEADLESS, True, 'ok'), ({**HEADLESS, **WINDOWED}, True, 'note'), (WINDOWED, True, 'note'), ({}, True, 'note'),
    (HEADLESS, False, 'fault'), ({**HEADLESS, **WINDOWED}, False, 'fault'), ({}, False, 'fault')])
def test_two_opencvs_that_work_are_no_fault(
        monkeypatch: pytest.MonkeyPatch, have: dict, imports: bool, state: str) -> None:
    """mmcv brings one of them and the devkit the other, so most environments hold both."""
    monkeypatch.setitem(sys.modules, 'cv2', ModuleType('cv2') if imports else None)
    (row, ) = (row for row in environment.version_rows({**REFERENCE, **have}.get) if row.part == 'OpenCV')
    assert row.state == state
    assert row.mend.endswith('pip install --no-deps "opencv-python-headless==4.11.0.86"') == (state != 'ok')


@pytest.mark.parametrize(('missing', 'remedy'), [
    ('lyft_dataset_sdk', 'pip install --no-deps "lyft-dataset-sdk==0.0.8"'),
    ('sklearn', 'pip install --no-deps "scikit-learn==1.9.1"'),
    ('shapely.geometry', 'pip install --no-deps "shapely==2.0.7"'),
    ('mmdet', 'pip install --no-deps "mmdet==3.2.0"'), ('unheard_of', 'pip install --no-deps "unheard_of"')])
def test_a_failed_import_touches_one_package_only(
        monkeypatch: pytest.MonkeyPatch, missing: str, remedy: str) -> None:
    def absent() -> str:
        raise ModuleNotFoundError(f'No module named {missing!r}', name=missing)

    monkeypatch.setattr(environment, '_imports', lambda *modules: absent)
    rows = {row.part: row for row in environment.probe_rows()}
    assert rows['mmdet3d'].state == 'fault' and rows['nuScenes devkit'].state == 'note'
    assert rows['mmdet3d'].mend == rows['nuScenes devkit'].mend == remedy


def test_mmcv_without_cuda_is_a_note_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(device: str) -> Callable[[], str]:
        def run() -> str:
            if device == 'cuda':
                raise RuntimeError('nms_impl: implementation for device cuda:0 not found.')
            return 'run on cpu'
        return run

    monkeypatch.setattr(environment, '_mmcv_ops', probe)
    monkeypatch.setattr(environment, '_imports', lambda *modules: lambda: 'imports')
    rows = {row.part: row for row in environment.probe_rows()}
    assert (rows['mmcv ops'].state, rows['mmcv ops on CUDA'].state) == ('ok', 'note')
    assert 'nvcc' in rows['mmcv ops on CUDA'].mend


def test_a_failing_probe_becomes_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OSError('libGL.so.1: cannot open shared object file')

    monkeypatch.setattr(environment, '_mmcv_ops', lambda device: broken)
    monkeypatch.setattr(environment, '_imports', lambda *modules: lambda: 'imports')
    rows = {row.part: row for row in environment.probe_rows()}
    assert rows['mmcv ops'].state == 'fault' and 'libGL' in rows['mmcv ops'].found
    assert '--no-build-isolation' in rows['mmcv ops'].mend and rows['mmdet3d'].state == 'ok'


@pytest.mark.parametrize('as_json', [False, True])
def test_tool_prints_remedies_and_fails(
        repo_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, as_json: bool) -> None:
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    import check_env
    rows = [environment.Row('torch', '2.7.1', 'x', 'ok'), environment.Row('mmcv', 'none', 'x', 'fault', 'pip mends it')]
    monkeypatch.setattr(environment, 'version_rows', lambda: rows)
    monkeypatch.setattr(environment, 'probe_rows', list)
    monkeypatch.setattr(check_env, 'load_environment', lambda: environment)
    monkeypatch.setattr(sys, 'argv', ['check_env.py'] + ['--json'] * as_json)
    assert check_env.main() == 1
    out = capsys.readouterr().out
    if as_json:
        report = json.loads(out)
        assert report['ready'] is False and report['rows'][1]['mend'] == 'pip mends it'
    else:
        assert '    pip mends it' in out.splitlines() and out.splitlines()[-1] == 'NOT READY: 1 fault (mmcv)'


@pytest.mark.slow
def test_tool_finds_this_environment_ready(tmp_path: Path, repo_root: Path) -> None:
    done = python_beside(tmp_path, {}, repo_root / 'tools' / 'check_env.py', '--json')
    report = json.loads(done.stdout)
    faults = [row for row in report['rows'] if row['state'] == 'fault']
    assert done.returncode == 0 and report['ready'] and not faults, faults
    assert {'Python', 'torch', 'CUDA', 'mmcv ops', 'sparse backend', 'nuScenes devkit'} <= {
        row['part'] for row in report['rows']}
    assert report['verdict'].startswith('READY')
