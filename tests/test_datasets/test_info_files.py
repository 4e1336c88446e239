"""Info files of every origin, and those that must not be believed."""

from __future__ import annotations

import json
import os
import pickle

import mmengine
import numpy as np
import pytest

from mmfusion_plugin.datasets import UnsafePickleError, load_info_file


def entry(**changes: object) -> dict:
    images = {'CAM_FRONT': {'img_path': 'a.jpg', 'cam2img': np.eye(3).tolist()}}
    plain = {'sample_idx': 0, 'token': 't', 'lidar_points': {'lidar_path': 'a.bin'}, 'images': images}
    return {**plain, **changes}


def infos(*entries: dict) -> dict:
    return {'metainfo': {'dataset': 'nuscenes'}, 'data_list': list(entries or [entry()])}


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_pickles_of_any_protocol(tmp_path, protocol):
    content = infos(entry(
        num=np.int64(3), flag=np.bool_(True), box=np.arange(6.0).reshape(2, 3), name=np.array(['x', 'y']),
        raw=b'\xff\x00',
        empty=np.zeros((0, 4), np.float32), fortran=np.asfortranarray(np.arange(6).reshape(2, 3)), labels={1, 2},
    ))  # fmt: skip
    path = str(tmp_path / 'infos.pkl')
    mmengine.dump(content, path, protocol=protocol)
    metainfo, (loaded,) = load_info_file(path)
    assert metainfo == content['metainfo']
    for key, value in content['data_list'][0].items():
        np.testing.assert_array_equal(loaded[key], value)
        assert type(loaded[key]) is type(value)


@pytest.mark.parametrize('core', ['numpy.core', 'numpy._core'])
def test_pickles_of_either_numpy(tmp_path, core):
    content = pickle.dumps(infos(entry(box=np.arange(3.0), num=np.float32(1.5))), protocol=2)
    for other in (b'numpy._core', b'numpy.core'):
        content = content.replace(b'c' + other + b'.multiarray', b'c' + core.encode() + b'.multiarray')
    (tmp_path / 'infos.pkl').write_bytes(content)
    _, (loaded,) = load_info_file(str(tmp_path / 'infos.pkl'))
    np.testing.assert_array_equal(loaded['box'], np.arange(3.0))
    assert loaded['num'] == np.float32(1.5)


class Malicious:
    """Runs a function with arguments when unpickled."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'call',
    [
        lambda target: (os.system, f'touch {target}'),
        lambda target: (eval, f'open({target!r}, "w")'),
        lambda target: (exec, f'open({target!r}, "w")'),
        lambda target: (open, target, 'w'),
        lambda target: (os.mkdir, target),
        lambda target: (np.save, target, np.zeros(1)),
        lambda target: (__import__, 'antigravity'),
    ],
)
@pytest.mark.parametrize('protocol', [0, 2, 4])
def test_malicious_pickles_do_nothing(tmp_path, call, protocol):
    target = tmp_path / 'trace.npy'
    path = tmp_path / 'infos.pkl'
    path.write_bytes(pickle.dumps(infos(entry(trap=Malicious(*call(str(target))))), protocol=protocol))
    with pytest.raises(UnsafePickleError, match=r'infos\.pkl .*create_data'):
        load_info_file(str(path))
    assert not target.exists()


def test_other_codecs_are_refused(tmp_path):
    path = tmp_path / 'infos.pkl'
    path.write_bytes(b'c_codecs\nencode\n(Vabc\nVrot13\ntR.')
    with pytest.raises(UnsafePickleError, match='rot13'):
        load_info_file(str(path))


@pytest.mark.parametrize(
    'content',
    [
        b'cbuiltins\nbytearray\n(L99999999999999L\ntR.',
        b'cbuiltins\nbytes\n(L99999999999999L\ntR.',
        b'cbuiltins\nset\n(cbuiltins\nrange\n(L99999999999999L\ntRtR.',
        b'cnumpy\nndarray\n((I1000000\nI1000000\nttR.',
        b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L99999999999L\ntVb\ntR.',
        b'\x80\x05\x96' + b'\xff' * 8 + b'.',  # a bytearray longer than the address space
        b'\x80\x04\x8e' + b'\xff' * 8 + b'.',
    ],
)
def test_huge_pickles_are_refused(tmp_path, content):
    path = tmp_path / 'infos.pkl'
    path.write_bytes(content)
    with pytest.raises((UnsafePickleError, ValueError), match=r'infos\.pkl'):
        load_info_file(str(path))


def test_damaged_pickles_end_in_the_named_error(tmp_path):
    content = pickle.dumps(infos(entry(box=np.arange(6.0), raw=bytearray(b'ab'), labels={1, 2})), protocol=5)
    path, random = tmp_path / 'infos.pkl', np.random.default_rng(0)
    failed = 0
    for _ in range(400):
        damaged = bytearray(content)
        damaged[random.integers(len(content))] = random.integers(256)
        path.write_bytes(damaged)
        try:
            load_info_file(str(path))
        except (UnsafePickleError, ValueError) as error:
            failed += 1
            assert 'infos.pkl' in str(error)
    assert failed > 50


@pytest.mark.parametrize('keep', [0, 1, 40])
def test_truncated_pickle(tmp_path, keep):
    path = tmp_path / 'infos.pkl'
    path.write_bytes(pickle.dumps(infos())[:keep])
    with pytest.raises(ValueError, match='infos.pkl'):
        load_info_file(str(path))


@pytest.mark.parametrize('content', [[entry()], {'infos': [entry()], 'metadata': {}}])
@pytest.mark.parametrize('suffix', ['json', 'pkl'])
def test_old_layout_names_the_remedy(tmp_path, content, suffix):
    path = str(tmp_path / f'infos.{suffix}')
    mmengine.dump(content, path)
    with pytest.raises(ValueError, match='before 1.1.*create_data.py.*update_infos_to_v2'):
        load_info_file(path)


def test_not_an_info_file(tmp_path):
    mmengine.dump({'images': []}, str(tmp_path / 'coco.json'))
    with pytest.raises(ValueError, match='"metainfo" and "data_list"'):
        load_info_file(str(tmp_path / 'coco.json'))


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='create_data.py'):
        load_info_file(str(tmp_path / 'infos.json'))
    (tmp_path / 'infos.yaml').write_text('a: 1')
    with pytest.raises(ValueError, match='.json or .pkl'):
        load_info_file(str(tmp_path / 'infos.yaml'))


@pytest.mark.parametrize(
    'name', ['../a.bin', 'x/../../a', '/etc/passwd', 'C:\\a.bin', '..\\a.bin', '\\\\host\\a', 'a\0b']
)
@pytest.mark.parametrize('key', ['lidar_path', 'img_path', 'pts_semantic_mask_path', 'rgbd.path'])
def test_names_outside_the_data_are_refused(tmp_path, name, key):
    bad = entry()
    if key == 'lidar_path':
        bad['lidar_points']['lidar_path'] = name
    elif key == 'img_path':
        bad['images']['CAM_FRONT']['img_path'] = name
    elif key == 'rgbd.path':
        bad['rgbd'] = {'path': name}
    else:
        bad[key] = name
    path = tmp_path / 'infos.json'
    path.write_text(json.dumps(infos(bad)))
    with pytest.raises(ValueError, match=key):
        load_info_file(str(path))


def test_line_layout_equals_plain_json(converted_world):
    path = converted_world / 'nuscenes_infos_train.json'
    expected = json.loads(path.read_text())
    metainfo, entries = load_info_file(str(path))
    assert metainfo == expected['metainfo']
    np.testing.assert_equal(entries, expected['data_list'])  # velocities may be NaN


@pytest.mark.parametrize('lines', [1, 3])
def test_truncated_line_layout(converted_world, tmp_path, lines):
    text = (converted_world / 'nuscenes_infos_train.json').read_text().splitlines(keepends=True)
    (tmp_path / 'infos.json').write_text(''.join(text[:lines]))
    with pytest.raises(ValueError, match=f'breaks off after {lines - 1} entries'):
        load_info_file(str(tmp_path / 'infos.json'))
    (tmp_path / 'infos.json').write_text(''.join(text[:lines]) + text[lines][:500])
    with pytest.raises(ValueError, match=f'line {lines + 1}'):
        load_info_file(str(tmp_path / 'infos.json'))
