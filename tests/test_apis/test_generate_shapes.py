"""Generated shapes: equal to the model's, by seed; from pictures of all kinds and from none; files; faults."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import load_checkpoint
from PIL import Image
from shapenet_hand_world import CHAIR, make_shapenet
from shapenet_hand_world import MODELS as IDS

from mmfusion_plugin.apis import generate_shapes
from mmfusion_plugin.apis.voxel_inferencer import VoxelInferencer
from mmfusion_plugin.converters.binvox import read_binvox
from mmfusion_plugin.datasets.object_images import fit_object
from mmfusion_plugin.ops.voxel_surface import voxel_mesh
from mmfusion_plugin.structures import ShapeSample

from .shape_models import stool
from .voxel_models import CISP, IC3D, PIPELINE, PIXELS, SIDE, STEPS, UNCONDITIONAL, command, random_model, write_model

pytest.importorskip('mmpretrain')


@pytest.fixture()
def tool(monkeypatch, capsys):
    return command('tools/generate_shapes.py', monkeypatch, capsys)


@pytest.fixture(scope='module')
def world(tmp_path_factory) -> Path:
    """Models ``ic3d``, ``bare`` (embeddings out of a file) with ``cisp``, and ``free`` (no condition); pictures."""
    folder = tmp_path_factory.mktemp('world')
    image, mask = stool()
    for name in ('photos', 'masks'):
        (folder / name).mkdir()
    Image.fromarray(image).save(folder / 'photos/plain.png')
    Image.fromarray(np.dstack([image, mask * np.uint8(255)])).save(folder / 'photos/cut.png')
    for name in ('plain', 'cut'):
        Image.fromarray(mask * np.uint8(255)).save(folder / f'masks/{name}.png')
    write_model(folder, IC3D, 'ic3d')
    write_model(folder, {**IC3D, **UNCONDITIONAL}, 'free')
    write_model(folder, CISP, 'cisp')
    bare = {**IC3D, 'image_encoder': None}
    steps = [dict(type='LoadEmbedding', path='nowhere.npz'), *PIPELINE[1:]]
    write_model(folder, bare, 'bare', pipeline=steps)
    # The same weights as ic3d's and cisp's parts: both ways make the same shapes.
    whole, parts = random_model(IC3D).state_dict(), random_model(CISP).state_dict()
    torch.save(dict(state_dict={key: value for key, value in whole.items() if key.startswith('denoiser.')}),
               folder / 'bare.pth')  # fmt: skip
    parts.update({key: value for key, value in whole.items() if key.startswith('image_encoder.')})
    torch.save(dict(state_dict=parts), folder / 'cisp.pth')
    return folder


def pair(world: Path, name: str) -> tuple:
    return world / f'{name}.py', world / f'{name}.pth'


def by_hand(world: Path, name: str, count: int, **sampling: object) -> np.ndarray:
    """(K, R, R, R) of the stool, from the model and the picture as it is fitted."""
    image, mask = stool()
    fitted = fit_object(image[..., ::-1], mask, size=PIXELS, longest=93 * PIXELS // 128, background=240)
    model = random_model(IC3D)
    load_checkpoint(model, str(world / 'ic3d.pth'), map_location='cpu')
    pixels = torch.from_numpy(fitted.transpose(2, 0, 1)[::-1].copy()).float()
    sample = ShapeSample(metainfo=dict(img_path=name))
    model.predict(dict(img=(pixels[None] - 127.5) / 127.5), [sample], num_samples=count, **sampling)
    return sample.pred_voxels.numpy()


def shapes(folder: Path, name: str, count: int) -> np.ndarray:
    return np.stack([np.load(folder / f'{name}_{number:02d}.npy') for number in range(count)])


def test_files_of_pictures(world, tmp_path, tool):
    """Samples are the model's; alpha, plain ground and masks lead to one object; the files of a sample agree."""
    options = ('--samples', 3, '--seed', 7, '--guidance', 2, '--sampler', 'ddim', '--steps', 4)
    status, text, errors = tool(world / 'photos', *pair(world, 'ic3d'), *options, '--out', tmp_path / 'out')
    assert status == 0 and 'shapes for 2 of 2 pictures' in text, errors
    assert 'sample:' in errors and '4/4' in errors, 'no progress bar'
    results = json.loads((tmp_path / 'out/results.json').read_text())
    assert {key: results['sampling'][key] for key in ('seed', 'guidance', 'sampler', 'steps')} == dict(
        seed=7, guidance=2.0, sampler='ddim', steps=4)  # fmt: skip
    for entry, name, origin in zip(results['images'], ('cut', 'plain'), ('alpha', 'background')):
        found = shapes(tmp_path / 'out', name, 3)
        expected = by_hand(world, f'{name}.png', 3, seed=7, guidance=2.0, sampler='ddim', steps=4)
        assert (found == expected).mean() > 0.999, 'beyond a voxel that rounding tips over'
        assert found.shape == (3, SIDE, SIDE, SIDE) and found.dtype == bool and 0.02 < found.mean() < 0.98
        assert (found[0] != found[1]).any() and entry['voxels'] == found.sum(axis=(1, 2, 3)).tolist()
        assert entry['object'] == origin and len(entry['files']) == 10
        assert all(Path(file).is_file() for file in entry['files'])
        for number, sample in enumerate(found):
            stem = tmp_path / f'out/{name}_{number:02d}'
            np.testing.assert_array_equal(read_binvox(f'{stem}.binvox').occupied, sample)
            lines = Path(f'{stem}.obj').read_text().splitlines()
            mesh = voxel_mesh(sample)
            counts = [sum(line.startswith(letter) for line in lines) for letter in ('v ', 'f ')]
            assert counts == [len(mesh.corners), len(mesh.faces)]
        picture = np.asarray(Image.open(tmp_path / f'out/{name}_samples.png').convert('RGB'))
        assert picture.shape[1] > 1000 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    masked = tmp_path / 'masked'
    assert tool(world / 'photos', '--mask', world / 'masks', *pair(world, 'ic3d'), *options, '--out', masked)[0] == 0
    np.testing.assert_array_equal(shapes(masked, 'plain', 3), shapes(tmp_path / 'out', 'plain', 3))


@pytest.fixture()
def undrawn(monkeypatch):
    """Pictures take most of the time."""
    monkeypatch.setattr(generate_shapes, 'shape_tiles', lambda path, *_: path.parent.mkdir(
        parents=True, exist_ok=True) or path.touch() or path)  # fmt: skip


def test_a_seed_gives_the_same_shapes(world, tmp_path, tool, undrawn):
    """In whatever order pictures come, and also by the encoder of a CISP; another seed gives others."""
    one, two = world / 'photos/plain.png', world / 'photos/cut.png'
    runs = dict(first=(one, two, *pair(world, 'ic3d')), again=(two, one, *pair(world, 'ic3d')),
                other=(one, *pair(world, 'ic3d'), '--seed', 2),
                parts=(one, *pair(world, 'bare'), '--embedder', *pair(world, 'cisp')))  # fmt: skip
    for name, arguments in runs.items():
        status, _, errors = tool('--seed', 1, *arguments, '--samples', 2, '--out', tmp_path / name)
        assert status == 0, errors
    first, again, other, parts = (shapes(tmp_path / name, 'plain', 2) for name in runs)
    np.testing.assert_array_equal(first, again)
    assert (first == parts).mean() > 0.999 and (first != other).mean() > 0.01


def test_a_second_run_keeps_what_would_be_made_again(world, tmp_path, tool, undrawn, monkeypatch):
    made, original = [], VoxelInferencer.draw
    monkeypatch.setattr(VoxelInferencer, 'draw', lambda self, *rest: made.append(rest) or original(self, *rest))

    def run(*more: object) -> int:
        made.clear()
        status, _, errors = tool(world / 'photos', *pair(world, 'ic3d'), '--samples', 1, '--out', tmp_path, *more)
        assert status == 0, errors
        return len(made)

    assert (run(), run(), run('--seed', 1), run('--seed', 1), run('--steps', 2)) == (2, 0, 2, 0, 2)
    (tmp_path / 'plain_00.obj').unlink()
    assert run('--steps', 2) == 1 and (tmp_path / 'plain_00.obj').is_file()


def test_fewer_samples_leave_no_older_ones(world, tmp_path, tool, undrawn):
    """Only what the earlier run has written is removed, whatever its entry says, and by no other name."""
    arguments = world / 'photos/plain.png', *pair(world, 'ic3d'), '--out', tmp_path
    assert tool(*arguments, '--samples', 4)[0] == 0
    mine = [tmp_path / name for name in ('plain_07.npy', 'plain_02.txt', 'other_02.npy', 'plain_x_02.npy', '02.npy')]
    for path in mine:
        path.touch()
    entry = json.loads((tmp_path / 'plain_shape.json').read_text())
    entry['entry']['files'] += [str(path) for path in mine[1:]] + ['../plain_09.npy', 7]
    (tmp_path / 'plain_shape.json').write_text(json.dumps(entry))
    assert tool(*arguments, '--samples', 2)[0] == 0
    assert all(path.is_file() for path in mine)
    found = {path.name for path in tmp_path.glob('plain_0*.*')} - {path.name for path in mine}
    assert found == {f'plain_0{number}{end}' for number in (0, 1) for end in ('.npy', '.binvox', '.obj')}
    (tmp_path / 'plain_shape.json').write_text('[]')
    assert tool(*arguments, '--samples', 1)[0] == 0 and (tmp_path / 'plain_01.npy').is_file(), 'nothing lists it'


def test_without_a_picture(world, tmp_path, tool, undrawn):
    """Of a model without condition, and by the null token of another, where the encoder is not asked."""
    model = random_model({**IC3D, **UNCONDITIONAL})
    load_checkpoint(model, str(world / 'free.pth'), map_location='cpu')
    (expected,) = model.predict({}, [ShapeSample(metainfo=dict(img_path='unconditional'))], num_samples=2, seed=3)
    for name in ('free', 'ic3d'):
        status, text, errors = tool(*pair(world, name), '--unconditional', '--samples', 2, '--seed', 3, '--out',
                                    tmp_path / name)  # fmt: skip
        assert status == 0 and 'without an image: 2 samples' in text, errors
    np.testing.assert_array_equal(shapes(tmp_path / 'free', 'unconditional', 2), expected.pred_voxels)
    model = random_model(IC3D)
    load_checkpoint(model, str(world / 'ic3d.pth'), map_location='cpu')
    drop, denoise = torch.ones(2, dtype=torch.bool), model.denoiser.forward
    model.denoiser.forward = lambda x, t, embedding, _=None: denoise(x, t, embedding, drop)
    (expected,) = model.predict(dict(embedding=torch.full((1, 6), 9.0)), [expected], num_samples=2, seed=3, guidance=0)
    found = shapes(tmp_path / 'ic3d', 'unconditional', 2)
    assert (found == expected.pred_voxels.numpy()).mean() > 0.999


def test_renderings_and_broken_pictures(world, tmp_path, tool, undrawn):
    root = make_shapenet(tmp_path / 'shapenet', clouds=False)
    picture = root / 'ShapeNetRendering' / CHAIR / IDS[CHAIR][0] / 'rendering/02.png'
    (tmp_path / 'broken.png').write_bytes(b'\x89PNG')
    status, text, errors = tool(picture, tmp_path / 'broken.png', *pair(world, 'ic3d'), '--rendering', '--samples', 1,
                                '--out', tmp_path / 'out')  # fmt: skip
    assert status == 3 and 'shapes for 1 of 2 pictures' in text and 'broken.png' in errors
    inferencer = VoxelInferencer(*pair(world, 'ic3d'), 'cpu')
    stored = np.asarray(Image.open(picture).convert('RGBA'))[4:-5, 4:-5]
    seen = inferencer.look_at(picture, None, generate_shapes.ObjectOptions(rendering=True))
    assert seen.image.shape == (PIXELS, PIXELS, 3) and seen.image[0, 0].tolist() == [240] * 3
    assert np.abs(seen.image[8, 8].astype(float) - stored[64:72, 64:72, :3].mean((0, 1))).max() < 80


@pytest.mark.parametrize('name', ['generate', 'interpolate'])
def test_help_says_what_the_guidance_is(name, monkeypatch, capsys):
    """At w = 0 the condition is heard; see ``test_gaussian_diffusion.test_guidance``."""
    with pytest.raises(SystemExit):
        command(f'tools/{name}_shapes.py', monkeypatch, capsys)('--help')
    assert '0: by the condition alone, -1: without it' in ' '.join(capsys.readouterr().out.split())


def test_what_cannot_be_generated_is_one_line(world, tmp_path, tool):
    one, model = world / 'photos/plain.png', pair(world, 'ic3d')
    wide = write_model(world, {**CISP, 'image_encoder': {**CISP['image_encoder'], 'embed_channels': 8},
                               'shape_encoder': {**CISP['shape_encoder'], 'embed_channels': 8}}, 'wide')  # fmt: skip
    cases = {
        'need one of a IC3D': (one, *pair(world, 'cisp')),
        'need one of a CISP': (one, *pair(world, 'bare'), '--embedder', *model),
        'cannot be used with': (one, model[0], pair(world, 'cisp')[1]),
        'nowhere.pth': (one, model[0], world / 'nowhere.pth'),
        'is a model without condition': (one, *pair(world, 'free')),
        'by --embedder': (one, *pair(world, 'bare')),
        'makes embeddings of 8 dimensions': (one, *model, '--embedder', *wide),
        'say --unconditional': model,
        'leave out the images': (one, *model, '--unconditional'),
        'leave out --guidance': (*model, '--unconditional', '--guidance', 1),
        'guidance must be a finite number': (one, *model, '--guidance', 'nan'),
        'threshold must be a finite number': (one, *model, '--threshold', 'nan'),
        f'steps must be 1 to {STEPS}': (one, *model, '--steps', STEPS + 1),
        'steps must be at least 1': (one, *model, '--steps', 0),
        'num_samples must be at least 1': (one, *model, '--samples', 0),
        'seed must be at least 0': (one, *model, '--seed', -1),
        'is neither an image nor a folder': (world / 'nowhere', *model),
        'there is no mask': (one, *model, '--mask', world / 'none'),
        'leave out --mask or --rendering': (one, *model, '--mask', world / 'masks', '--rendering'),
        'no device': (one, *model, '--device', 'abacus'),
    }
    for words, arguments in cases.items():
        status, _, errors = tool(*arguments, '--out', tmp_path / 'out')
        assert status == 1 and words in errors.splitlines()[-1] and errors.count('error: ') == 1, (words, errors)
    assert not (tmp_path / 'out').exists()
