"""Between two pictures: straight and curved lines by formula, the same noise all along, steps by scipy, files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from mmfusion_plugin.apis.interpolate_shapes import between
from mmfusion_plugin.apis.voxel_inferencer import VoxelInferencer
from mmfusion_plugin.converters.binvox import read_binvox
from mmfusion_plugin.evaluation.voxel_scores import voxel_cloud

from .shape_models import stool
from .voxel_models import CISP, IC3D, UNCONDITIONAL, command, write_model

pytest.importorskip('mmpretrain')


@pytest.fixture()
def tool(monkeypatch, capsys):
    return command('tools/interpolate_shapes.py', monkeypatch, capsys)


@pytest.fixture(scope='module')
def world(tmp_path_factory) -> Path:
    """Pictures ``a/00.png`` and ``b/00.png`` with ``mask.png``, and a model."""
    folder = tmp_path_factory.mktemp('world')
    image, mask = stool()
    for name, picture in (('a', image), ('b', image[::-1, :, ::-1])):
        (folder / name).mkdir()
        Image.fromarray(np.ascontiguousarray(picture)).save(folder / name / '00.png')
    Image.fromarray(mask * np.uint8(255)).save(folder / 'mask.png')
    Image.fromarray(mask[::-1] * np.uint8(255)).save(folder / 'mask_b.png')
    write_model(folder, IC3D, 'ic3d')
    return folder


def test_lines_between_vectors():
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=(2, 9))
    last *= 3
    np.testing.assert_allclose(between(first, last, 0.25), 0.75 * first + 0.25 * last, rtol=1e-6)
    # In the plane of both: the direction turns by a quarter of the angle.
    arc = between(first, last, 0.25, 'slerp').astype(np.float64)
    lengths = [np.linalg.norm(one) for one in (first, arc, last)]
    assert lengths[1] == pytest.approx(0.75 * lengths[0] + 0.25 * lengths[2])
    angle = [np.arccos(one @ arc / np.linalg.norm(one) / lengths[1]) for one in (first, last)]
    assert angle[0] == pytest.approx(sum(angle) / 4, rel=1e-5)
    assert sum(angle) == pytest.approx(np.arccos(first @ last / lengths[0] / lengths[2]), rel=1e-5)
    for mode in ('lerp', 'slerp'):
        np.testing.assert_allclose(between(first, last, 0.0, mode), first, rtol=1e-5)
        np.testing.assert_allclose(between(first, last, 1.0, mode), last, rtol=1e-5)
    for other in (first, -first, 2 * first, 0 * first):  # without an arc
        np.testing.assert_allclose(between(first, other, 0.25, 'slerp'), between(first, other, 0.25), rtol=1e-5)


def chamfer(one: np.ndarray, two: np.ndarray) -> float:
    """Mean squared distance to the nearest point, both ways added."""
    return sum((cKDTree(a).query(b)[0] ** 2).mean() for a, b in ((one, two), (two, one)))


def test_path_between_pictures(world, tmp_path, tool):
    """Shapes are those of their embeddings, all with one noise; also by masks; the printed step is scipy's."""
    ends = world / 'a/00.png', world / 'b/00.png'
    options = ('--steps', 4, '--seed', 3, '--guidance', 1, '--out')
    status, text, errors = tool(*ends, world / 'ic3d.py', world / 'ic3d.pth', *options, tmp_path / 'out')
    assert status == 0, errors
    found = [np.load(tmp_path / f'out/0{number}.npy') for number in range(4)]
    for number, shape in enumerate(found):
        np.testing.assert_array_equal(read_binvox(tmp_path / f'out/0{number}.binvox').occupied, shape)
        assert (tmp_path / f'out/0{number}.obj').is_file()
    model = VoxelInferencer(world / 'ic3d.py', world / 'ic3d.pth', 'cpu', sampling=dict(seed=3, guidance=1.0))
    first, last = (model.embed(model.look_at(end)) for end in ends)
    for share, shape in zip((0, 1 / 3, 2 / 3, 1), found):  # one at a time
        alone = model.draw(((1 - share) * first + share * last)[None], 'interpolation')[0, 0]
        assert (alone == shape).mean() > 0.995, 'beyond a voxel that rounding tips over'
    assert min((found[0] != shape).mean() for shape in found[2:]) > 0.01
    clouds = [voxel_cloud(shape).numpy().astype(np.float64) for shape in found]
    steps = [100 * chamfer(*clouds[number : number + 2]) for number in range(3)]
    summary = json.loads((tmp_path / 'out/interpolation.json').read_text())
    np.testing.assert_allclose(summary['chamfer']['steps'], steps, rtol=1e-3)
    assert summary['chamfer']['mean_step'] == pytest.approx(np.mean(steps), rel=1e-3)
    assert f'neighbours: mean {summary["chamfer"]["mean_step"]:.3f}' in text and 'unit cube' in text
    strip = np.asarray(Image.open(tmp_path / 'out/strip.png').convert('RGB'))
    assert strip.shape[1] > 4 * strip.shape[0] / 2 and len(np.unique(strip.reshape(-1, 3), axis=0)) > 50
    assert summary['empty'] == 0 and 'are empty' not in text
    assert len(summary['files']) == 13 and all(file in text for file in summary['files'])
    still = (world / 'a/00.png', world / 'a/00.png', '--mask', world / 'mask.png', world / 'mask.png')
    assert tool(*still, world / 'ic3d.py', world / 'ic3d.pth', '--mode', 'slerp', *options, tmp_path / 'still')[0] == 0
    assert json.loads((tmp_path / 'still/interpolation.json').read_text())['chamfer']['max_step'] == 0
    assert (np.load(tmp_path / 'still/03.npy') == found[0]).mean() > 0.995


def test_empty_shapes_are_said(world, tmp_path, tool):
    """A step between two of them is 0, which looks smooth."""
    ends = world / 'a/00.png', world / 'b/00.png'
    status, text, errors = tool(*ends, world / 'ic3d.py', world / 'ic3d.pth', '--steps', 3, '--threshold', 1e9, '--out',
                                tmp_path)  # fmt: skip
    summary = json.loads((tmp_path / 'interpolation.json').read_text())
    assert status == 0 and '3 of 3 shapes are empty' in text, errors
    assert summary['empty'] == 3 and summary['voxels'] == [0, 0, 0] and summary['chamfer']['max_step'] == 0


def test_a_shorter_path_leaves_no_older_shapes(world, tmp_path, tool):
    arguments = world / 'a/00.png', world / 'b/00.png', world / 'ic3d.py', world / 'ic3d.pth', '--out', tmp_path
    assert tool(*arguments, '--steps', 4)[0] == 0
    (tmp_path / '07.npy').touch()
    assert tool(*arguments, '--steps', 2)[0] == 0
    shapes = [f'0{number}{end}' for number in (0, 1) for end in ('.npy', '.binvox', '.obj')]
    assert {path.name for path in tmp_path.iterdir()} == {*shapes, 'strip.png', 'interpolation.json', '07.npy'}


def test_inputs_are_not_written_over(world, tmp_path, tool):
    for name, ends, mask in (('strip.png', (tmp_path / 'strip.png', world / 'b/00.png'), ()),
                             ('00.obj', (world / 'a/00.png', world / 'b/00.png'),
                              ('--mask', world / 'mask.png', tmp_path / '00.obj'))):  # fmt: skip
        content = (world / ('mask_b.png' if mask else 'a/00.png')).read_bytes()
        (tmp_path / name).write_bytes(content)
        status, _, errors = tool(*ends, *mask, world / 'ic3d.py', world / 'ic3d.pth', '--steps', 2, '--out', tmp_path)
        assert status == 1 and f'{name} is to be written, but is the photograph' in errors
        assert (tmp_path / name).read_bytes() == content and [path.name for path in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()


def test_what_cannot_be_interpolated_is_one_line(world, tmp_path, tool):
    ends, model = (world / 'a/00.png', world / 'b/00.png'), (world / 'ic3d.py', world / 'ic3d.pth')
    free = write_model(world, {**IC3D, **UNCONDITIONAL}, 'free')
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(noise).save(world / 'noise.png')
    cases = {
        'need two shapes or more': (*ends, *model, '--steps', 1),
        'is missing': (ends[0], world / 'none.png', *model),
        'noise.png has no alpha channel': (ends[0], world / 'noise.png', *model),
        'none.png': (*ends, '--mask', world / 'mask.png', world / 'none.png', *model),
        'leave out --mask or --rendering': (*ends, '--mask', world / 'mask.png', world / 'mask.png', '--rendering',
                                            *model),
        'need one of a IC3D': (*ends, *write_model(world, CISP, 'cisp')),
        'is a model without condition': (*ends, *free),
        'steps must be 1 to': (*ends, *model, '--sampling-steps', 99),
        'no device': (*ends, *model, '--device', 'abacus'),
    }  # fmt: skip
    for words, arguments in cases.items():
        status, _, errors = tool(*arguments, '--out', tmp_path / 'out')
        assert status == 1 and words in errors.splitlines()[-1] and errors.count('error: ') == 1, (words, errors)
    assert not (tmp_path / 'out').exists()
