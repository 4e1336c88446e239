"""Clouds of photographs as files: each point leads back to a foreground pixel of its colour, also on real plants."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from mmfusion_plugin.apis.image_cloud import image_to_cloud, write_ply
from mmfusion_plugin.datasets.photographs import read_photograph

from .photograph_models import disc, write_image, write_unet

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def plants() -> Path:
    """Two real photographs of plants with masks; not shipped with the project."""
    base = Path(os.environ.get('MMFUSION_SHARED_DATA', ROOT.parent / 'shared' / 'data'))
    if not (base / 'plants/setaria_1.png').is_file():
        pytest.skip(f'no plants in {base}: set MMFUSION_SHARED_DATA to the folder that holds them')
    return base / 'plants'


@pytest.fixture()
def tool(monkeypatch, capsys):
    """Run ``tools/image_to_cloud.py``; its status, output and errors."""
    def run(*arguments: object) -> tuple:
        monkeypatch.setattr(sys, 'argv', ['image_to_cloud.py', *map(str, arguments)])
        status = runpy.run_path(str(ROOT / 'tools/image_to_cloud.py'))['main']()
        text = capsys.readouterr()
        return status, text.out, text.err

    return run


def pixels_of(points: np.ndarray, shape: tuple, normalize: str) -> np.ndarray:
    """Column and row of points ``(N, 3)``, by the formulas read backwards; they must be whole numbers."""
    height, width = shape
    places = points[:, :2]
    if normalize == 'image':
        longer = max(shape)
        places = np.stack([points[:, 0] * longer + width - 1, height - 1 - points[:, 1] * longer], 1) / 2
    np.testing.assert_allclose(places, places.round(), atol=1e-3)
    return places.round().astype(int)


@pytest.mark.parametrize('number', [1, 2])
@pytest.mark.parametrize('normalize, points', [('image', 1024), ('image', 0), ('none', 0)])
def test_real_plants_and_back(plants, tool, tmp_path, number, normalize, points):
    photo, mask_file = plants / f'setaria_{number}.png', plants / f'setaria_{number}_mask.png'
    status, text, errors = tool(photo, '--mask', mask_file, '--out', tmp_path, '--normalize', normalize, '--points',
                                points)
    assert status == 0 and not errors, errors
    names = {f'setaria_{number}{end}' for end in ('.ply', '_cloud.png', '_mask.png')}
    assert {path.name for path in tmp_path.iterdir()} == names and all(name in text for name in names)
    # The files themselves, by other readers than the tool's.
    image = np.asarray(Image.open(photo).convert('RGB'))
    truth = np.asarray(Image.open(mask_file)) > 0
    cloud = trimesh.load(tmp_path / f'setaria_{number}.ply')
    xyz, colours = np.asarray(cloud.vertices), np.asarray(cloud.colors)[:, :3]
    columns, rows = pixels_of(xyz, truth.shape, normalize).T
    assert len(xyz) == (points or truth.sum()) and truth[rows, columns].all()
    np.testing.assert_array_equal(colours, image[rows, columns])
    brightness = image[rows, columns].mean(axis=1) / (255 if normalize == 'image' else 1)
    np.testing.assert_allclose(xyz[:, 2], brightness, rtol=1e-6, atol=1e-6)
    seen = np.zeros_like(truth)
    seen[rows, columns] = True
    assert seen.sum() == min(truth.sum(), len(xyz))  # no pixel twice while another is left out
    if not points:
        np.testing.assert_array_equal(seen, truth)


def test_folder_with_masks_beside(plants, tool, tmp_path):
    status, text, _ = tool(plants, '--mask', plants, '--mask-suffix', '_mask.png', '--out', tmp_path, '--points', 50)
    assert status == 0 and len(text.splitlines()) == 6
    for number in (1, 2):
        picture = np.asarray(Image.open(tmp_path / f'setaria_{number}_cloud.png').convert('RGB'))
        assert min(picture.shape[:2]) > 300 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
        assert len(trimesh.load(tmp_path / f'setaria_{number}.ply').vertices) == 50


@pytest.mark.parametrize('features', ['xyz', 'xyzrgb'])
def test_colours_are_those_of_the_pixels(features):
    image, mask = disc()
    cloud = image_to_cloud(image, mask, num_points=200, features=features)
    columns, rows = pixels_of(cloud.points, mask.shape, 'image').T
    np.testing.assert_array_equal(cloud.pixels, np.stack([columns, rows], 1))
    np.testing.assert_array_equal(cloud.colours, image[rows, columns, ::-1])
    assert mask[rows, columns].all() and cloud.num_foreground == mask.sum() and not cloud.y_down
    if features == 'xyzrgb':
        np.testing.assert_allclose(cloud.points[:, 3:], cloud.colours / 255, atol=1e-6)
    again, other = (image_to_cloud(image, mask, seed, num_points=200).pixels for seed in (0, 1))
    np.testing.assert_array_equal(again, cloud.pixels)
    assert not np.array_equal(other, cloud.pixels)


def test_ply_keeps_every_bit(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1e3, (50, 6)).astype(np.float32)
    points[1] = points[0]  # points are not merged
    colours = rng.integers(0, 256, (50, 3), np.uint8)
    content = write_ply(tmp_path / 'a/cloud.ply', points, colours).read_bytes()
    assert content.startswith(b'ply\nformat binary_little_endian') and b'element vertex 50' in content
    cloud = trimesh.load(tmp_path / 'a/cloud.ply')
    np.testing.assert_array_equal(np.asarray(cloud.vertices, np.float32), points[:, :3])
    np.testing.assert_array_equal(cloud.colors[:, :3], colours)


def test_empty_masks_give_empty_clouds(tool, tmp_path):
    image, mask = disc()
    write_image(tmp_path / 'a.png', image)
    write_image(tmp_path / 'a_mask.png', np.zeros_like(mask, np.uint8))
    status, _, errors = tool(tmp_path / 'a.png', '--mask', tmp_path / 'a_mask.png', '--out', tmp_path / 'out')
    assert status == 0 and b'element vertex 0' in (tmp_path / 'out/a.ply').read_bytes(), errors
    assert (tmp_path / 'out/a_cloud.png').is_file()


def test_masks_may_come_from_elsewhere_or_not_at_all(tool, tmp_path):
    image, mask = disc()
    black = np.where(mask[..., None], image, 0).astype(np.uint8)
    write_image(tmp_path / 'in/black.png', black)
    write_image(tmp_path / 'in/cut.png', np.dstack([image, mask * np.uint8(255)]))
    status, _, errors = tool(tmp_path / 'in', '--out', tmp_path / 'a', '--points', 0)
    assert status == 3 and 'black.png has no mask: give one (--mask)' in errors
    assert len(trimesh.load(tmp_path / 'a/cut.ply').vertices) == mask.sum()
    photo = tmp_path / 'in/black.png'
    status, _, errors = tool(photo, '--out', tmp_path / 'b', '--points', 0, '--foreground', 'nonblack')
    assert status == 0 and len(trimesh.load(tmp_path / 'b/black.ply').vertices) == mask.sum(), errors
    unet = write_unet(tmp_path)
    status, _, errors = tool(photo, '--out', tmp_path / 'c', '--points', 0, '--unet', *unet, '--device', 'cpu')
    assert status == 0, errors
    assert len(trimesh.load(tmp_path / 'c/black.ply').vertices) == pytest.approx(mask.sum(), rel=0.08)


def test_depth_maps_become_z(tool, tmp_path):
    """A map for one photograph, and a folder of maps, of which some are missing, of another size, or not finite."""
    image, mask = disc()
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]]
    depth = (rows + 0.5 * columns).astype(np.float32)
    for name in 'abcd':
        write_image(tmp_path / f'in/{name}.png', image)
        write_image(tmp_path / f'masks/{name}.png', mask * np.uint8(255))
    maps = {'a': np.where(mask, depth, np.inf), 'b': depth[1:], 'c': np.where(rows + columns == 90, np.nan, depth)}
    (tmp_path / 'depths').mkdir()
    for name, values in maps.items():
        np.save(tmp_path / f'depths/{name}.npy', values)
    given = ('--mask', tmp_path / 'masks', '--points', 0, '--normalize', 'none')
    status, text, errors = tool(tmp_path / 'in', *given, '--depth', tmp_path / 'depths', '--out', tmp_path / 'out')
    assert status == 3 and 'a.ply' in text and 'b.ply' not in text
    reasons = [line for line in errors.splitlines() if line.startswith('error: ')]
    assert len(reasons) == 3
    for line, words in zip(reasons, ('b.npy is (95, 128), not (96, 128)', 'c.npy holds NaN', 'd.png has no depth map')):
        assert words in line, line
    one = (tmp_path / 'in/a.png', *given, '--depth', tmp_path / 'depths/a.npy', '--out', tmp_path / 'one')
    assert tool(*one)[0] == 0
    for folder in ('out', 'one'):
        xyz = np.asarray(trimesh.load(tmp_path / folder / 'a.ply').vertices)
        np.testing.assert_array_equal(xyz[:, 2], depth[xyz[:, 1].astype(int), xyz[:, 0].astype(int)])
        assert len(xyz) == mask.sum()
    for words, path in {'is one depth map for 4': tmp_path / 'depths/a.npy', 'there is no depth map': 'none'}.items():
        status, _, errors = tool(tmp_path / 'in', *given, '--depth', path, '--out', tmp_path / 'out')
        assert status == 1 and words in errors


def test_clear_errors(tool, tmp_path):
    write_image(tmp_path / 'a.png', disc()[0])
    for words, arguments in {'num_points must be a positive': ('--points', -1),
                             'would lie among photographs': ()}.items():  # fmt: skip
        out = tmp_path if not arguments else tmp_path / 'out'
        status, _, errors = tool(tmp_path / 'a.png', '--foreground', 'nonblack', '--out', out, *arguments)
        assert status == 1 and words in errors
    with pytest.raises(ValueError, match='must be .96, 128. as'):
        image_to_cloud(read_photograph(tmp_path / 'a.png'), np.ones((3, 3), np.uint8))
