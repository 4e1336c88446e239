"""A ScanNet made on this machine: generated rooms written in the raw format of ScanNet v2."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Tuple, Union

from tqdm import tqdm

from mmfusion_plugin.converters.scannet_taxonomy import LABEL_TABLE, SPLITS
from mmfusion_plugin.files import write_text
from mmfusion_plugin.synthetic.recording import claim_folder, record_all
from mmfusion_plugin.synthetic.scannet_camera import COLOR_SIZE, DEPTH_SIZE
from mmfusion_plugin.synthetic.scannet_categories import label_table
from mmfusion_plugin.synthetic.scannet_mesh import LONGEST_EDGE
from mmfusion_plugin.synthetic.scannet_room import SCENE_TYPES
from mmfusion_plugin.synthetic.scannet_scene import ScanPlan, record_scan
from mmfusion_plugin.synthetic.scannet_walk import Tracking

# Raised whenever the same seed gives other bytes than before.
GENERATION = 1
STAMP = 'synthetic_scannet.json'
#: Rooms of the official validation split; the other numbers below 707 are training rooms, 707 to 806 test rooms.
#: Source: ``Tasks/Benchmark/scannetv2_val.txt`` of ScanNet.
_VAL_ROOMS = (
    11, 15, 19, 25, 30, 46, 50, 63, 64, 77, 81, 84, 86, 88, 95, 100, 131, 139, 144, 146, 149, 153, 164, 169, 187, 193,
    196, 203, 207, 208, 217, 221, 222, 231, 246, 249, 251, 256, 257, 277, 278, 300, 304, 307, 314, 316, 328, 329, 334,
    338, 342, 343, 351, 353, 354, 355, 356, 357, 377, 378, 382, 389, 406, 412, 414, 423, 426, 427, 430, 432, 435, 441,
    458, 461, 462, 474, 488, 490, 494, 496, 500, 518, 527, 535, 549, 550, 552, 553, 558, 559, 565, 568, 574, 575, 578,
    580, 583, 591, 593, 595, 598, 599, 606, 607, 608, 609, 616, 618, 621, 629, 633, 643, 644, 645, 647, 648, 651, 652,
    653, 655, 658, 660, 663, 664, 665, 670, 671, 678, 684, 685, 686, 689, 690, 693, 695, 696, 697, 699, 700, 701, 702,
    704,
)  # fmt: skip
_ROOMS = {
    'train': tuple(sorted(set(range(707)) - set(_VAL_ROOMS))),
    'val': _VAL_ROOMS,
    'test': tuple(range(707, 807)),
}


def scan_names(split: str, count: int) -> List[str]:
    """Names of the first ``count`` rooms of an official split.

    Raises:
        ValueError: The split has fewer.
    """
    if not 0 <= count <= len(_ROOMS[split]):
        raise ValueError(f'{count} scenes asked of the official {split} split, which has {len(_ROOMS[split])} rooms')
    return [f'scene{number:04d}_00' for number in _ROOMS[split][:count]]


def make_scannet(
    out_dir: Union[str, Path],
    scenes: int = 10,
    frames: int = 30,
    seed: int = 0,
    workers: int = 1,
    val_scenes: Optional[int] = None,
    test_scenes: int = 1,
    tracking: Optional[Tracking] = None,
    depth_noise: float = 1.0,
    color_size: Tuple[int, int] = COLOR_SIZE,
    depth_size: Tuple[int, int] = DEPTH_SIZE,
    mesh_edge: float = LONGEST_EDGE,
    progress: bool = True,
) -> Path:
    """Generates rooms and writes them as ScanNet's raw folders.

    ``scans/<scan>`` (train, val) and ``scans_test/<scan>`` (without labels) hold the files of ``SCAN_FILES``; beside
    them lie ``scannetv2-labels.combined.tsv`` and ``meta_data/scannetv2_<split>.txt``. The same arguments give the same
    bytes for any number of ``workers``. Interrupted, it goes on with the first unfinished scan when called again.

    A room and its mesh do not change with ``frames``, ``tracking`` and ``depth_noise``: worlds of one seed that differ
    in these show the same rooms at other view densities and with other errors.

    Args:
        out_dir: Folder to write; empty, or one that this function has begun with the same settings.
        scenes: Number of training and validation scenes.
        frames: Of each scan, evenly spaced over its walk: the view density.
        seed: Of the whole world.
        workers: Processes; scans are spread over them.
        val_scenes: How many of the scenes are validation scenes; a fifth when None.
        test_scenes: Scenes of the test split, on top.
        tracking: Errors of the poses; their defaults when None.
        depth_noise: Factor on the depth camera's noise; 0 gives exact depth without holes.
        color_size: Width and height of colour and label images.
        depth_size: Width and height of depth images.
        mesh_edge: Longest edge of the meshes (m): twice as long, a quarter of the vertices.
        progress: Show a bar with the time left.

    Returns:
        ``out_dir`` as a path.

    Raises:
        ValueError: Impossible settings.
        FileExistsError: ``out_dir`` holds something else, a world of other settings, or one of an older generator.
        RuntimeError: A worker process was killed; called again, the run goes on.
    """
    if scenes < 1 or frames < 1 or depth_noise < 0 or min(*color_size, *depth_size) < 32 or not 0.01 <= mesh_edge <= 1:
        raise ValueError(
            f'scenes={scenes} and frames={frames} must be at least 1, depth_noise={depth_noise} not negative, the '
            f'images {color_size} and {depth_size} at least 32 pixels wide and high, mesh_edge={mesh_edge} 0.01 to 1 m'
        )
    tracking = Tracking() if tracking is None else tracking
    val = _validation_scenes(scenes, val_scenes)
    counts = (scenes - val, val, test_scenes)
    names = {split: scan_names(split, count) for split, count in zip(SPLITS, counts)}
    plans = [
        ScanPlan(
            name, split, SCENE_TYPES[index % len(SCENE_TYPES)], (seed, SPLITS.index(split), index), frames, tracking,
            depth_noise, tuple(color_size), tuple(depth_size), mesh_edge,
        )
        for split in SPLITS for index, name in enumerate(names[split])
    ]  # fmt: skip
    root = Path(out_dir)
    settings = {
        'generator': 'mmfusion_plugin.synthetic.scannet', 'generation': GENERATION, 'seed': seed,
        'scenes': [plan.name for plan in plans], 'frames': frames, 'pose_noise': tracking.noise,
        'misalign': tracking.misalign, 'lost': tracking.lost, 'depth_noise': depth_noise,
        'color_size': list(color_size), 'depth_size': list(depth_size), 'mesh_edge': mesh_edge,
    }  # fmt: skip
    claim_folder(root, STAMP, STAMP, settings, 'ScanNet')
    write_text(root / LABEL_TABLE, label_table())
    for split in SPLITS:
        write_text(root / 'meta_data' / f'scannetv2_{split}.txt', ''.join(f'{name}\n' for name in names[split]))
    missing = [plan for plan in plans if not plan.finished(root)]
    with tqdm(total=len(plans) * frames, unit='frame', desc='scannet', disable=not progress) as bar:
        bar.update((len(plans) - len(missing)) * frames)
        record_all(record_scan, root, missing, workers, bar)
    return root


def _validation_scenes(scenes: int, asked: Optional[int]) -> int:
    """How many of the scenes are for validation; a fifth where no number is asked."""
    if asked is None:
        return max((scenes + 2) // 5, int(scenes > 1))
    if not 0 <= asked <= scenes:
        raise ValueError(f'val_scenes={asked} must be 0 to {scenes}, the number of scenes that they are among')
    return asked
