"""Where the files of ShapeNet's models lie, as 3D-R2N2 and 3D-LMNet publish them, and what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from mmfusion_plugin.converters.shapenet_splits import ModelKey

RENDERINGS, CLOUDS, VOXELS = 'ShapeNetRendering', 'ShapeNet_pointclouds', 'ShapeNetVox32'
#: Pictures of each model in 3D-R2N2's renderings.
NUM_VIEWS = 24
#: Columns of ``rendering_metadata.txt``: degrees, degrees, degrees, share of the farthest distance (1.75), degrees.
VIEWPOINT_COLUMNS = ('azimuth', 'elevation', 'in-plane rotation', 'distance ratio', 'field of view')


@dataclass(frozen=True)
class ShapeNetTree:
    """Folders of the three kinds of files, each with ``<synset>/<id>`` below.

    Attributes:
        renderings: 3D-R2N2's ``ShapeNetRendering``.
        clouds: 3D-LMNet's ``ShapeNet_pointclouds``.
        voxels: 3D-R2N2's ``ShapeNetVox32``.
    """

    renderings: Path
    clouds: Path
    voxels: Path

    @classmethod
    def below(cls, root: Path) -> ShapeNetTree:
        """The folders by their published names."""
        return cls(root / RENDERINGS, root / CLOUDS, root / VOXELS)

    def picture(self, model: ModelKey, view: int) -> Path:
        """Picture of a view, 137 x 137 RGBA."""
        return self.renderings / model.synset / model.model_id / 'rendering' / f'{view:02d}.png'

    def viewpoints(self, model: ModelKey) -> Path:
        """Where the pictures were taken from."""
        return self.renderings / model.synset / model.model_id / 'rendering' / 'rendering_metadata.txt'

    def cloud(self, model: ModelKey, size: int) -> Path:
        """Cloud of ``size`` points."""
        return self.clouds / model.synset / model.model_id / f'pointcloud_{size}.npy'

    def binvox(self, model: ModelKey) -> Path:
        """Voxels, 32^3."""
        return self.voxels / model.synset / model.model_id / 'model.binvox'


def read_viewpoints(path: Path) -> np.ndarray:
    """``(V, 5)`` float64 of ``rendering_metadata.txt``, see ``VIEWPOINT_COLUMNS``.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: A line does not hold five finite numbers, or there is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found: unpack the renderings again')
    rows = []
    for number, line in enumerate(path.read_text(encoding='utf-8', errors='replace').splitlines(), 1):
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if not line.strip():
            continue
        if len(row) != len(VIEWPOINT_COLUMNS) or not np.isfinite(row).all():
            raise ValueError(f'{path}, line {number}: need {", ".join(VIEWPOINT_COLUMNS)}, got {line[:80]!r}')
        rows.append(row)
    if not rows:
        raise ValueError(f'{path} is empty: unpack the renderings again')
    return np.array(rows)


def read_cloud(path: Path, size: Optional[int] = None) -> np.ndarray:
    """``(N, 3)`` float32 points of a ``.npy`` file.

    Args:
        path: Of the file.
        size: Number of points that it must have; any number, but none at all, when None.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: It is no complete array of ``(size, 3)`` finite numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found: download the clouds, or sample them (tools/create_data.py)')
    try:
        points = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f'{path} is no complete array file ({error}): download or sample it again') from error
    wanted = f'({size or "N"}, 3)'
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or (size is not None and len(points) != size):
        raise ValueError(f'{path} must hold an array {wanted}, got {points.shape}: download or sample it again')
    if points.dtype.kind not in 'fiu' or not np.isfinite(points).all():
        raise ValueError(f'{path} holds {points.dtype} values that are not all finite numbers: sample it again')
    return points.astype(np.float32)
