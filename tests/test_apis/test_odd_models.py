"""Configs and checkpoints that cannot be used end in one line of explanation, by every tool of photographs."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from .photograph_models import disc, write_image, write_simnet, write_unet

pytest.importorskip('mmpretrain')
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize('name', ['make_masks', 'classify_image', 'image_to_cloud'])
def test_what_cannot_be_used_is_one_line(tmp_path, monkeypatch, capsys, name):
    photo = write_image(tmp_path / 'a.png', disc()[0])
    good, weights = write_simnet(tmp_path) if name == 'classify_image' else write_unet(tmp_path)
    main = runpy.run_path(str(ROOT / f'tools/{name}.py'))['main']

    def changed(file: str, old: str, new: str) -> tuple:
        """The good model with something else in its config."""
        text = good.read_text()
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new, 1))
        return tmp_path / file, weights

    (tmp_path / 'text.pth').write_text('hello world\n')
    (tmp_path / 'syntax.py').write_text('model = dict(\n')
    network = 'ResNet' if name == 'classify_image' else 'BrightPixels'
    cases = {
        "text.pth: not a checkpoint (it begins with b'hello": (good, tmp_path / 'text.pth'),
        f'{weights.name} is no config': (weights, good),
        'syntax.py cannot be read as a config (SyntaxError': (tmp_path / 'syntax.py', weights),
        'model.py cannot be built (KeyError': changed('model.py', f"'{network}'", "'NoSuchNet'"),
        'step.py cannot be built (KeyError': changed('step.py', "'Resize'", "'NoSuchStep'"),
        'argument.py cannot be built (TypeError': changed('argument.py', "type='Resize'", "type='Resize', wide=3"),
    }
    for words, models in cases.items():
        arguments = ['--unet', *models] if name == 'image_to_cloud' else models
        line = [name, photo, *arguments, '--out', tmp_path / 'out', '--device', 'cpu']
        monkeypatch.setattr(sys, 'argv', [str(word) for word in line])
        status, errors = main(), capsys.readouterr().err
        assert status == 1 and words in errors.splitlines()[-1] and errors.count('error: ') == 1, (words, errors)
    assert not (tmp_path / 'out').exists()
