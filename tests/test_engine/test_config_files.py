"""Configs with slips of any kind: the error is one line that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmfusion_plugin.engine.config_files import build_model, config_faults, read_config_file

SLIPS = {
    'model = dict(': 'SyntaxError',
    'width = height': "NameError: name 'height'",
    "width = dict()['x']": 'KeyError: x',
    "custom_imports = dict(imports=['no_such_module_at_all'])": 'ImportError: .*no_such_module_at_all',
    'raise ValueError("too wide")': r'\(too wide\)',
}


@pytest.mark.parametrize('text', sorted(SLIPS))
def test_slips_are_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'slip.py'
    path.write_text(f'first = 1\n{text}\n')
    with pytest.raises(ValueError, match=f'slip.py cannot be read as a config .*{SLIPS[text]}') as found:
        read_config_file(path)
    assert '\n' not in str(found.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='nowhere.py'):
        read_config_file(tmp_path / 'nowhere.py')
    for name in ('epoch_3.pth', 'photo.jpg', 'noending'):
        (tmp_path / name).write_bytes(b'PK\x03\x04')
        with pytest.raises(ValueError, match=f'{name} is no config, .* ends in .py, .*: name the config first'):
            read_config_file(tmp_path / name)
    (tmp_path / 'binary.py').write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match='binary.py cannot be read'):
        read_config_file(str(tmp_path / 'binary.py'))
    (tmp_path / 'heir.py').write_text("_base_ = './gone.py'\n")
    with pytest.raises((FileNotFoundError, ValueError), match='gone.py'):
        read_config_file(tmp_path / 'heir.py')


def test_good_configs_are_read_as_by_mmengine(tmp_path: Path) -> None:
    (tmp_path / 'base.py').write_text('model = dict(width=1)\n')
    (tmp_path / 'heir.py').write_text("_base_ = './base.py'\nmodel = dict(height=2)\n")
    (tmp_path / 'plain.json').write_text('{"model": {"width": 1}}')
    for name in ('heir.py', 'plain.json'):
        found, expected = read_config_file(tmp_path / name), Config.fromfile(tmp_path / name)
        assert found.to_dict() == expected.to_dict() and found.filename == expected.filename


def test_imports_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / 'heir.py'
    path.write_text(f'width = 1\n{next(text for text in SLIPS if "custom_imports" in text)}\n')
    assert read_config_file(path, import_custom_modules=False).width == 1


def test_models_that_cannot_be_built() -> None:
    for model, words in {'NoSuchNetwork': 'KeyError: .*NoSuchNetwork', 'PointNet': 'TypeError: .*wide'}.items():
        with pytest.raises(ValueError, match=f'the model of the config cannot be built .{words}'):
            build_model(Config(dict(model=dict(type=f'mmdet3d.{model}', wide=3))))
    with pytest.raises(ValueError, match='AttributeError: .*model'):
        build_model(Config(dict(width=3)))


def test_missing_files_keep_their_kind() -> None:
    with pytest.raises(FileNotFoundError, match='^weights.pth$'), config_faults('a.py'):
        raise FileNotFoundError('weights.pth')
    with pytest.raises(ValueError, match=r'^a.py \(KeyError: two lines\): correct it$'), config_faults('a.py'):
        raise KeyError('two\n  lines')
    with config_faults('a.py'):
        pass
