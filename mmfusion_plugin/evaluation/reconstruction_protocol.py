"""What is done to two clouds before they are compared, and how they are: a number means nothing without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor

from mmfusion_plugin.ops.icp import ALIGNMENTS, align

from .reconstruction_scores import PVD_THRESHOLD, chamfer, checked_pair, earth_mover, f_score, unit_cube

SCALES = ('none', 'unit_cube')
EMDS = ('exact', 'sinkhorn', 'none')
_SCALED = {'none': 'not scaled', 'unit_cube': 'each cloud scaled to the unit cube'}
_ALIGNED = {'none': 'not aligned', 'icp': 'aligned by ICP', 'icp_legacy': "ICP with the released codes' wrong inverse"}
_EMD = {'exact': 'exact assignment', 'sinkhorn': 'Sinkhorn, p = 1, blur 0.005'}


@dataclass(frozen=True)
class ReconstructionProtocol:
    """Scale, then subsample, then align, then compare: the order of 3D-LMNet's evaluation.

    3D-ReConstNet: ``align='icp_legacy'``. 3D-LMNet: that, ``scale='unit_cube'`` and ``points=1024``. Both print
    distances, not squared, times 100.

    Attributes:
        emd: ``'exact'``, ``'sinkhorn'`` (see :func:`~mmfusion_plugin.evaluation.reconstruction_scores.earth_mover`) or
            ``'none'``.
        squared: Chamfer distance of d^2 rather than d.
        threshold: Of the F-score, in the unit of the points as they are compared.
        scale: ``'unit_cube'`` scales either cloud by itself; ``'none'``.
        align: Of the prediction to the truth: ``'icp'``, ``'icp_legacy'`` (see :func:`~mmfusion_plugin.ops.icp.align`)
            or ``'none'``.
        points: Larger clouds are thinned to this many random points; None keeps all.
        factor: Of all distances, in what is returned as in what is printed.
        seed: Of the random points, which do not depend on other samples.

    Raises:
        ValueError: A value is unknown or out of range.
    """

    emd: str = 'exact'
    squared: bool = False
    threshold: float = PVD_THRESHOLD
    scale: str = 'none'
    align: str = 'none'
    points: Optional[int] = None
    factor: float = 100.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, values in (('emd', EMDS), ('scale', SCALES), ('align', ALIGNMENTS)):
            if getattr(self, name) not in values:
                raise ValueError(f'{name} must be one of {values}, got {getattr(self, name)!r}')
        if not (self.threshold > 0 and self.factor > 0 and (self.points is None or self.points > 0)):
            raise ValueError('need threshold, factor and points greater than 0, got '
                             f'{self.threshold}, {self.factor} and {self.points}')

    def prepare(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Both clouds as they are compared.

        Args:
            prediction: (N, 3) floating.
            target: (M, 3) floating.

        Returns:
            (N', 3) and (M', 3) float64, on the prediction's device.

        Raises:
            ValueError: A cloud is empty, of another shape or not finite.
        """
        clouds = checked_pair(prediction, target)
        if self.scale == 'unit_cube':
            clouds = tuple(unit_cube(cloud) for cloud in clouds)
        generator = torch.Generator().manual_seed(self.seed)
        prediction, target = (self._thin(cloud, generator) for cloud in clouds)
        return align(prediction, target, self.align), target

    def score(self, prediction: Tensor, target: Tensor) -> dict[str, float]:
        """``cd`` and ``emd`` (unless ``'none'``) times the factor, and ``f_score`` in percent.

        Args:
            prediction: (N, 3) floating.
            target: (M, 3) floating.

        Raises:
            ValueError: A cloud is empty, of another shape, not finite, or no match for an exact assignment.
        """
        prediction, target = self.prepare(prediction, target)
        scores = dict(cd=self.factor * chamfer(prediction, target, self.squared))
        if self.emd != 'none':
            scores['emd'] = self.factor * earth_mover(prediction, target, self.emd)
        return {**scores, 'f_score': 100 * f_score(prediction, target, self.threshold)}

    def compared(self, cloud: Tensor) -> int:
        """How many points of a cloud are compared."""
        return len(cloud) if self.points is None else min(self.points, len(cloud))

    def describe(self, points: str, thinned: bool = False) -> str:
        """One line that belongs under each table.

        Args:
            points: Of how many points the clouds are, and of how many those that were thinned.
            thinned: Whether any was.
        """
        clouds = [points, f'thinned at random, seed {self.seed}'] if thinned else [points]
        return '; '.join([*clouds, _SCALED[self.scale], _ALIGNED[self.align], self.describe_scores()])

    def describe_scores(self) -> str:
        """The part of it that says how clouds are compared."""
        parts = [f"CD: mean {'squared ' if self.squared else ''}distance, both ways added, x{self.factor:g}"]
        if self.emd != 'none':
            parts.append(f'EMD: mean distance by {_EMD[self.emd]}, x{self.factor:g}')
        return '; '.join([*parts, f'F-score in % at {self.threshold:.4g}'])

    def _thin(self, cloud: Tensor, generator: torch.Generator) -> Tensor:
        if self.points is None or len(cloud) <= self.points:
            return cloud
        return cloud[torch.randperm(len(cloud), generator=generator)[: self.points].to(cloud.device)]
