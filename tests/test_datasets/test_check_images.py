"""Damaged images and masks: listed by tools/check_data.py, and skipped in training up to a limit."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmfusion_plugin.datasets.check_files import build_datasets, check_dataset, dataset_cfgs
from mmfusion_plugin.datasets.damage import CorruptDataError, TooManyCorruptSamples

HEIGHT, WIDTH = 30, 40
LOAD = [dict(type='LoadImageAndMask')]


def picture(path: Path, shape: tuple = (HEIGHT, WIDTH, 3), **kwargs: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    Image.fromarray(values).save(path, **kwargs)
    return path


@pytest.fixture()
def sheets(tmp_path: Path) -> Path:
    """Eight sheets of several formats, one of them stored on its side, in a table."""
    exif = Image.Exif()
    exif[0x0112] = 6
    names = ['a.jpg', 'b.png', 'c.bmp', 'd.webp', 'e.jpg', 'f.jpg', 'g.tif', 'h.jpg']
    for name in names:
        turned = name == 'h.jpg'
        picture(tmp_path / 'images' / name, (WIDTH, HEIGHT, 3) if turned else (HEIGHT, WIDTH, 3),
                **(dict(exif=exif) if turned else {}))
        picture(tmp_path / f'masks/{Path(name).stem}.png', (HEIGHT, WIDTH))
    rows = [f'{name},train,{number % 2}' for number, name in enumerate(names)]
    (tmp_path / 'sheets.csv').write_text('\n'.join(['file,split,thorns', *rows]))
    return tmp_path


def config(root: Path, **kwargs: Any) -> Config:
    data = dict(type='MaskedImageDataset', data_root=str(root), ann_file='sheets.csv', trait='thorns', pipeline=LOAD)
    return Config(dict(train_dataloader=dict(dataset={**data, **kwargs})))


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-200])
    return path


@pytest.mark.parametrize('decode', [False, True])
def test_sound_sheets(sheets: Path, decode: bool) -> None:
    report = check_dataset(*build_datasets(config(sheets, few_shot=2), 'train'), decode, workers=2)
    assert report.faults == [] and report.files == {'images': 8, 'masks': 8} and report.samples == 8
    assert report.bytes['images'] == sum(path.stat().st_size for path in (sheets / 'images').iterdir())


@pytest.mark.parametrize('decode', [False, True])
def test_each_fault_is_listed(sheets: Path, decode: bool) -> None:
    broken = [cut(sheets / 'images/a.jpg'), cut(sheets / 'images/c.bmp'), cut(sheets / 'masks/b.png')]
    for gone in ('images/e.jpg', 'masks/f.png'):
        (sheets / gone).unlink()
        broken.append(sheets / gone)
    picture(sheets / 'masks/g.png', (HEIGHT, WIDTH + 1))
    picture(sheets / 'masks/h.png', (WIDTH, HEIGHT))  # as stored, not as shown
    faults = check_dataset(*build_datasets(config(sheets, split='train', few_shot=4), 'train'), decode).faults
    assert len(faults) == 7
    assert all(sum(str(path) in fault for fault in faults) == 1 for path in broken)
    assert any('g.png is 41x30, not 40x30 as its image' in fault for fault in faults)
    assert any('h.png is 30x40, not 40x30 as its image' in fault for fault in faults)


def test_masks_that_may_be_missing_are_no_faults(sheets: Path) -> None:
    (sheets / 'masks/f.png').unlink()
    whole = check_dataset(*build_datasets(config(sheets, missing_mask='whole'), 'train'))
    assert whole.faults == [] and whole.files == {'images': 8, 'masks': 7}
    assert len(check_dataset(*build_datasets(config(sheets, missing_mask='skip'), 'train')).faults) == 1
    (bare,) = dataset_cfgs(config(sheets, mask_root=None), 'train')
    with DefaultScope.overwrite_default_scope('mmdet3d'):
        assert check_dataset(DATASETS.build(bare)).files == {'images': 8}


def test_depth_maps(sheets: Path) -> None:
    for name in 'abcdefgh':
        (sheets / 'depth').mkdir(exist_ok=True)
        np.save(sheets / f'depth/{name}.npy', np.ones((3, 4), np.float32))
    (sheets / 'depth/c.npy').write_bytes(b'no array')
    report = check_dataset(*build_datasets(config(sheets, depth_root='depth'), 'train'))
    assert report.files == {'images': 8, 'masks': 8, 'depth maps': 7}
    assert len(report.faults) == 1 and 'depth/c.npy is no complete array' in report.faults[0]


def test_command_line(sheets: Path, tmp_path: Path, repo_root: Path, monkeypatch: Any, capsys: Any) -> None:
    config(sheets).dump(tmp_path / 'config.py')
    monkeypatch.setattr(sys, 'argv', ['check_data.py', str(tmp_path / 'config.py')])
    main = runpy.run_path(str(repo_root / 'tools/check_data.py'))['main']
    assert main() == 0 and '8 samples, 0 points, 0 faults' in capsys.readouterr().out
    (sheets / 'images/e.jpg').unlink()
    assert main() == 1 and 'images/e.jpg is missing' in capsys.readouterr().out


def test_files_of_an_image_are_checked_once_for_all_its_objects(tmp_path: Path) -> None:
    for name in ('one', 'cut', 'grey', 'gone'):
        picture(tmp_path / f'JPEGImages/{name}.jpg')
        for folder in ('SegmentationClass', 'SegmentationObject'):
            values = np.zeros((HEIGHT, WIDTH), np.uint8)
            values[:9, :9] = values[12:20, :9] = 8
            if folder.endswith('Object'):
                values[12:20, :9] = 2
            path = tmp_path / folder / f'{name}.png'
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(values).save(path)
    (tmp_path / 'ImageSets/Segmentation').mkdir(parents=True)
    (tmp_path / 'ImageSets/Segmentation/train.txt').write_text('one\ncut\ngrey\ngone\n')
    cfg = config(tmp_path, type='MaskedVOC', per='object', split='train')
    for key in ('ann_file', 'trait'):
        cfg.train_dataloader.dataset.pop(key)
    sound = check_dataset(*build_datasets(cfg, 'train'))
    assert sound.samples == 8 and sound.files == {'images': 4, 'masks': 4} and sound.faults == []
    broken = [cut_to(tmp_path / 'SegmentationClass/cut.png'), picture(tmp_path / 'SegmentationObject/grey.png'),
              tmp_path / 'SegmentationObject/gone.png']  # fmt: skip
    broken[-1].unlink()
    cut_to(tmp_path / 'JPEGImages/one.jpg')
    faults = check_dataset(*build_datasets(cfg, 'train')).faults
    assert len(faults) == 4
    assert all(sum(str(path) in fault for fault in faults) == 1 for path in (*broken, tmp_path / 'JPEGImages/one.jpg'))


def cut_to(path: Path, size: int = 60) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


def test_training_skips_damage_up_to_a_limit(sheets: Path) -> None:
    def built(**kwargs: Any) -> Any:
        with DefaultScope.overwrite_default_scope('mmdet3d'):
            return DATASETS.build(config(sheets, **kwargs).train_dataloader.dataset)

    cut(sheets / 'images/a.jpg')
    dataset = built(max_corrupt_fraction=0.2)
    assert dataset[0]['sample_idx'] != 0 and dataset.damage.count == 1
    for _ in range(2):
        assert dataset[0] and dataset[1]['sample_idx'] == 1 and dataset.damage.count == 1
    with pytest.raises(TooManyCorruptSamples, match='max_corrupt_fraction=0.001.*a.jpg'):
        built()[0]
    with pytest.raises(CorruptDataError, match='a.jpg'):
        built(test_mode=True, max_corrupt_fraction=0.2)[0]
    cut(sheets / 'masks/b.png')
    with pytest.raises(TooManyCorruptSamples, match='2 of 8 samples'):
        dataset[1]
