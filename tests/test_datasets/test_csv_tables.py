"""Tables as spreadsheets, pandas and hands write them, read to the same samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmfusion_plugin.datasets import MaskedImageDataset
from mmfusion_plugin.datasets.csv_tables import read_table, whole_numbers


@pytest.fixture()
def images(tmp_path: Path) -> Path:
    (tmp_path / 'images').mkdir()
    for name in 'abcd':
        Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(tmp_path / f'images/{name}.png')
    return tmp_path


def read(root: Path, content: Any, **kwargs: Any) -> MaskedImageDataset:
    content = content if isinstance(content, bytes) else content.encode()
    (root / 'sheets.csv').write_bytes(content)
    return MaskedImageDataset(str(root), 'sheets.csv', mask_root=None, **kwargs)


def samples(dataset: MaskedImageDataset) -> list:
    entries = [dataset.get_data_info(k) for k in range(len(dataset))]
    return [(Path(entry['img_path']).stem, entry.get('gt_label')) for entry in entries]


PLAIN = 'file,split,thorns\na.png,train,1\nb.png,train,0\nc.png,test,\nd.png,train,1\n'


@pytest.mark.parametrize('content', [
    PLAIN, '\ufeff' + PLAIN, PLAIN.replace('\n', '\r\n'), PLAIN.replace(',', ' , '),
    PLAIN.replace(',train', ', "train "'), PLAIN.replace('1\n', '1.0\n').replace(',0\n', ',0.0\n'),
    PLAIN.replace('b.png', 'b.png '), PLAIN + '\n, ,\n',
], ids=['plain', 'mark of Excel', 'Windows', 'spaces', 'space behind a split', 'pandas', 'space behind a file', 'end'])
def test_ways_of_writing_are_one(images: Path, content: str) -> None:  # fmt: skip
    dataset = read(images, content, trait='thorns', split='train')
    assert samples(dataset) == [('a', 1), ('b', 0), ('d', 1)]
    assert dataset.metainfo['classes'] == ('no thorns', 'thorns') and not dataset.left_out
    everything = read(images, content, trait='thorns')
    assert dict(everything.left_out) == {'nothing in column thorns': 1}


def test_whole_numbers_with_classes_of_their_own(images: Path) -> None:
    content = PLAIN.replace('1\n', '1.0\n').replace(',0\n', ',0.0\n')
    named = read(images, content, trait='thorns', metainfo=dict(classes=['smooth', 'thorny']))
    assert [label for _, label in samples(named)] == [1, 0, 1]
    versions = read(images, content, trait='thorns', metainfo=dict(classes=['1.0', '0.0']))
    assert [label for _, label in samples(versions)] == [0, 1, 0]
    assert read(images, PLAIN.replace('0\n', '3.0\n'), trait='thorns').metainfo['classes'] == ('1', '3')


def test_only_columns_of_whole_numbers_lose_their_point() -> None:
    assert whole_numbers(['1.0', '', '0', '12.00']) == ['1', '', '0', '12']
    for cells in (['1.0', '1.5'], ['2.0', 'unclear'], ['-1.0', '1'], ['1.0.0'], ['1.'], ['\u0663.0']):
        assert whole_numbers(cells) == cells


def test_other_encodings_are_named(images: Path) -> None:
    latin = PLAIN.replace('d.png', 'dué.png').encode('latin-1')
    with pytest.raises(ValueError, match=r'sheets.csv is not in UTF-8 \(byte 0xe9 in line 5\): save it as UTF-8'):
        read(images, latin, trait='thorns')
    with pytest.raises(ValueError, match='sheets.csv is not in UTF-8 .byte 0xff in line 1'):
        read(images, PLAIN.encode('utf-16'), trait='thorns')
    with pytest.raises(ValueError, match='byte 0xe9 in line 5'):
        read(images, b'\xef\xbb\xbf' + latin, trait='thorns')
    with pytest.raises(ValueError, match='sheets.csv is no CSV table'):
        read(images, PLAIN + 'x' * 200_000 + ',,\n', trait='thorns')


def test_rows_of_odd_lengths(tmp_path: Path) -> None:
    (tmp_path / 'odd.csv').write_text('file,split\na.png\nb.png,train,more\n')
    assert read_table(str(tmp_path / 'odd.csv'), ['file']) == [dict(file='a.png', split=''),
                                                               dict(file='b.png', split='train')]
    (tmp_path / 'odd.csv').write_text('')
    with pytest.raises(ValueError, match="no column 'file', but nothing"):
        read_table(str(tmp_path / 'odd.csv'), ['file'])
