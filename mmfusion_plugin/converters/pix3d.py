"""Pix3D made ready: a look at every photograph's files, clouds sampled where none are published, and a manifest."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set

from tqdm import tqdm

from mmfusion_plugin.converters.cloud_jobs import NOTE, CloudJob, CloudRecipe, own_sizes, sample_clouds
from mmfusion_plugin.converters.pix3d_files import ANNOTATIONS, CATEGORIES, FLAGS, Pix3DEntry, read_entries
from mmfusion_plugin.files import write_text

MANIFEST = 'pix3d_manifest.json'
#: Folder of the clouds, below Pix3D's; 3D-LMNet's archive is to be unpacked there.
CLOUDS = 'pointclouds'
SIZES = (1024,)


def create_pix3d(
    root: Path,
    categories: Optional[Sequence[str]] = CATEGORIES,
    sizes: Sequence[int] = SIZES,
    cloud_dir: Optional[Path] = None,
    sample: bool = False,
    recipe: Optional[CloudRecipe] = None,
    workers: int = 1,
) -> Path:
    """Look for the files that ``pix3d.json`` names, sample missing clouds, and write a manifest.

    Sampled clouds are in the axes of Pix3D's meshes (x left, y up, z in), as the published ones, which
    ``Pix3DDataset`` turns. They come from the mesh, and from the voxels where there is none or it is damaged.

    ``pix3d_manifest.json`` says what there is: ``categories`` (photographs, those with no flag, and models),
    ``missing`` (files by kind), ``clouds`` (published and sampled) and ``faults``.

    Args:
        root: Folder with ``pix3d.json``, ``img``, ``mask``, ``model``.
        categories: As Pix3D names them; None takes all.
        sizes: Numbers of points of the clouds.
        cloud_dir: Folder of the clouds; None is ``root / 'pointclouds'``.
        sample: Sample the clouds that are missing.
        recipe: How.
        workers: Number of processes.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: ``pix3d.json`` is missing.
        ValueError: It is damaged, or lacks a category.
        ChildProcessError: A process was killed; the next run goes on from the finished models.
    """
    if not sizes or min(sizes) < 1:
        raise ValueError(f'clouds must have at least one point, got {list(sizes)}')
    entries = read_entries(root / ANNOTATIONS, categories)
    clouds = cloud_dir or root / CLOUDS
    models = {entry.model: entry for entry in entries}
    faults = []
    if sample:
        jobs = _jobs(root, clouds, list(models.values()), sizes)
        failed = {fault.name: fault.reason for fault in sample_clouds(jobs, recipe or CloudRecipe(), workers)}
        again = [_from_voxels(root, job, models[job.name]) for job in jobs if job.name in failed]
        again = [job for job in again if job.source.is_file()]
        faults = [*failed.values(), *(fault.reason for fault in sample_clouds(again, recipe or CloudRecipe(), workers))]
    missing = _missing(root, clouds, entries, list(models.values()), sizes)
    content = {
        'categories': _summary(entries),
        'clouds': {
            'sampled': sum(bool(_own_sizes(clouds, entry)) for entry in models.values()),
            'models': len(models),
        },
        'missing': missing,
        'faults': faults,
    }
    path = root / MANIFEST
    write_text(path, json.dumps(content, indent=1) + '\n')
    _print(path, content)
    return path


def _note(clouds: Path, entry: Pix3DEntry) -> Path:
    # Several meshes may share a folder.
    return (clouds / entry.cloud(0)).with_suffix(f'.{NOTE}')


def _own_sizes(clouds: Path, entry: Pix3DEntry) -> Set[int]:
    return own_sizes(_note(clouds, entry), lambda size: clouds / entry.cloud(size))


def _jobs(root: Path, clouds: Path, models: Sequence[Pix3DEntry], sizes: Sequence[int]) -> List[CloudJob]:
    """Jobs for clouds that are missing or were sampled before: from the mesh, or else from the voxels."""
    jobs = []
    for entry in models:
        note, own = _note(clouds, entry), _own_sizes(clouds, entry)
        wanted = {*own, *(size for size in sizes if not (clouds / entry.cloud(size)).is_file())}
        if wanted:
            targets = {size: clouds / entry.cloud(size) for size in sorted(wanted)}
            source = next((root / name for name in (entry.model, entry.voxel) if (root / name).is_file()), None)
            jobs.append(CloudJob(entry.model, source or root / entry.model, 'x,y,z', note, targets))
    return jobs


def _from_voxels(root: Path, job: CloudJob, entry: Pix3DEntry) -> CloudJob:
    return CloudJob(job.name, root / entry.voxel, job.turn, job.note, job.targets)


def _missing(
    root: Path, clouds: Path, entries: Sequence[Pix3DEntry], models: Sequence[Pix3DEntry], sizes: Sequence[int]
) -> Dict[str, List[str]]:
    """Missing files by kind."""
    out: Dict[str, List[str]] = {'img': [], 'mask': [], 'clouds': []}
    for entry in tqdm(entries, unit='photo', desc='Looking for files', disable=None):
        for kind, name in (('img', entry.img), ('mask', entry.mask)):
            if not (root / name).is_file():
                out[kind].append(name)
    paths = [clouds / entry.cloud(size) for entry in models for size in sizes]
    out['clouds'] = [str(path) for path in paths if not path.is_file()]
    return out


def _summary(entries: Sequence[Pix3DEntry]) -> Dict[str, dict]:
    """Numbers of each category."""
    out: Dict[str, dict] = {}
    for category in dict.fromkeys(entry.category for entry in entries):
        members = [entry for entry in entries if entry.category == category]
        flagged = Counter(flag for entry in members for flag in entry.flags)
        out[category] = {
            'photographs': len(members),
            'seen_in_full': sum(not entry.flags for entry in members),
            **{flag: flagged[flag] for flag in FLAGS},
            'models': len({entry.model for entry in members}),
        }
    return out


def _print(path: Path, content: dict) -> None:
    for category, row in content['categories'].items():
        print(f'{category}: ' + ', '.join(f'{count} {name}' for name, count in row.items()))
    missing = ', '.join(f'{len(names)} {kind}' for kind, names in content['missing'].items())
    print(f'{path}: missing {missing}; {len(content["faults"])} files are faulty')
    for fault in content['faults'][:5]:
        print(f'  {fault}')
