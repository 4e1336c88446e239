"""How generated voxels are compared with the true ones: a number means nothing without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from torch import Tensor

from .reconstruction_protocol import EMDS, ReconstructionProtocol
from .reconstruction_scores import EXACT_LIMIT, PVD_THRESHOLD, mean_and_best
from .set_scores import set_scores
from .voxel_scores import SCALES, Voxels, occupied, voxel_cloud, voxel_iou

SET_DISTANCES = ('cd', 'emd')
_SCALED = {'unit_cube': 'each shape scaled to the unit cube', 'grid': 'the grid as the unit cube'}


@dataclass(frozen=True)
class GenerationProtocol:
    """Voxels are compared by IoU, and clouds on their surface by CISP's metrics, which are PVD's.

    CISP does not say how points are drawn from voxels, nor whether mean or best over the samples is printed: the cloud
    is :func:`~mmfusion_plugin.evaluation.voxel_scores.voxel_cloud`, and both are given.

    Attributes:
        emd: ``'exact'`` (at most 2048 points, seconds for so many), ``'sinkhorn'`` or ``'none'``; PVD has an
            approximation on the GPU.
        threshold: Of the F-score, in the unit of the clouds; PVD's, 0.001 of the squared distance, by default.
        occupied: Number above which a voxel is.
        points: On each shape's surface.
        scale: See ``voxel_scores.SCALES``.
        factor: Of all distances; shares are in percent.
        seed: Of the points, and of the choice of shapes for the sets.
        set_distances: By which distances sets are compared: of ``'cd'`` and ``'emd'``.
        set_size: Shapes of each category in these sets, chosen at random where there are more; None takes all. N shapes
            have 2 N^2 - N pairs.

    Raises:
        ValueError: A value is unknown or out of range.
    """

    emd: str = 'exact'
    threshold: float = PVD_THRESHOLD
    occupied: float = 0.5
    points: int = 2048
    scale: str = 'unit_cube'
    factor: float = 100.0
    seed: int = 0
    set_distances: Tuple[str, ...] = ('cd',)
    set_size: Optional[int] = 100

    def __post_init__(self) -> None:
        for name, values in (('emd', EMDS), ('scale', SCALES)):
            if getattr(self, name) not in values:
                raise ValueError(f'{name} must be one of {values}, got {getattr(self, name)!r}')
        if not (self.threshold > 0 and self.factor > 0 and self.points > 0):
            raise ValueError('need threshold, factor and points greater than 0, got '
                             f'{self.threshold}, {self.factor} and {self.points}')
        if self.emd == 'exact' and self.points > EXACT_LIMIT:
            raise ValueError(f"points must be at most {EXACT_LIMIT} for emd='exact', got {self.points}: take fewer, or "
                             "emd='sinkhorn'")  # fmt: skip
        if self.set_size is not None and self.set_size < 2:
            raise ValueError(f'set_size must be at least 2, or None for all shapes, got {self.set_size}')
        if not set(self.set_distances) <= set(SET_DISTANCES) or ('emd' in self.set_distances and self.emd == 'none'):
            raise ValueError(f"set_distances must be of {SET_DISTANCES}, 'emd' only where emd is not 'none', got "
                             f'{tuple(self.set_distances)} with emd={self.emd!r}')

    @property
    def _pairs(self) -> ReconstructionProtocol:
        """How two clouds are compared."""
        return ReconstructionProtocol(self.emd, squared=True, threshold=self.threshold, factor=self.factor)

    def cloud(self, voxels: Voxels) -> Tensor:
        """The shape's cloud (points, 3) float32; the centre alone, repeated, where there is no voxel."""
        return voxel_cloud(voxels, self.points, self.scale, self.seed, self.occupied)

    def score(self, prediction: Voxels, target: Voxels) -> Dict[str, float]:
        """Scores of samples for one image.

        Args:
            prediction: (K, R, R, R), K > 0, bool or numbers; a sample without any voxel has an IoU and an F-score of 0,
                and its distances are the centre's.
            target: (R, R, R) with at least one voxel.

        Returns:
            ``iou``, ``cd``, ``emd`` (unless ``'none'``) and ``f_score``, each ``*_mean`` and ``*_best``, and ``empty``,
            the share of samples without any voxel; shares in percent.

        Raises:
            ValueError: The shapes do not fit, a number is not finite, or the target is empty.
        """
        found, truth = occupied(prediction, self.occupied), occupied(target, self.occupied)
        if found.dim() != 4 or truth.dim() != 3 or not len(found) or not bool(truth.any()):
            raise ValueError('need predictions (K, R, R, R), K at least 1, and a truth (R, R, R) with at least one '
                             f'occupied voxel, got {tuple(found.shape)} and {tuple(truth.shape)}, {int(truth.sum())} '
                             'of it occupied')
        overlaps, true_cloud, each = voxel_iou(found, truth).tolist(), self.cloud(truth), []
        for sample, overlap in zip(found, overlaps):
            scores = dict(iou=100 * overlap, **self._pairs.score(self.cloud(sample), true_cloud))
            each.append(scores if bool(sample.any()) else dict(scores, f_score=0.0))
        empty = float((~found.flatten(1).any(dim=1)).double().mean())
        return dict(**mean_and_best(each), empty=100 * empty)

    def score_sets(self, samples: Tensor, references: Tensor) -> Dict[str, list]:
        """1-NNA, COV and MMD of generated clouds, one value per shape: their means are the scores.

        Args:
            samples: (N, points, 3) of :meth:`cloud`.
            references: (N, points, 3).

        Returns:
            ``nna_cd``, ``cov_cd`` (percent), ``mmd_cd`` and the same by EMD, N numbers each, as far as they are asked
            for; None for 1-NNA where N is 1.
        """
        columns: Dict[str, list] = {}
        for distance in self.set_distances:
            scores = set_scores(samples, references, 'cd' if distance == 'cd' else self.emd)
            for name in ('nna', 'cov', 'mmd'):
                factor = self.factor if name == 'mmd' else 100
                columns[f'{name}_{distance}'] = (factor * scores[name]).tolist() if name in scores else [None]
        return columns

    def describe(self, drawn: str, sets: str) -> str:
        """One line that belongs under each table.

        Args:
            drawn: How many samples there are per image.
            sets: How many shapes the sets have.
        """
        parts = [f'{drawn} generated per image, occupied above {self.occupied:g}; IoU in %',
                 f"{self.points} points on the voxels' outer faces (random, seed {self.seed})",
                 _SCALED[self.scale], self._pairs.describe_scores()]  # fmt: skip
        if self.set_distances:
            names = ' and '.join(name.upper() for name in self.set_distances)
            parts.append(f'1-NNA (50 is ideal) and COV in %, MMD x{self.factor:g}, by {names}: the first shape '
                         f'generated for each model against the true ones of its category, {sets} of each')
        return '; '.join(parts)
