"""Chamfer distance, EMD and F-score of reconstructed clouds, per category and with their protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from .reconstruction_protocol import ReconstructionProtocol
from .reconstruction_report import IDENTITY, as_table, sizes, summarise, write_report
from .reconstruction_scores import sample_spread


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
            try:
                self.results.append(self._record(sample))
            except ValueError as error:
                raise ValueError(f'{_name(sample)}: {error}') from error

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Log the table, write the files, and return the means of the records of :meth:`process`."""
        rows = summarise(results)
        protocol = self.protocol.describe(sizes(results))
        print_log('\n' + as_table(rows, protocol), logger='current')
        if self.out_dir is not None:
            write_report(Path(self.out_dir), results, rows, protocol)
        *categories, mean, overall = rows
        scores = [key for key in results[0] if key not in IDENTITY]
        metrics = {**{key: mean[key] for key in scores}, **{f'{key}_overall': overall[key] for key in scores}}
        return {**metrics, **{f"{key}_{row['category']}": row[key] for row in categories for key in scores}}

    def _record(self, sample: dict) -> Dict[str, Any]:
        """What is kept of a sample."""
        protocol = self.protocol
        prediction, truth = _cloud(sample, 'pred_points'), _cloud(sample, 'gt_points')
        scores = protocol.score(prediction, truth)
        drawn = sample.get('pred_samples') if self.score_samples else None
        if drawn is not None:
            clouds = torch.as_tensor(drawn)
            each = [protocol.score(cloud, truth) for cloud in clouds]
            for key in tuple(scores):
                values = [one[key] for one in each]
                scores[f'{key}_mean'] = sum(values) / len(values)
                scores[f'{key}_best'] = (max if key == 'f_score' else min)(values)
            scores['spread'] = protocol.factor * sample_spread(clouds)
        identity = {key: sample.get(key) for key in IDENTITY}
        identity.update(predicted_points=protocol.compared(prediction), true_points=protocol.compared(truth),
                        drawn=0 if drawn is None else len(drawn))
        return {**identity, **scores}


def _cloud(sample: dict, key: str) -> Tensor:
    if sample.get(key) is None:
        raise ValueError(f'it has no {key} (it has {sorted(sample)}): use ReconstructionMetric with a model that '
                         'predicts pred_points, on data whose clouds are loaded in the test pipeline too')
    return torch.as_tensor(sample[key])


def _name(sample: dict) -> str:
    parts = [str(sample[key]) for key in ('category', 'model_id', 'view') if sample.get(key) is not None]
    return '/'.join(parts) or str(sample.get('img_path') or 'a sample')
