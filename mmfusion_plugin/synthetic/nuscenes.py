"""A nuScenes world made on this machine: generated streets written in the raw format of nuScenes v1.0."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

import cv2
import numpy as np
from tqdm import tqdm

from mmfusion_plugin.files import write_bytes
from mmfusion_plugin.synthetic.nuscenes_masks import MASK_FILE, join_masks, mask_part_path, record_masks
from mmfusion_plugin.synthetic.nuscenes_scene import ScenePlan, SceneRecorder, part_path
from mmfusion_plugin.synthetic.nuscenes_tables import SCENE_TABLES, fixed_tables, token, write_json
from mmfusion_plugin.synthetic.recording import claim_folder, record_all

VERSIONS = ('v1.0-trainval', 'v1.0-mini', 'v1.0-test')
LOCATIONS = ('singapore-onenorth', 'boston-seaport', 'singapore-queenstown', 'singapore-hollandvillage')
SLOT = 420.0
MAP_RESOLUTION = 0.1
# Raised whenever the same seed gives other bytes than before.
GENERATION = 2


def scene_names(version: str, scenes: int, val_scenes: Optional[int] = None) -> List[str]:
    """Names from the official splits: training scenes first, then validation scenes; test scenes for v1.0-test.

    Raises:
        ValueError: unknown version, or more scenes than the official split has.
    """
    from nuscenes.utils import splits

    if version not in VERSIONS:
        raise ValueError(f'version is {version!r}; choose one of {", ".join(VERSIONS)}')
    if version == 'v1.0-test':
        wanted = [(splits.test, scenes)]
    else:
        val = (scenes + 2) // 5 if val_scenes is None else val_scenes
        val = max(val, 1) if val_scenes is None and scenes > 1 else val
        pools = (splits.mini_train, splits.mini_val) if version == 'v1.0-mini' else (splits.train, splits.val)
        wanted = [(pools[0], scenes - val), (pools[1], val)]
    for pool, count in wanted:
        if not 0 <= count <= len(pool):
            raise ValueError(
                f'{count} scenes asked of an official {version} split that has {len(pool)}; lower --scenes'
            )
    return [name for pool, count in wanted for name in list(pool)[:count]]


def _plans(names: Sequence[str], keyframes: int, seed: int, version: str, sweeps: int) -> List[ScenePlan]:
    plans = []
    for index, name in enumerate(names):
        location = LOCATIONS[index % len(LOCATIONS)]
        slot = index // len(LOCATIONS)
        side = int(np.ceil(np.sqrt((len(names) + len(LOCATIONS) - 1) // len(LOCATIONS))))
        rng = np.random.default_rng([seed, index, 7])
        number = VERSIONS.index(version)
        start = (
            1_530_000_000_000_000 + number * 10**13 + (seed % 1000) * 10**10 + index * 10**8 + int(rng.integers(10**6))
        )
        stamp = time.gmtime(start // 10**6 + 8 * 3600)
        vehicle = 'n008' if 'boston' in location else 'n015'
        x, y = (slot % side + 0.5) * SLOT, (slot // side + 0.5) * SLOT
        plans.append(
            ScenePlan(
                name, index, seed, version, location, f'{vehicle}-{time.strftime("%Y-%m-%d-%H-%M-%S", stamp)}+0800',
                time.strftime('%Y-%m-%d', stamp), start, (x, y, float(rng.uniform(-np.pi, np.pi))), keyframes, sweeps,
                version != 'v1.0-test',
            )
        )  # fmt: skip
    return plans


def _record_scene(root: Path, plan: ScenePlan, advance: Callable[[], None]) -> None:
    SceneRecorder(root, plan, advance).record()


def _map_tables(root: Path, plans: Sequence[ScenePlan], parts: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """One semantic-prior mask per location, 0.1 m a pixel, north up as the devkit reads it."""
    records = []
    for location in LOCATIONS:
        members = [(plan, part) for plan, part in zip(plans, parts) if plan.location == location]
        if not members:
            continue
        side = int(max(max(plan.origin[:2]) for plan, _ in members) / SLOT + 0.5)
        pixels = int(side * SLOT / MAP_RESOLUTION)
        mask = np.zeros((pixels, pixels), dtype=np.uint8)
        for plan, part in members:
            local = cv2.imread(str(part_path(root, plan).with_suffix('.png')), cv2.IMREAD_GRAYSCALE)
            x, y, yaw = plan.origin
            cos, sin = np.cos(yaw), np.sin(yaw)
            ox, oy = part['map_origin']
            step = MAP_RESOLUTION
            shift = np.array([x + cos * ox - sin * oy, y + sin * ox + cos * oy]) / step
            matrix = np.array([[cos, -sin, shift[0]], [-sin, -cos, pixels - shift[1]]])
            warped = cv2.warpAffine(local, matrix, (pixels, pixels), flags=cv2.INTER_NEAREST)
            np.maximum(mask, warped, out=mask)
        name = token('map', plans[0].version, plans[0].seed, location)
        write_bytes(root / 'maps' / f'{name}.png', cv2.imencode('.png', mask)[1].tobytes())
        logs = [part['tables']['log'][0]['token'] for _, part in members]
        records.append(
            {'category': 'semantic_prior', 'token': name, 'filename': f'maps/{name}.png', 'log_tokens': logs}
        )
    return records


def make_nuscenes(
    out_dir: Union[str, Path],
    scenes: int = 10,
    keyframes: int = 20,
    seed: int = 0,
    version: str = 'v1.0-trainval',
    workers: int = 1,
    val_scenes: Optional[int] = None,
    lidar_sweeps: int = 1,
    progress: bool = True,
    masks: bool = False,
) -> Path:
    """Generates street scenes and writes them as a nuScenes folder that ``nuscenes.NuScenes(version, out_dir)`` loads.

    The same arguments give the same bytes for any number of ``workers``. Interrupted, it goes on with the first
    unfinished scene when called again; the tables are written last, so a folder with tables is complete.

    Args:
        out_dir: folder to write; empty, or one that this function has begun with the same settings.
        scenes: number of scenes; their names come from the official splits.
        keyframes: samples per scene, 0.5 s apart.
        seed: of the whole world.
        version: 'v1.0-trainval', 'v1.0-mini' (at most 8 + 2 scenes), or 'v1.0-test' (no annotations, no labels).
        workers: processes; scenes are spread over them.
        val_scenes: how many of the scenes are validation scenes; a fifth when None.
        lidar_sweeps: unlabelled LiDAR sweeps between two keyframes, in ``sweeps/LIDAR_TOP``.
        progress: show a bar with the time left.
        masks: write ``<version>/instance_masks.json`` as well (see ``nuscenes_masks``), for a world that is there
            already, too. All other files are the same with and without.

    Returns:
        ``out_dir`` as a path.

    Raises:
        ValueError: impossible settings.
        FileExistsError: ``out_dir`` holds something else, a world of other settings, or one of an older generator.
        RuntimeError: a worker process was killed; called again, the run goes on.
    """
    if keyframes < 1 or lidar_sweeps < 0 or scenes < 1:
        raise ValueError(
            f'scenes={scenes} and keyframes={keyframes} must be at least 1, lidar_sweeps={lidar_sweeps} at least 0'
        )
    if masks and version == 'v1.0-test':
        raise ValueError('v1.0-test has no annotations, and masks belong to annotated objects: leave out --masks')
    root = Path(out_dir)
    plans = _plans(scene_names(version, scenes, val_scenes), keyframes, seed, version, lidar_sweeps)
    settings = {
        'generator': 'mmfusion_plugin.synthetic.nuscenes', 'generation': GENERATION, 'version': version, 'seed': seed,
        'scenes': [plan.name for plan in plans], 'keyframes': keyframes, 'lidar_sweeps': lidar_sweeps,
    }  # fmt: skip
    claim_folder(root, f'synthetic_{version}.json', 'synthetic_v1.0-*.json', settings, version)
    if not (root / version / 'sample.json').is_file():
        _make_world(root, plans, workers, progress)
    if masks and not (root / version / MASK_FILE).is_file():
        _make_masks(root, plans, workers, progress)
    _remove_parts(part_path(root, plans[0]).parent)
    return root


def _make_world(root: Path, plans: List[ScenePlan], workers: int, progress: bool) -> None:
    """Records what is missing and writes the tables."""
    version = plans[0].version
    missing = [plan for plan in plans if not part_path(root, plan).is_file()]
    _run_with_bar(_record_scene, root, plans, missing, workers, progress)
    parts = [json.loads(part_path(root, plan).read_text()) for plan in plans]
    tables = fixed_tables()
    for name in SCENE_TABLES:
        tables[name] = [record for part in parts for record in part['tables'][name]]
    tables['map'] = _map_tables(root, plans, parts)
    (root / 'lidarseg' / version).mkdir(parents=True, exist_ok=True)
    for name in sorted(tables, key=lambda table: table == 'sample'):
        write_json(root / version / f'{name}.json', tables[name])


def _make_masks(root: Path, plans: List[ScenePlan], workers: int, progress: bool) -> None:
    """Drives through the finished world once more, for the masks alone."""
    missing = [plan for plan in plans if not mask_part_path(root, plan).is_file()]
    _run_with_bar(record_masks, root, plans, missing, workers, progress)
    join_masks(root, plans)


def _run_with_bar(
    record: Callable, root: Path, plans: List[ScenePlan], missing: List[ScenePlan], workers: int, progress: bool
) -> None:
    keyframes, name = plans[0].keyframes, 'masks' if record is record_masks else plans[0].version
    with tqdm(total=len(plans) * keyframes, unit='sample', desc=name, disable=not progress) as bar:
        bar.update((len(plans) - len(missing)) * keyframes)
        record_all(record, root, missing, workers, bar)


def _remove_parts(folder: Path) -> None:
    """Removes the finished scenes' rows once the tables hold them."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()
