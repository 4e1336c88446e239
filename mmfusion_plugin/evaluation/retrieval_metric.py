"""Do the embeddings of an image and of its shape find each other among all others?"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from torch import Tensor

from .reconstruction_report import publish
from .retrieval_scores import retrieval_ranks
from .sample_fields import naming, required, source_of

_EMBEDDINGS = ('pred_image_embedding', 'pred_shape_embedding')


@METRICS.register_module()
class RetrievalMetric(BaseMetric):
    """``i2s_top1``, ... from image to shape and ``s2i_top1``, ... from shape to image, in percent.

    Means over categories, ``*_overall`` over queries (as retrieval is mostly printed), ``*_<category>`` of one; the
    gallery always has all categories. Similarity is the cosine; ties count against the right answer, see
    :func:`~mmfusion_plugin.evaluation.retrieval_scores.retrieval_ranks`.

    Where a model is seen in several views, its shape stands in the gallery once (as it came with the first view), each
    view looks for it, and it finds its images if one of them comes early enough.

    Samples are dicts with ``pred_image_embedding`` (D,), ``pred_shape_embedding`` (D,) and ``model_id``, and of
    ``synset``, ``category``, ``view``, ``azimuth`` and ``img_path`` what there is. Embeddings are collected over
    processes by mmengine.

    Args:
        topk: Places among which the right answer must be.
        chunk: Queries compared at once.
        out_dir: Folder for ``categories.csv``, ``categories.md`` and ``samples.csv`` (a row per image); None writes
            none.
        prefix: Put before each metric's name, as in mmengine.
        collect_device: Of mmengine's ``BaseMetric``.

    Raises:
        ValueError: ``topk`` is wrong, or an embedding or the model is missing or of another shape; the text names the
            sample.
    """

    # Names without a prefix; None would have mmengine warn about it in every run.
    default_prefix = ''

    def __init__(
        self,
        topk: Sequence[int] = (1, 5, 10),
        chunk: int = 1024,
        out_dir: Optional[str] = None,
        prefix: Optional[str] = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not topk or min(topk) < 1 or chunk < 1:
            raise ValueError(f'need topk and chunk from 1, got {tuple(topk)} and {chunk}')
        self.topk, self.chunk, self.out_dir = tuple(topk), chunk, out_dir

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep embeddings; see the class for what each sample must hold. ``data_batch`` is not looked at."""
        for sample in data_samples:
            with naming(sample):
                required(sample, 'model_id', 'it says which image belongs to which shape')
                self.results.append((source_of(sample), *(_embedding(sample, key) for key in _EMBEDDINGS)))

    def compute_metrics(self, results: List[tuple]) -> Dict[str, float]:
        """Search both ways, log the table, write the files, and return the means."""
        if not results:
            raise ValueError('there is nothing to search: no sample was processed')
        sources, *embeddings = zip(*results)
        images, shapes = (torch.from_numpy(np.stack(part)) for part in embeddings)
        models: Dict[Any, int] = {}  # the row in which each appears first is its label
        labels = torch.tensor([models.setdefault((source['synset'], str(source['model_id'])), row)
                               for row, source in enumerate(sources)])  # fmt: skip
        first = torch.tensor(list(models.values()))
        to_shape = retrieval_ranks(images, shapes[first], labels, labels[first], self.chunk)
        to_image = retrieval_ranks(shapes[first], images, labels[first], labels, self.chunk)
        records = [dict(source, **self._hits('i2s', rank)) for source, rank in zip(sources, to_shape.tolist())]
        for record in records:
            record.update(self._hits('s2i', None))  # of a model that stands in an earlier row
        for row, rank in zip(first.tolist(), to_image.tolist()):
            records[row].update(self._hits('s2i', rank))
        protocol = (f'i2s: an image looks for its shape among {len(models)}; s2i: a shape looks for its image, or one '
                    f'of them, among {len(images)}; cosine similarity, ties count as wrong; in %')  # fmt: skip
        return publish(records, protocol, self.out_dir)

    def _hits(self, way: str, rank: Optional[int]) -> Dict[str, Optional[float]]:
        """Scores of one query; None of one that is not made."""
        return {f'{way}_top{k}': None if rank is None else 100.0 * (rank < k) for k in self.topk}


def _embedding(sample: dict, key: str) -> np.ndarray:
    """(D,) float32."""
    remedy = 'use RetrievalMetric with a model that embeds images and shapes, on data with both'
    vector: Tensor = torch.as_tensor(required(sample, key, remedy)).detach().float().cpu()
    if vector.dim() != 1 or not len(vector) or not bool(vector.isfinite().all()):
        raise ValueError(f'{key} must be a finite vector (D,), got {tuple(vector.shape)} with '
                         f'{int((~vector.isfinite()).sum())} values NaN or infinite')
    return vector.numpy()
