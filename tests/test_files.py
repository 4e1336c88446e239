"""A file is the old or the new version, never a part of either."""

from __future__ import annotations

import pytest

from mmfusion_plugin import files


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'infos.json'
    path.write_text('old')
    with pytest.raises(RuntimeError), files.whole_file(path) as partial:
        partial.write_text('half')
        raise RuntimeError
    assert path.read_text() == 'old'
    assert [p.name for p in tmp_path.iterdir()] == ['infos.json']


def test_block_that_wrote_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), files.whole_file(tmp_path / 'a'):
        pass
    assert not list(tmp_path.iterdir())


def test_content_arrives_and_folders_are_made(tmp_path):
    files.write_text(tmp_path / 'deep' / 'text', 'häuser')
    files.write_bytes(tmp_path / 'deep' / 'text', b'new')
    assert (tmp_path / 'deep' / 'text').read_bytes() == b'new'
    assert [p.name for p in (tmp_path / 'deep').iterdir()] == ['text']
