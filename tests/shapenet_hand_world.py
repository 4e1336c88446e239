"""A ShapeNet and a Pix3D of a few models, written by hand with json, numpy and Pillow in the published layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
from PIL import Image

CHAIR, PLANE = '03001627', '02691156'
VIEWS = 3
MODELS = {CHAIR: ['1a04e3eab45ca15dd86060f189eb133', 'u2f', '3c'], PLANE: ['10155655850468db78d106ce0a280f87', '5e']}
#: By split and part; 3D-LMNet's and CISP's differ.
LMNET = {'train': {PLANE: MODELS[PLANE][:1], CHAIR: MODELS[CHAIR][:2]},
         'val': {PLANE: MODELS[PLANE][1:], CHAIR: MODELS[CHAIR][2:]}}  # fmt: skip
CISP = {CHAIR: {'train': ['3c'], 'val': ['u2f'], 'test': MODELS[CHAIR][:1]},
        PLANE: {'train': ['5e'], 'val': [], 'test': MODELS[PLANE][:1]}}  # fmt: skip
#: Corners and triangles of a solid without any symmetry: a box with a roof that leans to one corner.
CORNERS = np.array([[0, 0, 0], [3, 0, 0], [3, 0, 1], [0, 0, 1], [0, 1, 0], [3, 1, 0], [3, 1, 1], [0, 1, 1],
                    [2.8, 2.0, 0.2]])  # fmt: skip
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3], [0, 4, 5], [0, 5, 1], [1, 5, 6], [1, 6, 2], [2, 6, 7], [2, 7, 3],
                      [3, 7, 4], [3, 4, 0], [4, 8, 5], [5, 8, 6], [6, 8, 7], [7, 8, 4]])  # fmt: skip


def rng_of(name: str) -> np.random.Generator:
    return np.random.default_rng(list(name.encode()))


def picture(name: str, view: int) -> np.ndarray:
    """(137, 137, 4) uint8 RGBA: noise in a rectangle, half transparent at its edge; what is free is dark blue."""
    image = np.zeros((137, 137, 4), np.uint8)
    image[..., :3] = (1, 2, 50)
    image[30:100, 20:120] = rng_of(f'{name} {view}').integers(0, 256, (70, 100, 4))
    image[30:100, 20:120, 3] = 255
    image[30, 20:120, 3] = 100
    return image


def voxels(name: str) -> np.ndarray:
    """(32, 32, 32) bool."""
    grid = np.zeros((32, 32, 32), bool)
    grid[4:28, 10:12, 3:30] = True
    grid[5, 6, int(rng_of(name).integers(5, 30))] = True
    return grid


def points(name: str, size: int = 2048) -> np.ndarray:
    return rng_of(f'{name} points').uniform(-0.5, 0.5, (size, 3))


def binvox_bytes(grid: np.ndarray) -> bytes:
    """A binvox file in which every run is of one voxel; y is fastest, then z, then x."""
    flat = np.swapaxes(grid, 1, 2).ravel()
    runs = np.stack([flat, np.ones_like(flat)], axis=1).astype(np.uint8)
    return b'#binvox 1\ndim 32 32 32\ntranslate -0.5 -0.5 -0.5\nscale 1\ndata\n' + runs.tobytes()


def write_obj(path: Path, corners: np.ndarray = CORNERS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'v {x} {y} {z}' for x, y, z in corners] + [f'f {a} {b} {c}' for a, b, c in TRIANGLES + 1]
    path.write_text('mtllib missing.mtl\n' + '\n'.join(lines) + '\n')


def surface_points(size: int, seed: int = 5) -> np.ndarray:
    """Points of the solid by rejection from the triangles' parallelograms; not the way of any library."""
    rng, corner = np.random.default_rng(seed), CORNERS[TRIANGLES]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    face = rng.choice(len(area), 3 * size, p=area / area.sum())
    a, b = rng.random((2, 3 * size, 1))
    found = corner[face, 0] + a * (corner[face, 1] - corner[face, 0]) + b * (corner[face, 2] - corner[face, 0])
    return found[(a + b < 1).ravel()][:size]


def make_shapenet(root: Path, clouds: bool = True) -> Path:
    """All models with their files, and both splits."""
    for synset, models in MODELS.items():
        for model in models:
            name = f'{synset}/{model}'
            folder = root / 'ShapeNetRendering' / name / 'rendering'
            folder.mkdir(parents=True)
            for view in range(VIEWS):
                Image.fromarray(picture(name, view)).save(folder / f'{view:02d}.png')
            lines = [f'{100.5 + 90 * view} {25 + view} 0 0.8 25' for view in range(VIEWS)]
            (folder / 'rendering_metadata.txt').write_text('\n'.join(lines) + '\n')
            binvox = root / 'ShapeNetVox32' / name / 'model.binvox'
            binvox.parent.mkdir(parents=True)
            binvox.write_bytes(binvox_bytes(voxels(name)))
            for size in (1024, 2048) if clouds else ():
                path = root / 'ShapeNet_pointclouds' / name / f'pointcloud_{size}.npy'
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, points(name)[:size])
    (root / 'splits').mkdir()
    for part, lists in LMNET.items():
        text = json.dumps({synset: [f'{synset}/{model}' for model in models] for synset, models in lists.items()})
        (root / f'splits/{part}_models.json').write_text(text)
    rows = [{'taxonomy_id': synset, 'taxonomy_name': 'x', **parts} for synset, parts in CISP.items()]
    (root / 'ShapeNet.json').write_text(json.dumps(rows))
    return root


def photographs() -> List[dict]:
    """Entries of ``pix3d.json``: flags as in the release, and as text."""
    rows: List[dict] = []
    objects: List[Tuple[str, str, Dict[str, object]]] = [
        ('chair', 'model/chair/IKEA_A/model.obj', {}),
        ('chair', 'model/chair/IKEA_A/model.obj', {'slightly_occluded': True}),
        ('chair', 'model/chair/OTHER/model_2.obj', {'truncated': 'false', 'occluded': 'False'}),
        ('sofa', 'model/sofa/S/model.obj', {'occluded': 'true'}),
        ('sofa', 'model/sofa/S/model.obj', {}),
        ('table', 'model/table/T/model.obj', {}),
        ('bed', 'model/bed/B/malm_bed.obj', {}),
    ]
    for number, (category, model, flags) in enumerate(objects):
        rows.append({
            'img': f'img/{category}/{number:04d}.{"png" if number == 4 else "jpg"}', 'category': category,
            'img_size': [60, 40], 'mask': f'mask/{category}/{number:04d}.png', 'model': model, 'bbox': [12, 5, 52, 30],
            'voxel': str(Path(model).with_name('voxel.mat')), 'truncated': False, 'occluded': False,
            'slightly_occluded': False, **flags,
        })  # fmt: skip
    return rows


def make_pix3d(root: Path, clouds: bool = True) -> Path:
    """Photographs of 60 x 40 with masks (of 30 x 20 in one case), models and clouds."""
    rows = photographs()
    for number, row in enumerate(rows):
        for key in ('img', 'mask'):
            (root / row[key]).parent.mkdir(parents=True, exist_ok=True)
        noise = rng_of(row['img']).integers(1, 256, (40, 60, 3)).astype(np.uint8)
        Image.fromarray(noise).save(root / row['img'])
        mask = np.zeros((40, 60), np.uint8)
        mask[8:28, 14:50] = 255
        Image.fromarray(mask[::2, ::2] if number == 5 else mask).save(root / row['mask'])
        write_obj(root / row['model'])
        if clouds:
            name = Path(row['model'])
            suffix = name.stem.replace('model', '') if 'model' in name.stem else f'_{name.stem}'
            path = root / 'pointclouds' / name.with_name(f'pcl_1024{suffix}.npy')
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, points(row['model'], 1024))
    (root / 'pix3d.json').write_text(json.dumps(rows))
    return root
