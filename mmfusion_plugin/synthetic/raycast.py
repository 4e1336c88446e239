"""First hits of rays with a world at one moment: a fixed scene, built once, and the moving actors, built per moment."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Tuple

import numpy as np

from mmfusion_plugin.synthetic.world import World

SKY = -1
_STARTED = False


def started() -> bool:
    """Whether this process has used Embree, whose threads do not survive a fork."""
    return _STARTED


class Triangles(NamedTuple):
    """Per-triangle tables of a moment, fixed triangles first: ``corner``, ``edge1``, ``edge2``, ``normal`` (T, 3)
    float32 in the scene's frame; ``material`` uint8, ``colour (T, 3)`` float32, ``label`` uint8 (fine category),
    ``instance`` int32 (actor number, -1 for surroundings), ``seed`` float32, ``owner`` int32 row of ``poses``.
    ``poses (P, 4)`` float32 holds x, y, cos, sin of each actor, the last row being the identity."""

    corner: np.ndarray
    edge1: np.ndarray
    edge2: np.ndarray
    normal: np.ndarray
    material: np.ndarray
    colour: np.ndarray
    label: np.ndarray
    instance: np.ndarray
    seed: np.ndarray
    owner: np.ndarray
    poses: np.ndarray


def _tables(corners: np.ndarray) -> Tuple[np.ndarray, ...]:
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(edge1, edge2)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    return (
        corners[:, 0].astype(np.float32),
        edge1.astype(np.float32),
        edge2.astype(np.float32),
        normal.astype(np.float32),
    )


class RayCaster:
    """Casts rays into one ``World``. Embree starts on first use, so that forked workers each start their own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._parked = [i for i, actor in enumerate(world.actors) if actor.speed == 0.0]
        self._moving = [i for i, actor in enumerate(world.actors) if actor.speed != 0.0]
        fixed = self._gather(self._parked, 0.0)
        static = world.static
        corners = np.concatenate([static.vertices[static.faces], fixed['corners']])
        background = len(static.faces)
        self._fixed: Dict[str, np.ndarray] = {
            'corners': corners,
            'material': np.concatenate([static.material, fixed['material']]),
            'colour': np.concatenate([static.colour, fixed['colour']]),
            'label': np.concatenate([static.label, fixed['label']]),
            'instance': np.concatenate([np.full(background, -1, dtype=np.int32), fixed['instance']]),
            'seed': np.concatenate([world.seeds, fixed['seed']]),
        }
        self._fixed_tables = _tables(corners)
        self._fixed_scene = _embree_scene(corners)
        moving = self._gather(self._moving, 0.0)
        names = [name for name in moving if name != 'corners']
        # All of a triangle but its place stays the same for the whole scene.
        both = {name: np.concatenate([self._fixed[name], moving[name]]) for name in names}
        both['owner'] = np.where(both['instance'] < 0, len(world.actors), both['instance']).astype(np.int32)
        self._lasting = both
        self.time = np.nan
        self._eye: Optional[bytes] = None
        self.set_time(0.0)

    def _gather(self, indices: list, time: float) -> Dict[str, np.ndarray]:
        actors = self.world.actors
        parts: Dict[str, list] = {name: [] for name in ('corners', 'material', 'colour', 'label', 'instance', 'seed')}
        for i in indices:
            mesh = actors[i].mesh
            x, y, z, yaw = actors[i].pose(time)
            count = len(mesh.faces)
            parts['corners'].append(mesh.moved(x, y, z, yaw).vertices[mesh.faces])
            parts['material'].append(mesh.material)
            parts['colour'].append(mesh.colour)
            parts['label'].append(mesh.label)
            parts['instance'].append(np.full(count, i, dtype=np.int32))
            parts['seed'].append(np.full(count, (i * 0.6180339887) % 1.0, dtype=np.float32))
        empty = {
            'corners': np.zeros((0, 3, 3)),
            'material': np.zeros(0, np.uint8),
            'colour': np.zeros((0, 3), np.float32),
            'label': np.zeros(0, np.uint8),
            'instance': np.zeros(0, np.int32),
            'seed': np.zeros(0, np.float32),
        }
        return {name: np.concatenate(rows) if rows else empty[name] for name, rows in parts.items()}

    def set_time(self, time: float, eye: Optional[np.ndarray] = None) -> None:
        """Puts the moving actors where they are at ``time`` seconds.

        Args:
            time: seconds since the start of the scene.
            eye: (4, 4) camera-to-scene pose; given, rays meet only moving actors in that camera's view and the 15 m
                about it, whose shadows may fall into it, and the rest costs nothing.
        """
        view = None if eye is None else eye.tobytes()
        if time == self.time and view == self._eye:
            return
        self.time, self._eye = time, view
        moving = self._gather(self._moving, time)
        kept = np.arange(len(moving['corners']))
        if eye is not None:
            place = np.array([self.world.actors[i].pose(time)[:3] for i in self._moving]).reshape(-1, 3)
            across, _, ahead = ((place - eye[:3, 3]) @ eye[:3, :3]).T
            seen = np.zeros(len(self.world.actors), dtype=bool)
            seen[self._moving] = (ahead > -15.0) & (np.abs(across) < np.maximum(ahead, 0.0) + 15.0)
            kept = np.flatnonzero(seen[moving['instance']])
        self._moving_rows = (kept + len(self._fixed['material'])).astype(np.int32)
        self._moving_scene = _embree_scene(moving['corners'][kept]) if len(kept) else None
        geometry = [np.concatenate(pair) for pair in zip(self._fixed_tables, _tables(moving['corners']))]
        poses = [(*actor.pose(time)[:2], np.cos(actor.yaw), np.sin(actor.yaw)) for actor in self.world.actors]
        poses.append((0.0, 0.0, 1.0, 0.0))
        self.triangles = Triangles(*geometry, **self._lasting, poses=np.array(poses, dtype=np.float32))

    def first_hit(self, origins: np.ndarray, directions: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Rows of ``triangles`` hit first (int32, ``SKY`` where none) and distances (float32, in units of the
        direction's length, inf where none) for rays (R, 3) float32."""
        row = self._fixed_scene.run(origins, directions)
        distance = self._distance(row, origins, directions)
        if self._moving_scene is not None:
            limit = np.minimum(distance, np.float32(1e30))
            other = self._moving_scene.run(origins, directions, limit)
            nearer = np.flatnonzero(other >= 0)
            row[nearer] = self._moving_rows[other[nearer]]
            distance[nearer] = self._distance(row[nearer], origins[nearer], directions[nearer])
        return row, distance

    def _distance(self, row: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Distances along rays to the planes of the triangles that they meet: cheaper than Embree's own long answer."""
        met = np.maximum(row, 0)
        normal = self.triangles.normal[met]
        way = np.einsum('ij,ij->i', normal, self.triangles.corner[met] - origins)
        slope = np.einsum('ij,ij->i', normal, directions)
        with np.errstate(divide='ignore', invalid='ignore'):
            distance = np.where(row < 0, np.float32(np.inf), way / slope)
        return np.where(np.isfinite(distance) | (row < 0), distance, np.float32(0.0)).astype(np.float32)

    def occluded(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Whether anything lies on each ray (R, 3) float32."""
        blocked = self._fixed_scene.run(origins, directions, query='OCCLUDED') >= 0
        if self._moving_scene is not None:
            blocked |= self._moving_scene.run(origins, directions, query='OCCLUDED') >= 0
        return blocked


def _embree_scene(corners: np.ndarray) -> object:
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    global _STARTED
    _STARTED = True
    scene = EmbreeScene()
    faces = np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3)
    TriangleMesh(scene, np.ascontiguousarray(corners.reshape(-1, 3), dtype=np.float32), faces)
    return scene
