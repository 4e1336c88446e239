"""nuScenes to info files: resumable, parallel, the same bytes for any number of workers."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

from tqdm import tqdm

from mmfusion_plugin.files import whole_file, write_text
from mmfusion_plugin.parallel import parallel_map

from .nuscenes_check import check_folder, check_sizes, has_labels, missing_files, require_files
from .nuscenes_infos import sample_info
from .nuscenes_tables import Scene, read_scenes
from .nuscenes_taxonomy import DETECTION_CLASSES, FINE_NAMES, FINE_TO_DETECTION, LIDAR

# Raised whenever the entries change, so that parts of an interrupted older run are not mixed in.
_FORMAT = 2


def create_nuscenes_infos(
    root: Path,
    out_dir: Path,
    version: str = 'v1.0-trainval',
    prefix: str = 'nuscenes',
    max_sweeps: int = 10,
    workers: int = 1,
    labels: bool = True,
    skip_missing_scenes: bool = False,
) -> list[Path]:
    """Write ``{prefix}_infos_{train,val}.json`` or, for the test version, ``{prefix}_infos_test.json``.

    Each file is ``{"metainfo": ..., "data_list": [...]}`` with one sample per line, in the layout of MMDetection3D
    1.4. Scenes follow ``scene.json``, samples their time. An interrupted run leaves finished scenes in a hidden
    folder of ``out_dir``; the next run with the same input and options continues from there.

    Args:
        root: Folder that holds ``samples/``, ``sweeps/``, ``lidarseg/`` and the version's tables.
        out_dir: Where the files go; created when missing.
        version: ``v1.0-trainval``, ``v1.0-mini`` or ``v1.0-test``.
        prefix: Start of the file names.
        max_sweeps: Earlier LiDAR sweeps listed for each sample (detection uses 10, segmentation none).
        workers: Number of processes.
        labels: Convert lidarseg labels; the test version has none in any case.
        skip_missing_scenes: Leave out scenes with missing files instead of stopping.

    Returns:
        The files written.

    Raises:
        FileNotFoundError: A table or file is missing.
        ValueError: A table or file is damaged, or a scene belongs to no official split.
        ChildProcessError: A worker was killed; the next run continues from the finished scenes.
    """
    with_labels = labels and has_labels(version)
    tables = check_folder(root, version, with_labels)
    print(f'Reading the tables in {tables} ...', flush=True)
    scenes = read_scenes(tables, max_sweeps, with_labels)
    missing = missing_files(root, scenes)
    if skip_missing_scenes and missing:
        print(f'Left out {len(missing)} of {len(scenes)} scenes, whose files are missing')
        scenes = [scene for scene in scenes if scene.name not in missing]
    else:
        require_files(root, missing)
    if not scenes:
        raise ValueError(f'{tables} and {root}/samples have no scene in common: nothing to convert')

    out_dir.mkdir(parents=True, exist_ok=True)
    parts = out_dir / f'.{prefix}_{version}_parts'
    _prepare_parts(parts, _fingerprint(tables, max_sweeps, with_labels))
    splits = _official_splits(scenes, version)
    _convert(root, [(scene, parts / f'{scene.name}.jsonl') for split in splits.values() for scene in split], workers)

    written = []
    for split, members in splits.items():
        path = out_dir / f'{prefix}_infos_{split}.json'
        _join(path, _metainfo(version, split, members), [parts / f'{scene.name}.jsonl' for scene in members])
        print(f'{path}: {sum(len(scene.samples) for scene in members)} samples of {len(members)} scenes')
        written.append(path)
    shutil.rmtree(parts)
    return written


def _official_splits(scenes: list[Scene], version: str) -> dict[str, list[Scene]]:
    from nuscenes.utils import splits

    names = {
        'v1.0-trainval': {'train': splits.train, 'val': splits.val},
        'v1.0-mini': {'train': splits.mini_train, 'val': splits.mini_val},
        'v1.0-test': {'test': splits.test},
    }[version]
    split_of = {name: split for split, members in names.items() for name in members}
    strangers = [scene.name for scene in scenes if scene.name not in split_of]
    if strangers:
        raise ValueError(
            f'{len(strangers)} scenes belong to no official split of {version}, such as {strangers[0]!r}: their '
            'names must be those in nuscenes/utils/splits.py'
        )
    return {split: [scene for scene in scenes if split_of[scene.name] == split] for split in names}


def _fingerprint(tables: Path, max_sweeps: int, with_labels: bool) -> str:
    """What the parts depend on: options and the tables' sizes and times."""
    files = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in tables.glob('*.json'))
    key = json.dumps([_FORMAT, str(tables.resolve()), max_sweeps, with_labels, files])
    return hashlib.sha256(key.encode()).hexdigest()


def _prepare_parts(parts: Path, fingerprint: str) -> None:
    """Keep the parts of an interrupted run with the same input and options, remove others."""
    stamp = parts / 'fingerprint'
    if parts.is_dir() and (not stamp.is_file() or stamp.read_text() != fingerprint):
        shutil.rmtree(parts)
    parts.mkdir(exist_ok=True)
    write_text(stamp, fingerprint)


def _convert(root: Path, jobs: list[tuple[Scene, Path]], workers: int) -> None:
    pending = [job for job in jobs if not job[1].is_file()]
    total = sum(len(scene.samples) for scene, _ in jobs)
    done = total - sum(len(scene.samples) for scene, _ in pending)
    if done:
        print(f'{done} of {total} samples are there from an interrupted run')
    # Each scene travels to its worker on its own, so that memory does not grow with the number of workers.
    with tqdm(total=total, initial=done, unit='sample', desc='Converting') as bar:
        for count in parallel_map(partial(_convert_scene, root), pending, min(workers, len(pending))):
            bar.update(count)


def _convert_scene(root: Path, job: tuple[Scene, Path]) -> int:
    """Write one part file, a JSON object per line; return the number of samples."""
    scene, path = job
    with whole_file(path) as partial_file, open(partial_file, 'w', encoding='utf-8') as file:
        for sample in scene.samples:
            check_sizes(root, sample.frames[LIDAR].filename, sample.label_file)
            file.write(json.dumps(sample_info(scene, sample), separators=(',', ':')) + '\n')
    return len(scene.samples)


def _metainfo(version: str, split: str, scenes: list[Scene]) -> dict:
    used = {box.category for scene in scenes for sample in scene.samples for box in sample.annotations}
    categories = {name: label for label, name in enumerate(DETECTION_CLASSES)}
    # Undetected categories carry -1, as in MMDetection3D's own files.
    categories.update({FINE_NAMES[i]: -1 for i in sorted(used) if FINE_TO_DETECTION[i] < 0})
    official = f'mini_{split}' if version == 'v1.0-mini' else split  # the devkit's name, as submissions need it
    return {
        'categories': categories,
        'dataset': 'nuscenes',
        'version': version,
        'split': official,
        'info_version': '1.1',
    }


def _join(path: Path, metainfo: dict, parts: list[Path]) -> None:
    """Number the entries and put them into one file; a part does not know which scenes come before it."""
    with whole_file(path) as partial_file, open(partial_file, 'w', encoding='utf-8') as file:
        file.write(f'{{"metainfo":{json.dumps(metainfo, separators=(",", ":"))},"data_list":[\n')
        index = 0
        for part in parts:
            with open(part, encoding='utf-8') as lines:
                for line in lines:
                    separator = ',\n' if index else ''
                    file.write(f'{separator}{{"sample_idx":{index},{line[1:].rstrip()}')
                    index += 1
        file.write('\n]}\n')
