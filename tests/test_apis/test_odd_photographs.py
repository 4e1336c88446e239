"""Photographs where results belong, too small, or left without an object: nothing is lost, and the others go on."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

import pytest

from mmfusion_plugin.apis.make_masks import MaskOptions, make_masks
from mmfusion_plugin.datasets.photographs import Photograph, check_outputs

from .photograph_models import disc, write_image, write_simnet, write_unet

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
