"""ShapeNet made ready: a look at every model's files, clouds sampled where none are published, and a manifest."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from mmfusion_plugin.converters.cloud_axes import FoundTurn, inverse_turn
from mmfusion_plugin.converters.cloud_jobs import CloudRecipe, Fault, own_sizes, sample_clouds
from mmfusion_plugin.converters.shapenet_check import ModelFiles, check_models, coverage, find_models
from mmfusion_plugin.converters.shapenet_clouds import find_sources, is_published, measure_turn, note_of, plan_jobs
from mmfusion_plugin.converters.shapenet_files import NUM_VIEWS, ShapeNetTree
from mmfusion_plugin.converters.shapenet_splits import ModelKey
from mmfusion_plugin.files import write_text

MANIFEST = 'shapenet_manifest.json'
SIZES = (1024, 2048)


def create_shapenet(
    root: Path,
    categories: Optional[Sequence[str]] = None,
    views: int = NUM_VIEWS,
    sizes: Sequence[int] = SIZES,
    mesh_dir: Optional[Path] = None,
    from_voxels: bool = False,
    recipe: Optional[CloudRecipe] = None,
    workers: int = 1,
) -> Path:
    """Look at the files of every model that the splits name, sample missing clouds, and write a manifest.

    Sampled clouds go where published ones lie, ``ShapeNet_pointclouds/<synset>/<id>/pointcloud_<size>.npy``, with
    ``sampled.json`` beside them; published ones are never touched, nor any
    file of another content than was sampled. Where some are published, the turn between these and
    the meshes (or voxels) is measured, and the sampled ones are turned alike: one tree has one frame. A model's points
    depend on its source, its id and the seed alone.

    ``shapenet_manifest.json`` says what there is: ``splits`` (models and complete ones of each part), ``in_two_parts``
    (models that are in two parts of a split, which should be none), ``categories`` (models with all files of each
    kind), ``clouds`` (published and sampled ones, and the measured turn from ShapeNetCore v1's axes to the published
    ones'), ``missing`` (files by model) and ``faults``.

    Args:
        root: Folder with ``ShapeNetRendering``, ``ShapeNet_pointclouds``, ``ShapeNetVox32`` (any of them may be
            missing), and the splits.
        categories: Synset ids, names or aliases; None takes all that the splits name.
        views: Pictures that each model must have.
        sizes: Numbers of points of the clouds.
        mesh_dir: ShapeNetCore, with ``<synset>/<id>/model.obj`` (v1, which the renderings show) or
            ``<synset>/<id>/models/model_normalized.obj`` (v2), to sample missing clouds from.
        from_voxels: Sample missing clouds from the voxels where there is no mesh.
        recipe: How clouds are made.
        workers: Number of processes.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: ``root``, ``mesh_dir`` or all splits are missing.
        ValueError: A split or option is wrong, no file of any model is there, or the turn of clouds stays unclear.
        ChildProcessError: A process was killed; the next run goes on from the finished models.
    """
    for folder, option in ((root, '--root-path'), (mesh_dir, '--mesh-dir')):
        if folder is not None and not folder.is_dir():
            raise FileNotFoundError(f'{folder} is not a folder: correct {option}')
    if not 1 <= views <= 100 or not sizes or min(sizes) < 1:
        raise ValueError(f'need 1 to 100 views and clouds of at least one point, got {views} and {list(sizes)}')
    tree = ShapeNetTree.below(root)
    models, splits = find_models(root, categories)
    files = check_models(tree, models, views, sizes, workers)
    if not any(item.present for item in files):
        raise ValueError(f'{root} holds no file of the {len(models)} models in its splits: unpack {tree.renderings}')
    sources = find_sources(tree, models, mesh_dir, from_voxels)
    published = sum(any(is_published(tree, model, size) for size in sizes) for model in models)
    found = measure_turn(tree, sources, sizes)
    jobs = plan_jobs(tree, sources, sizes, found, published > 0)
    faults = sample_clouds(jobs, recipe or CloudRecipe(), workers)
    if jobs:
        files = check_models(tree, models, views, sizes, workers)
    sampled = sum(bool(own_sizes(note_of(tree, model), partial(tree.cloud, model))) for model in models)
    clouds = {'published': published, 'sampled': sampled, 'turn': found._asdict() if found else None}
    _print_coverage(files, sizes, found)
    return _write_manifest(root, files, splits, sizes, clouds, faults)


def _write_manifest(
    root: Path,
    files: Sequence[ModelFiles],
    splits: Dict[str, Dict[str, List[ModelKey]]],
    sizes: Sequence[int],
    clouds: dict,
    faults: Sequence[Fault],
) -> Path:
    complete = {item.model for item in files if item.complete}
    content = {
        'splits': {
            split: {
                part: {'models': len(members), 'complete': len(complete.intersection(members))}
                for part, members in parts.items()
            }
            for split, parts in splits.items()
        },
        'in_two_parts': {split: _in_two_parts(parts) for split, parts in splits.items()},
        'categories': coverage(files, sizes),
        'clouds': clouds,
        'missing': {str(item.model): item.lacks for item in files if item.lacks},
        'faults': [fault for item in files for fault in item.faults] + [f'{f.name}: {f.reason}' for f in faults],
    }
    path = root / MANIFEST
    write_text(path, json.dumps(content, indent=1) + '\n')
    print(f'{path}: {len(complete)} of {len(files)} models are complete, {len(content["faults"])} files are faulty')
    for fault in content['faults'][:5]:
        print(f'  {fault}')
    for split, shared in content['in_two_parts'].items():
        if shared:
            print(f'warning: {len(shared)} models are in two parts of the {split} split, the first being {shared[0]}')
    return path


def _in_two_parts(parts: Dict[str, List[ModelKey]]) -> List[str]:
    counts = Counter(model for members in parts.values() for model in members)
    return [str(model) for model, count in counts.items() if count > 1]


def _print_coverage(files: Sequence[ModelFiles], sizes: Sequence[int], found: Optional[FoundTurn]) -> None:
    rows = coverage(files, sizes)
    columns = [key for key in rows[0] if key != 'synset']
    print('  '.join(f'{column:>12}' for column in columns))
    for row in rows:
        print('  '.join(f'{row[column]:>12}' for column in columns))
    if found is not None:
        print(
            f"The published clouds are ShapeNetCore's turned by {found.turn} ({found.margin:.1f} times as good as the "
            f"next turn) and {found.size:.3f} times as large; cloud_frame='{inverse_turn(found.turn)}' turns them back"
        )
