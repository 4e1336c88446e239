"""Which clouds a ShapeNet folder lacks, what they can be sampled from, and which way the published ones are turned."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from mmfusion_plugin.converters.cloud_axes import FoundTurn, compose_turns, find_turn, turned
from mmfusion_plugin.converters.cloud_jobs import NOTE, CloudJob, is_own, own_sizes
from mmfusion_plugin.converters.cloud_sampling import sample_file
from mmfusion_plugin.converters.shapenet_files import ShapeNetTree, read_cloud
from mmfusion_plugin.converters.shapenet_splits import ModelKey

#: Where ShapeNetCore has a model's mesh, and the turn to the axes of its first version, which 3D-R2N2 rendered:
#: x forward, y up. In the second, -z is forward. Source: the README of each.
MESHES = {'model.obj': 'x,y,z', 'models/model_normalized.obj': '-z,y,x'}
# Models whose clouds are compared with their sources, and how much worse the second best turn must fit.
_COMPARED, _SURE = 32, 1.2


class Source(NamedTuple):
    """What a model's cloud can be sampled from: a file, and the turn from its axes to ShapeNetCore v1's."""

    path: Path
    turn: str


def note_of(tree: ShapeNetTree, model: ModelKey) -> Path:
    """Where it is said which of a model's clouds were sampled."""
    return tree.cloud(model, 0).with_name(NOTE)


def is_published(tree: ShapeNetTree, model: ModelKey, size: int) -> bool:
    """Whether a cloud is there that was not sampled."""
    path = tree.cloud(model, size)
    return path.is_file() and not is_own(note_of(tree, model), size, path)


def find_sources(
    tree: ShapeNetTree, models: Sequence[ModelKey], mesh_dir: Optional[Path], from_voxels: bool
) -> Dict[ModelKey, Source]:
    """The mesh of each model, or its voxels; models without are left out.

    Args:
        tree: Where voxels are.
        models: Of which.
        mesh_dir: ShapeNetCore, see ``MESHES``; None for no meshes.
        from_voxels: Take voxels where there is no mesh.
    """
    sources = {}
    for model in models:
        places = []
        if mesh_dir is not None:
            folder = mesh_dir / model.synset / model.model_id
            places += [Source(folder / name, turn) for name, turn in MESHES.items()]
        if from_voxels:
            places.append(Source(tree.binvox(model), 'x,y,z'))
        source = next((place for place in places if place.path.is_file()), None)
        if source is not None:
            sources[model] = source
    return sources


def measure_turn(
    tree: ShapeNetTree, sources: Dict[ModelKey, Source], sizes: Sequence[int]
) -> Optional[FoundTurn]:
    """The turn from ShapeNetCore v1's axes to those of the published clouds.

    Returns:
        None where no model has both a published cloud and a source that can be read.
    """
    ours, theirs = [], []
    for model, source in sources.items():
        size = next((size for size in sizes if is_published(tree, model, size)), None)
        if size is not None:
            try:
                cloud = read_cloud(tree.cloud(model, size))
                drawn = sample_file(source.path, len(cloud), np.random.default_rng(0))
            except (OSError, ValueError):
                continue  # said where it is to be used
            theirs.append(cloud)
            ours.append(turned(drawn, source.turn))
        if len(ours) == _COMPARED:
            break
    return find_turn(ours, theirs) if ours else None


def plan_jobs(
    tree: ShapeNetTree, sources: Dict[ModelKey, Source], sizes: Sequence[int], found: Optional[FoundTurn], others: bool
) -> List[CloudJob]:
    """Jobs for the clouds that are missing or were sampled before.

    Args:
        tree: Where clouds go.
        sources: What to sample from.
        sizes: Numbers of points that each model must have.
        found: Turn of the published clouds.
        others: Whether there are published clouds, with a source or without.

    Raises:
        ValueError: Something is to be sampled beside published clouds whose turn is unknown or unclear.
    """
    turn = found.turn if found else 'x,y,z'
    jobs = []
    for model, source in sources.items():
        own = own_sizes(note_of(tree, model), partial(tree.cloud, model))
        wanted = [size for size in sizes if size in own or not tree.cloud(model, size).is_file()]
        targets = {size: tree.cloud(model, size) for size in sorted({*wanted, *own})}
        if targets:
            whole = compose_turns(source.turn, turn)
            jobs.append(CloudJob(str(model), source.path, whole, note_of(tree, model), targets))
    unclear = 'no model has both a published cloud and a mesh or voxels' if found is None else (
        f'the best turn {found.turn} fits only {found.margin:.2f} times as well as the next'
    )
    if jobs and others and (found is None or found.margin < _SURE):
        raise ValueError(
            f'{tree.clouds} holds published clouds, and it is unclear which way they are turned ({unclear}): sampled '
            'ones would not fit beside them. Name more categories or a --mesh-dir with their models, or move the '
            'published ones away'
        )
    return jobs
