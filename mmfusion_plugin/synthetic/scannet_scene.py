"""One scan: a room, a walk through it, and the raw files that come of it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Tuple

import numpy as np

from mmfusion_plugin.converters.scannet_taxonomy import SCAN_FILES
from mmfusion_plugin.converters.sens import SensHeader, SensWriter
from mmfusion_plugin.synthetic.scannet_camera import COLOR_SIZE, DEPTH_SIZE, RoomCamera, careless
from mmfusion_plugin.synthetic.scannet_files import (
    label_zip,
    write_aggregation,
    write_mesh,
    write_parameters,
    write_segments,
)
from mmfusion_plugin.synthetic.scannet_mesh import LONGEST_EDGE, fuse, groups
from mmfusion_plugin.synthetic.scannet_room import furnished_room
from mmfusion_plugin.synthetic.scannet_walk import Tracking, Walk, rotation

# The mesh is fused from this many poses of the walk, whatever the number of frames that are kept.
FUSED_POSES = 80
WALK_SECONDS = 60.0
# Kept in the files as in the release, where images are aligned already: nothing may apply it.
_COLOR_TO_DEPTH = np.eye(4)
_COLOR_TO_DEPTH[:3, :3] = rotation(np.array([0.004, -0.003, -0.007]))
_COLOR_TO_DEPTH[:3, 3] = -0.037886, -0.003399, -0.021437


@dataclass(frozen=True)
class ScanPlan:
    """What to record.

    Attributes:
        name: Of the scan, as 'scene0000_00'.
        split: 'train', 'val' or 'test'; test scans have no labels.
        scene_type: Of ``scannet_room.SCENE_TYPES``.
        key: Seed, number of the split, and number in it: what all randomness of the scan comes from.
        frames: In the ``.sens`` file, evenly spaced over the walk.
        tracking: Errors of the reported poses.
        depth_noise: Factor on the sensor's noise.
        color_size: Width and height of colour and label images.
        depth_size: Width and height of depth images.
        mesh_edge: Longest edge of the mesh (m).
    """

    name: str
    split: str
    scene_type: str
    key: Tuple[int, int, int]
    frames: int
    tracking: Tracking
    depth_noise: float = 1.0
    color_size: Tuple[int, int] = COLOR_SIZE
    depth_size: Tuple[int, int] = DEPTH_SIZE
    mesh_edge: float = LONGEST_EDGE

    def rng(self, purpose: int) -> np.random.Generator:
        """Its own stream for each purpose: more frames or noise leave the room as it is."""
        return np.random.default_rng([*self.key, purpose])

    def folder(self, root: Path) -> Path:
        """Where its files go."""
        return root / ('scans_test' if self.split == 'test' else 'scans') / self.name

    def paths(self, root: Path) -> Dict[str, Path]:
        """Its files by kind, as in ``SCAN_FILES``."""
        return {kind: self.folder(root) / name.format(scan=self.name) for kind, name in SCAN_FILES.items()}

    def finished(self, root: Path) -> bool:
        """Whether the scan is complete: its parameters are written last."""
        return self.paths(root)['info'].is_file()


def record_scan(root: Path, plan: ScanPlan, advance: Callable[[], None]) -> None:
    """Records a scan.

    Args:
        root: Folder of the world.
        plan: What to record.
        advance: Called after each frame.
    """
    room = furnished_room(plan.rng(0), plan.scene_type)
    walk = Walk(room, plan.rng(1))
    camera = RoomCamera(room, plan.color_size, plan.depth_size, plan.depth_noise)
    aligned = _scan_to_room(plan)
    paths, labelled = plan.paths(root), plan.split != 'test'
    _write_mesh(plan, camera, walk, aligned, paths, labelled)
    _write_frames(plan, camera, walk, aligned, paths, labelled, advance)
    write_parameters(paths['info'], _parameters(plan, camera, aligned, labelled))


def _scan_to_room(plan: ScanPlan) -> np.ndarray:
    """``(4, 4)`` axis alignment: scans start at any heading and place."""
    rng = plan.rng(3)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(np.array([0.0, 0.0, rng.uniform(-np.pi, np.pi)]))
    matrix[:3, 3] = *rng.uniform(-6, -1, 2), rng.uniform(-0.1, 0.0)
    # As precise as the text of the parameters, which readers take it from.
    return np.round(matrix, 6)


def _write_mesh(
    plan: ScanPlan, camera: RoomCamera, walk: Walk, aligned: np.ndarray, paths: Dict[str, Path], labelled: bool
) -> None:
    poses = [walk.pose((i + 0.5) / FUSED_POSES) for i in range(FUSED_POSES)]
    mesh = fuse(camera, poses, plan.rng(4), plan.mesh_edge)
    points = (mesh.points - aligned[:3, 3]) @ np.linalg.inv(aligned[:3, :3]).T
    write_mesh(paths['mesh'], points, mesh.colors, mesh.faces)
    if labelled:
        write_segments(paths['segments'], plan.name, mesh.segments)
        categories = [actor.category for actor in camera.room.actors]
        write_aggregation(paths['aggregation'], plan.name, groups(mesh, categories, plan.rng(5)))


def _write_frames(
    plan: ScanPlan, camera: RoomCamera, walk: Walk, aligned: np.ndarray, paths: Dict[str, Path], labelled: bool,
    advance: Callable[[], None],
) -> None:
    times = (np.arange(plan.frames) + 0.5) / plan.frames
    poses = np.array([walk.pose(time) for time in times])
    reported = plan.tracking.report(poses, plan.rng(2))
    to_scan = np.linalg.inv(aligned)
    header = SensHeader(
        plan.color_size, plan.depth_size, _matrix(camera.color_lens), _matrix(camera.depth_lens),
        extrinsic_color=_COLOR_TO_DEPTH.astype(np.float32),
    )  # fmt: skip
    with ExitStack() as stack:
        sens = stack.enter_context(SensWriter(paths['sens'], header))
        zips = [stack.enter_context(label_zip(paths[kind], kind)) for kind in ('label', 'label-filt') if labelled]
        for frame, (time, pose, told) in enumerate(zip(times, poses, reported)):
            view = camera.view(pose, plan.rng(1000 + frame))
            lost = not np.isfinite(told).all()
            stamp = int(time * WALK_SECONDS * 1e6)
            sens.write(told if lost else to_scan @ told, view.color, view.depth, stamp, stamp)
            if labelled:
                zips[0](frame, careless(view.label, plan.rng(1_000_000 + frame)))
                zips[1](frame, view.label)
            advance()


def _matrix(lens: np.ndarray) -> np.ndarray:
    matrix = np.eye(4, dtype=np.float32)
    matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2] = lens
    return matrix


def _parameters(plan: ScanPlan, camera: RoomCamera, aligned: np.ndarray, labelled: bool) -> Dict[str, object]:
    """Content of ``<scan>.txt``; scans of the test split have no axis alignment."""
    content: Dict[str, object] = {
        'colorToDepthExtrinsics': _COLOR_TO_DEPTH, 'numIMUmeasurements': 0, 'sceneType': plan.scene_type,
        'numColorFrames': plan.frames, 'numDepthFrames': plan.frames,
    }  # fmt: skip
    for kind, size, lens in (('color', plan.color_size, camera.color_lens),
                             ('depth', plan.depth_size, camera.depth_lens)):  # fmt: skip
        content[f'{kind}Width'], content[f'{kind}Height'] = size
        for name, value in zip(('fx', 'fy', 'mx', 'my'), lens):
            content[f'{name}_{kind}'] = f'{value:f}'
    if labelled:
        content['axisAlignment'] = aligned
    return content
