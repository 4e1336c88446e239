"""Photographs where results belong, too small, or left without an object: nothing is lost, and the others go on."""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mmfusion_plugin.apis.make_masks import MaskOptions, make_masks
from mmfusion_plugin.datasets.photographs import Photograph, check_outputs

from .photograph_models import RESIZE, disc, write_image, write_simnet, write_unet

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture()
def tool(monkeypatch, capsys):
    """Run a tool on the CPU; its status, output and lines of errors."""
    def run(name: str, *arguments: object) -> tuple:
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments), '--device', 'cpu'])
        status = runpy.run_path(str(ROOT / f'tools/{name}.py'))['main']()
        text = capsys.readouterr()
        return status, text.out, [line for line in text.err.splitlines() if line.startswith('error: ')]

    return run


@pytest.mark.parametrize('overwrite', [False, True])
@pytest.mark.parametrize('link', [None, os.symlink, os.link], ids=['itself', 'symlink', 'hard link'])
def test_no_mask_takes_the_place_of_a_photograph(tmp_path, overwrite, link):
    photo = write_image(tmp_path / 'p/x.png', disc()[0])
    content, out = photo.read_bytes(), tmp_path / 'p'
    if link:
        out = tmp_path / 'masks'
        out.mkdir()
        link(photo, out / 'x.png')
    options = MaskOptions(overwrite=overwrite, pictures=0)
    with pytest.raises(ValueError, match='x.png is to be written, but is the photograph|would replace photographs'):
        make_masks(photo, *write_unet(tmp_path), out, options, 'cpu')
    assert photo.read_bytes() == content and not list(out.glob('make_masks*'))


def test_outputs_that_are_photographs(tmp_path):
    photo = Photograph(write_image(tmp_path / 'p/p/x_mask.png', disc()[0]), 'p/x_mask')
    check_outputs([photo], [tmp_path / 'p/x_mask.png', tmp_path / 'p/p/x.png'])
    with pytest.raises(ValueError, match=r'p/../p/p/x_mask.png is to be written, but is the photograph .*--out'):
        check_outputs([photo], [tmp_path / 'p/../p/p/x_mask.png'])


@pytest.mark.parametrize('name', ['image_to_cloud', 'classify_image'])
def test_no_result_takes_the_place_of_a_photograph(tmp_path, tool, name):
    """``w/p/p/a.png`` is called ``p/a`` in the results, so that its mask would be ``w/p/a_mask.png``."""
    for photo in ('w/p/p/a.png', 'w/p/a_mask.png'):
        write_image(tmp_path / photo, disc()[0])
    content = (tmp_path / 'w/p/a_mask.png').read_bytes()
    models = ()
    if name == 'classify_image':
        pytest.importorskip('mmpretrain')
        models = write_simnet(tmp_path)
    unet = ('--unet', *write_unet(tmp_path))
    status, _, errors = tool(name, tmp_path / 'w/p', *models, *unet, '--out', tmp_path / 'w')
    assert status == 1 and 'a_mask.png is to be written, but is the photograph' in errors[0] and len(errors) == 1
    assert (tmp_path / 'w/p/a_mask.png').read_bytes() == content


SLIM = dict(type='Resize', scale=(48, 48), keep_ratio=True)


@pytest.fixture()
def small(tmp_path) -> Path:
    """Two good photographs, and between them one of two pixels a side and one that is all width."""
    for name in ('a', 'z'):
        write_image(tmp_path / f'in/{name}.png', disc()[0])
    write_image(tmp_path / 'in/m.png', disc(2, 2)[0])
    write_image(tmp_path / 'in/n.png', disc(3, 1500)[0])
    return tmp_path / 'in'


def test_small_photographs_get_no_mask(small, tmp_path, tool):
    out = tmp_path / 'out'
    status, text, errors = tool('make_masks', small, *write_unet(tmp_path, SLIM), '--out', out, '--pictures', 0)
    assert status == 3 and '2 masks written' in text and len(errors) == 2
    assert 'm.png gets no mask: a photograph of 2x2 pixels is too small' in errors[0]
    assert 'n.png gets no mask: ' in errors[1] and '1500x3 pixels' in errors[1]
    assert sorted(path.name for path in out.glob('*.png')) == ['a.png', 'z.png']


def test_small_photographs_get_no_cloud(small, tmp_path, tool):
    unet, out = write_unet(tmp_path, SLIM), tmp_path / 'out'
    status, text, errors = tool('image_to_cloud', small, '--unet', *unet, '--out', out)
    assert status == 3 and len(errors) == 2 and 'm.png' in errors[0] and 'n.png' in errors[1]
    assert sorted(path.name for path in out.glob('*.ply')) == ['a.ply', 'z.ply']
    assert tool('image_to_cloud', small, '--foreground', 'nonblack', '--out', tmp_path / 'bare')[0] == 0
    assert len(list((tmp_path / 'bare').glob('*_cloud.png'))) == 4


def test_small_photographs_get_no_class(small, tmp_path, tool):
    pytest.importorskip('mmpretrain')
    models, unet, out = write_simnet(tmp_path), write_unet(tmp_path, SLIM), tmp_path / 'out'
    status, text, errors = tool('classify_image', small, *models, '--unet', *unet, '--out', out)
    assert status == 3 and '2 of 4 photographs classified' in text and len(errors) == 2
    found = json.loads((out / 'results.json').read_text())
    assert [Path(entry['image']).name for entry in found['images']] == ['a.png', 'z.png']
    assert [Path(entry['image']).name for entry in found['broken']] == ['m.png', 'n.png']
    assert len((out / 'results.csv').read_text().splitlines()) == 3


@pytest.mark.parametrize('name, options, made', [
    ('image_to_cloud', ('--foreground', 'nonblack'), {'a.ply', 'oak/b.ply', 'a_cloud.png', 'oak/b_cloud.png'}),
    ('make_masks', ('--pictures', 0), {'a.png', 'oak/b.png', 'make_masks.json'}),
])  # fmt: skip
def test_results_may_lie_above_the_photographs(tmp_path, tool, name, options, made):
    for photo in ('a', 'oak/b'):
        write_image(tmp_path / f'w/p/{photo}.jpg', disc()[0])
    models = write_unet(tmp_path) if name == 'make_masks' else ()
    for _ in range(2):
        status, _, errors = tool(name, tmp_path / 'w/p', *models, '--out', tmp_path / 'w', *options)
        assert status == 0 and not errors
        found = {path.relative_to(tmp_path / 'w').as_posix() for path in (tmp_path / 'w').rglob('*') if path.is_file()}
        assert found == {*made, 'p/a.jpg', 'p/oak/b.jpg'}


@pytest.mark.parametrize('branches, pack', [('both', {}), ('image', dict(image_source='segmented'))])
def test_objects_that_vanish_at_the_size_of_the_network(tmp_path, tool, branches, pack):
    """Lines of one pixel in a photograph of 480 x 480: of each pixel of the network they fill a tenth."""
    pytest.importorskip('mmpretrain')
    mask = np.zeros((480, 480), np.uint8)
    mask[::40] = 255
    photo = write_image(tmp_path / 'in/thin.png', np.full((480, 480, 3), 120, np.uint8))
    area = dict(RESIZE, interpolation='area')
    out = tmp_path / 'out'
    models = write_simnet(tmp_path, branches, pack, resize=area)
    status, text, errors = tool('classify_image', photo, '--mask', write_image(tmp_path / 'mask.png', mask), *models,
                                '--out', out)  # fmt: skip
    assert status == 0 and '2.5 % foreground' in text and not errors
    assert "(EMPTY: nothing is left of it at the network's size, the model saw no object)" in text
    (entry,) = json.loads((out / 'results.json').read_text())['images']
    assert entry['foreground'] == 0.025 and entry['foreground_pixels'] == 0
    assert entry['points'] == (0 if branches == 'both' else None)
    assert branches == 'image' or b'element vertex 0' in (out / 'thin.ply').read_bytes()
