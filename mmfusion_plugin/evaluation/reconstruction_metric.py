"""Chamfer distance, EMD and F-score of reconstructed clouds, per category and with their protocol."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from torch import Tensor

from .reconstruction_protocol import ReconstructionProtocol
from .reconstruction_report import publish, sizes
from .reconstruction_scores import mean_and_best, sample_spread
from .sample_fields import naming, required, source_of


@METRICS.register_module()
class ReconstructionMetric(BaseMetric):
    """``cd``, ``emd`` and ``f_score``: means over categories, ``*_overall`` over samples, ``*_<category>`` of one.

    The mean over categories is the last row of the papers' tables. Distances are times the factor, the F-score is in
    percent, everywhere. The table in the log states the protocol; it is described in
    :class:`~mmfusion_plugin.evaluation.reconstruction_protocol.ReconstructionProtocol`.

    Where several clouds were drawn per image (``pred_samples``), each score has besides ``*_mean`` and ``*_best`` over
    them, and there is ``spread``, the mean standard deviation of a point over the clouds (times the factor, in the
    network's own scale). ``*_best`` chooses with the truth in hand: it says what the distribution holds, not how good
    a prediction is.

    Samples are dicts with ``pred_points`` (N, 3), ``gt_points`` (M, 3), ``pred_samples`` (S, N, 3) or none, and of
    ``synset``, ``category``, ``model_id``, ``view``, ``azimuth`` and ``img_path`` what there is. They are collected
    over processes by mmengine, some numbers each.

    Args:
        emd: ``'exact'`` (about 0.1 s for 1024 points on a CPU, at most 2048), ``'sinkhorn'`` or ``'none'``.
        squared: Chamfer distance of d^2 rather than d.
        threshold: Of the F-score, in the unit of the points as they are compared; PVD's 0.0316 by default.
        scale: ``'none'`` or ``'unit_cube'``.
        align: ``'none'``, ``'icp'``, or ``'icp_legacy'`` with the wrong inverse of the released codes.
        points: Larger clouds are thinned to this many random points.
        factor: Of distances; papers print them times 100.
        seed: Of the random points.
        score_samples: Score ``pred_samples`` too, which takes S times as long.
        out_dir: Folder for ``categories.csv``, ``categories.md`` and ``samples.csv`` (a row per sample); None writes
            none.
        prefix: Put before each metric's name, as in mmengine.
        collect_device: Of mmengine's ``BaseMetric``.

    Raises:
        ValueError: An option is wrong, or a cloud is missing, empty, not finite or not fit for the EMD; the text names
            the sample.
    """

    # Names without a prefix; None would have mmengine warn about it in every run.
    default_prefix = ''

    def __init__(
        self,
        emd: str = 'exact',
        squared: bool = False,
        threshold: float = ReconstructionProtocol.threshold,
        scale: str = 'none',
        align: str = 'none',
        points: Optional[int] = None,
        factor: float = 100.0,
        seed: int = 0,
        score_samples: bool = True,
        out_dir: Optional[str] = None,
        prefix: Optional[str] = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.protocol = ReconstructionProtocol(emd, squared, threshold, scale, align, points, factor, seed)
        self.score_samples, self.out_dir = score_samples, out_dir

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score samples; see the class for what each must hold. ``data_batch`` is not looked at."""
        for sample in data_samples:
            with naming(sample):
                self.results.append(self._record(sample))

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Log the table, write the files, and return the means of the records of :meth:`process`."""
        return publish(results, self.protocol.describe(*sizes(results)), self.out_dir)

    def _record(self, sample: dict) -> Dict[str, Any]:
        """What is kept of a sample."""
        protocol = self.protocol
        prediction, truth = _cloud(sample, 'pred_points'), _cloud(sample, 'gt_points')
        scores = protocol.score(prediction, truth)
        drawn = sample.get('pred_samples') if self.score_samples else None
        if drawn is not None:
            clouds = torch.as_tensor(drawn)
            each = [protocol.score(cloud, truth) for cloud in clouds]
            scores.update(mean_and_best(each))
            scores['spread'] = protocol.factor * sample_spread(clouds)
        counts = dict(predicted_points=protocol.compared(prediction), true_points=protocol.compared(truth),
                      predicted_of=len(prediction), true_of=len(truth),
                      drawn=0 if drawn is None else len(drawn))
        return {**source_of(sample), **counts, **scores}


def _cloud(sample: dict, key: str) -> Tensor:
    return torch.as_tensor(required(sample, key, 'use ReconstructionMetric with a model that predicts pred_points, on '
                                                 'data whose clouds are loaded in the test pipeline too'))
