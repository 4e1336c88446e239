"""Sampling the clouds of many models: parallel, resumable, the same bytes for any number of processes."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set

import numpy as np
from tqdm import tqdm

from mmfusion_plugin.converters.cloud_axes import turned
from mmfusion_plugin.converters.cloud_sampling import sample_file
from mmfusion_plugin.files import write_bytes, write_text
from mmfusion_plugin.parallel import parallel_map

#: Beside clouds of ours: how they were made, and their digests. Clouds of another content or that it does not name are
#: somebody else's, unpacked before or since, and stay as they are.
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
    contents = {size: _array_file(points[:size]) for size in job.targets}
    # First of all: what an interrupted run leaves behind, new clouds or those of before, is known to be ours.
    made = {}
    for size, path in job.targets.items():
        before = [_digest(path.read_bytes())] if path.is_file() else []
        made[size] = list(dict.fromkeys([_digest(contents[size]), *before]))
    write_text(job.note, json.dumps({**_recipe(recipe, job), 'points': made}) + '\n')
    for size, path in job.targets.items():
        write_bytes(path, contents[size])
    return None


def finished(job: CloudJob, recipe: CloudRecipe) -> bool:
    """Whether the clouds of a job lie there, made by the same recipe from the same file."""
    note = _read(job.note)
    made = _made(note)
    return {key: note.get(key) for key in _recipe(recipe, job)} == _recipe(recipe, job) and all(
        path.is_file() and made.get(size, [])[:1] == [_digest(path.read_bytes())] for size, path in job.targets.items()
    )


def own_sizes(note: Path, place: Callable[[int], Path]) -> Set[int]:
    """Numbers of points of the clouds that are there and ours.

    Args:
        note: What is said of them.
        place: Path of the cloud of so many points.
    """
    return {size for size in _made(_read(note)) if is_own(note, size, place(size))}


def is_own(note: Path, size: int, path: Path) -> bool:
    """Whether a cloud is there as it was sampled: of the content that the note knows."""
    known = _made(_read(note)).get(size)
    return bool(known) and path.is_file() and _digest(path.read_bytes()) in known


def _read(note: Path) -> dict:
    try:
        content = json.loads(note.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _made(note: dict) -> Dict[int, List[str]]:
    """Digests of each cloud by its number of points: the last one made, then one that it was to replace."""
    points = note.get('points')
    if not isinstance(points, dict):
        return {}
    return {int(size): known for size, known in points.items() if size.isdecimal() and isinstance(known, list)}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _array_file(points: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, points)
    return file.getvalue()


def _recipe(recipe: CloudRecipe, job: CloudJob) -> Dict[str, object]:
    return {
        'sampled_by': 'mmfusion_plugin',
        'source': '/'.join(job.source.parts[-3:]),  # wherever the tree lies
        'turn': job.turn,
        **asdict(recipe),
    }
