"""Sampling the clouds of many models: parallel, resumable, the same bytes for any number of processes."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Set

import numpy as np
from tqdm import tqdm

from mmfusion_plugin.converters.cloud_axes import turned
from mmfusion_plugin.converters.cloud_sampling import sample_file
from mmfusion_plugin.files import whole_file, write_text
from mmfusion_plugin.parallel import parallel_map

#: Beside clouds of ours: how they were made. Clouds that it does not name are somebody else's, and stay as they are.
NOTE = 'sampled.json'


@dataclass(frozen=True)
class CloudRecipe:
    """How all clouds are made.

    Attributes:
        normalize: See ``cloud_sampling.NORMALIZE``.
        seed: Of the drawing.
    """

    normalize: str = 'diagonal'
    seed: int = 0


@dataclass(frozen=True)
class CloudJob:
    """The clouds of one model.

    Attributes:
        name: Of the model; with the seed it decides which points are drawn.
        source: Mesh or voxels.
        turn: From the source's axes to those of the clouds, see ``cloud_axes``.
        note: Path of its ``NOTE``.
        targets: Files by number of points; a smaller cloud is the beginning of a larger one.
    """

    name: str
    source: Path
    turn: str
    note: Path
    targets: Dict[int, Path]


class Fault(NamedTuple):
    """A model whose clouds cannot be made, and why."""

    name: str
    reason: str


def sample_clouds(jobs: Sequence[CloudJob], recipe: CloudRecipe, workers: int = 1) -> List[Fault]:
    """Write the clouds of all jobs that are not finished; a damaged source is no end to the others.

    Args:
        jobs: What to write.
        recipe: How.
        workers: Number of processes.

    Returns:
        What could not be sampled, in the order of the jobs.

    Raises:
        ChildProcessError: A process was killed; the next run goes on from the finished models.
    """
    pending = [job for job in jobs if not finished(job, recipe)]
    if len(pending) < len(jobs):
        print(f'{len(jobs) - len(pending)} of {len(jobs)} models have their clouds already')
    done = parallel_map(partial(sample_job, recipe), pending, min(workers, len(pending)))
    bar = tqdm(done, total=len(pending), unit='model', desc='Sampling clouds', disable=None if pending else True)
    return [fault for fault in bar if fault is not None]


def sample_job(recipe: CloudRecipe, job: CloudJob) -> Optional[Fault]:
    """Write the clouds of a model; returns what is wrong with its source."""
    rng = np.random.default_rng([recipe.seed, zlib.crc32(job.name.encode())])
    try:
        points = sample_file(job.source, max(job.targets), rng, recipe.normalize)
    except (OSError, ValueError) as error:
        return Fault(job.name, str(error))
    points = turned(points, job.turn)
    # First of all: what an interrupted run leaves behind is known to be ours.
    write_text(job.note, _note(recipe, job))
    for size, path in job.targets.items():
        with whole_file(path) as partial_file, open(partial_file, 'wb') as file:
            np.save(file, points[:size])
    return None


def finished(job: CloudJob, recipe: CloudRecipe) -> bool:
    """Whether the clouds of a job lie there, made by the same recipe from the same file."""
    return _read(job.note) == json.loads(_note(recipe, job)) and all(path.is_file() for path in job.targets.values())


def own_sizes(note: Path) -> Set[int]:
    """Numbers of points of the clouds beside a note that are ours."""
    points = _read(note).get('points', [])
    return set(points) if isinstance(points, list) and all(isinstance(size, int) for size in points) else set()


def _read(note: Path) -> dict:
    try:
        content = json.loads(note.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _note(recipe: CloudRecipe, job: CloudJob) -> str:
    made = {
        'sampled_by': 'mmfusion_plugin',
        'source': '/'.join(job.source.parts[-3:]),  # wherever the tree lies
        'points': sorted(job.targets),
        'turn': job.turn,
        **asdict(recipe),
    }
    return json.dumps(made) + '\n'
