"""Streamed arrays and atomic files."""

from __future__ import annotations

import json

import pytest

from mmfusion_plugin.converters import json_files


@pytest.mark.parametrize('chunk', [1, 7, 1 << 20])
@pytest.mark.parametrize('indent', [None, 0, 2])
def test_stream_equals_json_load(tmp_path, monkeypatch, chunk, indent):
    rows = [{'a': 'x]},{"é', 'b': [1.5, -2e-7, None, []]}, {}, {'c': {'d': '\\"'}}]
    path = tmp_path / 'table.json'
    path.write_text(json.dumps(rows, indent=indent, ensure_ascii=False), encoding='utf-8')
    monkeypatch.setattr(json_files, '_CHUNK', chunk)
    assert list(json_files.iter_json_array(path)) == rows


def test_empty_array(tmp_path):
    (tmp_path / 'table.json').write_text(' [ ]\n')
    assert list(json_files.iter_json_array(tmp_path / 'table.json')) == []


@pytest.mark.parametrize('text', ['', '{"a": 1}', '[{"a": 1}', '[{"a": 1}, {"b"', '[{"a" 1}]'])
def test_damaged_array_is_named(tmp_path, text):
    path = tmp_path / 'sample.json'
    path.write_text(text)
    with pytest.raises(ValueError, match='sample.json'):
        list(json_files.iter_json_array(path))
