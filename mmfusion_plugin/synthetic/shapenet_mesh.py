"""Meshes from anywhere in the generator's terms: triangles with colours, in ShapeNet's pose and size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfusion_plugin.converters.cloud_axes import turned, unit_diagonal
from mmfusion_plugin.converters.cloud_sampling import MESH_SUFFIXES
from mmfusion_plugin.synthetic.materials import PLAIN
from mmfusion_plugin.synthetic.meshes import Mesh, build, merge

#: Directions in a mesh's file.
DIRECTIONS = ('+x', '-x', '+y', '-y', '+z', '-z')
# RGB of faces without a colour, and what no channel falls below: readers that drop alpha see a black ground.
_PLAIN_COLOUR, _DARKEST = (0.72, 0.7, 0.66), 0.12
# RGB 0..255 that trimesh gives to faces without a colour, and to those whose material is not there.
_UNKNOWN = ((102, 102, 102), (100, 100, 100))


def upright_turn(up: str, front: str) -> str:
    """The turn to ShapeNet's pose, y up and x forward, see ``converters/cloud_axes.py``.

    Args:
        up: Of ``DIRECTIONS``: where the top of the mesh is.
        front: The same: where its front is.

    Raises:
        ValueError: A direction is none of these, or both are on one axis.
    """
    for name, direction in (('up', up), ('front', front)):
        if direction not in DIRECTIONS:
            raise ValueError(f'{name} must be one of {", ".join(DIRECTIONS)}, got {direction!r}')
    if up[1] == front[1]:
        raise ValueError(f'up={up} and front={front} lie on one axis: a front is at right angles to the top')
    unit = dict(zip('xyz', np.eye(3)))
    side = np.cross(*((1 if direction[0] == '+' else -1) * unit[direction[1]] for direction in (front, up)))
    axis = int(np.abs(side).argmax())
    return ','.join(text.lstrip('+') for text in (front, up, f'{"-" if side[axis] < 0 else "+"}{"xyz"[axis]}'))


def read_mesh(path: Path) -> Mesh:
    """Reads the triangles of a file and their colours, which are of faces, vertices, materials or textures.

    Args:
        path: See ``MESH_SUFFIXES``. Materials and textures that a file names are read from its folder, if they are
            there.

    Returns:
        In the file's frame and units; triangles share no vertices.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: It is no readable mesh, or has no triangle.
    """
    import trimesh  # takes most of a second, and comes with MMDetection3D

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found')
    if path.suffix.lower() not in MESH_SUFFIXES:
        raise ValueError(f'{path} is no mesh: need one of {", ".join(MESH_SUFFIXES)}')
    try:
        scene = trimesh.load(path, force='scene', process=False)
        parts = [_triangles(part) for part in scene.dump() if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    except Exception as error:  # its readers raise whatever they meet
        raise ValueError(f'{path} is no readable mesh ({type(error).__name__}: {error})') from error
    if not parts or not all(np.isfinite(part.vertices).all() for part in parts):
        raise ValueError(f'{path} has no faces, or coordinates that are no numbers')
    return merge(parts)


def shapenet_pose(mesh: Mesh, turn: str = 'x,y,z') -> Mesh:
    """A mesh turned, its bounding box centred on the origin with a diagonal of 1, as ``shapenet_shape.Shape`` has it.

    ``shapenet_camera.Studio`` takes pictures of it.
    """
    vertices = turned(unit_diagonal(mesh.vertices, *mesh.bounds), turn)
    return Mesh(vertices, mesh.faces, mesh.material, mesh.colour, mesh.label)


def _triangles(part: object) -> Mesh:
    """A part of trimesh's scene."""
    corners = np.asarray(part.triangles, dtype=np.float64).reshape(-1, 3)
    mesh = build(corners, np.arange(len(corners)).reshape(-1, 3), PLAIN, _PLAIN_COLOUR)
    mesh.colour = _colours(part)
    return mesh


def _colours(part: object) -> np.ndarray:
    """``(F, 3)`` float32 RGB 0..1 of its faces."""
    visual = part.visual
    if visual.kind == 'texture' and visual.uv is None:
        colours = np.tile(np.asarray(visual.material.main_color, dtype=np.float64)[:3], (len(part.faces), 1))
    elif visual.kind == 'texture':
        colours = np.asarray(visual.to_color().vertex_colors)[np.asarray(part.faces), :3].mean(axis=1)
    else:
        colours = np.asarray(visual.face_colors, dtype=np.float64)[:, :3]
    unknown = (colours[:, None] == np.array(_UNKNOWN)).all(axis=2).any(axis=1)
    return np.where(unknown[:, None], _PLAIN_COLOUR, colours / 255).clip(_DARKEST, 1).astype(np.float32)
