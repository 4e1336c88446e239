"""True shapes beside pictures: where they are, and their points."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

import numpy as np

from mmfusion_plugin.converters.cloud_axes import turn_matrix, turned
from mmfusion_plugin.converters.cloud_sampling import MESH_SUFFIXES, sample_file
from mmfusion_plugin.converters.shapenet_files import read_cloud
from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.photographs import Photograph

#: Clouds, meshes and voxels; where a folder has several of one name, the first counts.
SUFFIXES = ('.npy', *MESH_SUFFIXES, '.binvox', '.mat')


class TrueShapes:
    """Finds and reads the true shapes of pictures.

    Clouds are taken as they are; meshes and voxels are sampled, and by default brought to ShapeNet's place and size:
    the bounding box centred, with a diagonal of 1.

    Args:
        given: A file, for a single picture, or a folder in the structure of the pictures', in which ``NAME.npy`` or
            ``NAME.obj`` is the shape in ``NAME.png``; None has none.
        turn: To the frame of the model's clouds, see ``converters/cloud_axes.py``.
        normalize: Of meshes and voxels: ``'diagonal'`` or ``'none'``.

    Raises:
        FileNotFoundError: ``given`` does not exist.
        ValueError: It is a file of another kind, or the turn is none.
    """

    def __init__(self, given: Optional[Path] = None, turn: str = 'stored', normalize: str = 'diagonal') -> None:
        if given is not None and not given.exists():
            raise FileNotFoundError(f'there is no true shape {given}')
        if given is not None and given.is_file() and given.suffix.lower() not in SUFFIXES:
            raise ValueError(f'{given} is no shape: need one of {", ".join(SUFFIXES)}')
        turn_matrix(turn)  # a wrong one is an error here, not at the first picture
        self.given, self.turn, self.normalize = given, turn, normalize

    def find(self, photo: Photograph) -> Optional[Path]:
        """File of the true shape of a picture; None where none is looked for.

        Raises:
            CorruptDataError: There is none in the folder.
        """
        if self.given is None or self.given.is_file():
            return self.given
        paths = [photo.beside(self.given, suffix) for suffix in SUFFIXES]
        found = next((path for path in paths if path.is_file()), None)
        if found is None:
            raise CorruptDataError(f'{photo.path} has no true shape in {self.given}: need {photo.name} with one of '
                                   f'{", ".join(SUFFIXES)}')  # fmt: skip
        return found

    def keep_from(self, photos: Sequence[Photograph], out_dir: Path, suffixes: Sequence[str]) -> None:
        """Refuse results that would lie over a true shape, or be taken for one by the next run.

        Args:
            photos: The pictures.
            out_dir: Where their results go.
            suffixes: Of the results of each.

        Raises:
            ValueError: A result has the path of a true shape.
        """
        results = {photo.beside(out_dir, suffix).resolve() for photo in photos for suffix in suffixes}
        for path in self._places(photos):
            if path.resolve() in results:
                raise ValueError(f'{path} is the place of a true shape (--truth), and a reconstruction would be '
                                 'written over it: choose another --out')  # fmt: skip

    def _places(self, photos: Sequence[Photograph]) -> Sequence[Path]:
        """Where true shapes are, or are looked for."""
        if self.given is None or self.given.is_file():
            return [self.given] if self.given else []
        return [photo.beside(self.given, suffix) for photo in photos for suffix in SUFFIXES]

    def read(self, path: Path, count: int, seed: int = 0) -> np.ndarray:
        """Points of a shape.

        Args:
            path: Of the file.
            count: Number of points to sample of a mesh or of voxels; clouds have as many as they have.
            seed: Of the sampling.

        Returns:
            ``(M, 3)`` float32 in the model's frame.

        Raises:
            CorruptDataError: The file is missing, damaged or has no surface.
        """
        try:
            points = _cloud(path)
            if points is None:
                points = sample_file(path, count, np.random.default_rng(seed), self.normalize)
        except (OSError, ValueError) as error:
            raise CorruptDataError(str(error)) from error
        return turned(points, self.turn)


def _cloud(path: Path) -> Optional[np.ndarray]:
    """Points of an array, or of a PLY file without faces; None for what has a surface."""
    if path.suffix.lower() == '.npy':
        return read_cloud(path)
    if path.suffix.lower() != '.ply':
        return None
    import trimesh  # takes most of a second, and comes with MMDetection3D

    try:
        loaded = trimesh.load(path, process=False)
    except Exception as error:  # its readers raise whatever they meet
        raise ValueError(f'{path} is no readable PLY file ({type(error).__name__}: {error})') from error
    if not isinstance(loaded, trimesh.PointCloud):
        return None
    points = np.asarray(loaded.vertices, dtype=np.float32)
    if not len(points) or not np.isfinite(points).all():
        raise ValueError(f'{path} has no points, or coordinates that are no numbers')
    return points
