"""The study's pictures: bars, shapes drawn by the first seed's networks, and ways between two of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
from make_sketches import flattened
from study_commands import trained_files
from study_plan import BASELINES, DENOISERS, EMBEDDERS, PATHS, Run, Size

from mmfusion_plugin.apis.study import by_variant, draw_bars, show
from mmfusion_plugin.converters.shapenet_files import ShapeNetTree
from mmfusion_plugin.converters.shapenet_splits import find_split, read_split
from mmfusion_plugin.converters.shapenet_taxonomy import CISP_CATEGORIES, category_name
from mmfusion_plugin.datasets.shape_files import read_rendering, read_shape_voxels
from mmfusion_plugin.visualization.shape_tiles import Tile, shape_tiles

SKETCH = '_sketch'  # end of a sketch's name
ENDS = ('chair', 'table')  # of the ways
STEPS = 8
SHORT = {'ic3d-cisp': 'by CISP', 'ic3d-images': 'by image network', 'ic3d-unguided': 'unguided',
         'random-category': 'random of category'}  # fmt: skip


def bars(folder: Path, size: str, runs: list[dict]) -> dict[str, Path]:
    """Bars of retrieval and of generation, a dot per seed, as far as there are runs: what each shows, and its file."""
    drawn, title = {}, f'Generated models, size {size}'
    found = by_variant(runs, EMBEDDERS)
    if found:
        means = {'i2s_top1': 'image to shape', 's2i_top1': 'shape to image'}
        drawn['Top-1 both ways'] = draw_bars(folder / f'{size}_retrieval.png', found, means, title, 'Top-1')
    found = by_variant(runs, (*(f'{name}-shapes' for name in DENOISERS), *BASELINES[:3]))
    if found:
        means = {'iou_mean': 'IoU, mean', 'iou_best': 'IoU, best', 'f_score_mean': 'F-score, mean'}
        named = {SHORT.get(name.removesuffix('-shapes'), name): entries for name, entries in found.items()}
        drawn['IoU and F-score'] = draw_bars(folder / f'{size}_generation.png', named, means, title, 'Score')
    return drawn


def draw_shapes(size: Size, work_dir: Path, seed: int) -> None:
    """Have the package's tools draw shapes for a picture of each category and between two, where all is trained."""
    folder, files = work_dir / 'pictures', {name: trained_files(size, Run(name, seed), work_dir) for name in DENOISERS}
    if not all(weights.is_file() for _, weights in files.values()):
        return
    _collect(size, folder / 'inputs')
    for name, trained in files.items():
        for command in _commands(folder, name, [str(file) for file in trained], len(CISP_CATEGORIES)):
            print(show(command), flush=True)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _collect(size: Size, folder: Path) -> None:
    """The first test model of each category: ``<category>.png``, its sketch, and its voxels."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    root = Path(size.data_root)
    tree, sketches = ShapeNetTree.below(root), ShapeNetTree(*[Path(size.sketches)] * 3)
    models = read_split(find_split(root, 'cisp', 'test'), 'cisp', 'test', CISP_CATEGORIES)
    for model in reversed(models):  # so that the first of each stays
        name = category_name(model.synset)
        shutil.copyfile(tree.picture(model, 0), folder / f'{name}.png')
        shutil.copyfile(sketches.picture(model, 0), folder / f'{name}{SKETCH}.png')
        shutil.copyfile(tree.binvox(model), folder / f'{name}.binvox')


def _commands(folder: Path, name: str, trained: list[str], count: int) -> list[list[str]]:
    generate = [sys.executable, 'tools/generate_shapes.py']
    if name not in PATHS.values():
        options = ['--unconditional', '--samples', str(count), '--out', str(folder / name)]
        return [[*generate, *trained, *options]]
    ends = [str(folder / 'inputs' / f'{end}.png') for end in ENDS]
    shapes = [str(folder / 'inputs'), *trained, '--rendering', '--samples', '1', '--out', str(folder / name)]
    path = [*ends, *trained, '--rendering', '--steps', str(STEPS), '--out', str(folder / f'{name}-path')]
    return [[*generate, *shapes], [sys.executable, 'tools/interpolate_shapes.py', *path]]


def shapes_grid(path: Path, work_dir: Path, title: str) -> Optional[Path]:
    """A row per guidance below pictures and true shapes, then the same of sketches; None where nothing was drawn."""
    folder, names = work_dir / 'pictures', CISP_CATEGORIES
    if not (folder / 'ic3d-unguided' / 'unconditional_samples.png').is_file():
        return None
    tiles = [_picture('picture', folder, name) for name in names]
    tiles += [Tile(f'true shape\n{name}', voxels=read_shape_voxels(str(folder / 'inputs' / f'{name}.binvox')))
              for name in names]  # fmt: skip
    for guide in PATHS.values():
        tiles += [_shape(SHORT[guide], folder / guide / f'{name}_00.npy') for name in names]
    tiles += [_shape(SHORT['ic3d-unguided'], folder / 'ic3d-unguided' / f'unconditional_{number:02d}.npy')
              for number in range(len(names))]  # fmt: skip
    tiles += [_picture('sketch', folder, f'{name}{SKETCH}') for name in names]
    for guide in PATHS.values():
        tiles += [_shape(f'{SHORT[guide]}, of the sketch', folder / guide / f'{name}{SKETCH}_00.npy') for name in names]
    return shape_tiles(path, tiles, len(names), title)


def paths_strip(path: Path, work_dir: Path, title: str) -> Optional[Path]:
    """A row per guidance: from one picture to the other; None where nothing was drawn."""
    folder, tiles = work_dir / 'pictures', []
    for guide in PATHS.values():
        shapes = sorted((folder / f'{guide}-path').glob('[0-9][0-9].npy'))
        if shapes:
            ends = [_picture(SHORT[guide], folder, end) for end in ENDS]
            tiles += [ends[0], *(_shape(SHORT[guide], shape) for shape in shapes), ends[1]]
    return shape_tiles(path, tiles, STEPS + 2, title) if tiles else None


def _picture(title: str, folder: Path, name: str) -> Tile:
    pixels = flattened(read_rendering(str(folder / 'inputs' / f'{name}.png')))
    return Tile(f'{title}\n{name.removesuffix(SKETCH)}', image=cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def _shape(title: str, path: Path) -> Tile:
    voxels = np.load(path, allow_pickle=False)
    return Tile(f'{title}\n{int(voxels.sum()):,} voxels', voxels=voxels)
