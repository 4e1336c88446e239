"""Are generated shapes those of the images, and distributed as the true ones? Per category, with the protocol."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric

from .generation_protocol import GenerationProtocol
from .reconstruction_report import as_range, publish
from .sample_fields import naming, required, source_of

Scored = Tuple[Dict[str, Any], Optional[np.ndarray]]
_REMEDY = ('use ShapeGenerationMetric with a model that predicts pred_voxels, on data whose voxels are loaded in the '
           'test pipeline too')  # fmt: skip


@METRICS.register_module()
class ShapeGenerationMetric(BaseMetric):
    """IoU, F-score, CD and EMD of samples, mean and best; 1-NNA, COV and MMD of sets.

    ``iou_mean``, ``iou_best``, the same of ``f_score``, ``cd`` and ``emd``, then ``empty``, ``nna_cd``, ``cov_cd``,
    ``mmd_cd`` and the same by ``emd``: means over categories, ``*_overall`` over samples, ``*_<category>`` of one. The
    IoU, the F-score, 1-NNA, COV and ``empty`` are in percent. The table in the log states the protocol, see
    :class:`~mmfusion_plugin.evaluation.generation_protocol.GenerationProtocol`. ``*_best`` chooses with the truth in
    hand.

    Sets are compared within a category: the first shape generated for each model against the true shape of each; of a
    model seen in several views the first view counts. A category of one model has no 1-NNA. The comparison is done
    by one process, with a progress bar, when all samples are there: where it takes long, the others must be given the
    time to wait (``env_cfg.dist_cfg.timeout``).

    Samples are dicts with ``pred_voxels`` (K, R, R, R) and ``gt_voxels`` (R, R, R), bool or numbers, and of ``synset``,
    ``category``, ``model_id``, ``view``, ``azimuth`` and ``img_path`` what there is. Their scores and two clouds are
    collected over processes by mmengine.

    Args:
        emd: ``'exact'``, ``'sinkhorn'`` (for a GPU) or ``'none'``. On one CPU core, an exact one between unlike shapes
            takes about 4 s of 2048 points, 0.6 s of 1024, and 0.06 s of 512.
        threshold: Of the F-score, in the unit of the clouds.
        occupied: Number above which a voxel is.
        points: On each shape's surface.
        scale: ``'unit_cube'`` (each shape by itself) or ``'grid'``.
        factor: Of distances.
        seed: Of the points, and of the choice of shapes for the sets.
        set_distances: By which distances sets are compared: ``('cd',)``, ``('cd', 'emd')`` or none. 100 shapes have
            19,900 pairs, of 2048 points some minutes by CD and about a day by exact EMD.
        set_size: Shapes of each category in the sets; None takes all.
        device: Where sets are compared.
        out_dir: Folder for ``categories.csv``, ``categories.md`` and ``samples.csv`` (a row per sample); None writes
            none.
        prefix: Put before each metric's name, as in mmengine.
        collect_device: Of mmengine's ``BaseMetric``.

    Raises:
        ValueError: An option is wrong, or voxels are missing, empty where they must not be, or do not fit; the text
            names the sample.
    """

    # Names without a prefix; None would have mmengine warn about it in every run.
    default_prefix = ''

    def __init__(
        self,
        emd: str = GenerationProtocol.emd,
        threshold: float = GenerationProtocol.threshold,
        occupied: float = GenerationProtocol.occupied,
        points: int = GenerationProtocol.points,
        scale: str = GenerationProtocol.scale,
        factor: float = GenerationProtocol.factor,
        seed: int = 0,
        set_distances: Sequence[str] = GenerationProtocol.set_distances,
        set_size: Optional[int] = GenerationProtocol.set_size,
        device: str = 'cpu',
        out_dir: Optional[str] = None,
        prefix: Optional[str] = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.protocol = GenerationProtocol(emd, threshold, occupied, points, scale, factor, seed, tuple(set_distances),
                                           set_size)  # fmt: skip
        self.device, self.out_dir = device, out_dir

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score samples; see the class for what each must hold. ``data_batch`` is not looked at."""
        for sample in data_samples:
            with naming(sample):
                self.results.append(self._score(sample))

    def compute_metrics(self, results: List[Scored]) -> Dict[str, float]:
        """Compare the sets, log the table, write the files, and return the means."""
        records = [dict(record) for record, _ in results]
        groups = self._groups(records) if self.protocol.set_distances else []
        names = [f'{name}_{by}' for by in self.protocol.set_distances for name in ('nna', 'cov', 'mmd')]
        for record in records:
            record.update(dict.fromkeys(names))
        for rows in groups:
            clouds = torch.from_numpy(np.stack([results[row][1] for row in rows], axis=1)).to(self.device)
            for name, values in self.protocol.score_sets(*clouds).items():
                for row, value in zip(rows, values):
                    records[row][name] = value
        drawn = as_range({record['drawn'] for record in records}) if records else '0'
        sets = as_range({len(rows) for rows in groups}) if groups else '0'
        return publish(records, self.protocol.describe(drawn, sets), self.out_dir)

    def _score(self, sample: dict) -> Scored:
        """What is kept of a sample: its record, and the clouds (2, points, 3) of its first shape and of the truth."""
        found, truth = (required(sample, key, _REMEDY) for key in ('pred_voxels', 'gt_voxels'))
        scores = self.protocol.score(found, truth)
        record = {**source_of(sample), 'drawn': len(found), **scores}
        if not self.protocol.set_distances:
            return record, None
        return record, torch.stack([self.protocol.cloud(voxels) for voxels in (found[0], truth)]).numpy()

    def _groups(self, records: Sequence[Dict[str, Any]]) -> List[List[int]]:
        """Rows of the samples whose shapes make up the sets, category by category."""
        groups: Dict[Any, Dict[Any, int]] = {}
        for row, record in enumerate(records):
            model = row if record['model_id'] is None else str(record['model_id'])
            groups.setdefault((record['synset'], record['category']), {}).setdefault(model, row)
        random, chosen = np.random.default_rng(self.protocol.seed), []
        for models in groups.values():
            rows = list(models.values())
            if self.protocol.set_size is not None and len(rows) > self.protocol.set_size:
                rows = sorted(random.permutation(rows)[: self.protocol.set_size].tolist())
            chosen.append(rows)
        return chosen
