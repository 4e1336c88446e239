"""How well does a diffusion model tell noise from shape? A validation that draws no sample."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric

from .sample_fields import naming, required

_REMEDY = "use NoiseErrorMetric in validation, with validation='noise' in the model"


@METRICS.register_module()
class NoiseErrorMetric(BaseMetric):
    """``noise_error``: mean of what the samples have under this name, a mean squared error.

    Args:
        prefix: Put before the metric's name, as in mmengine.
        collect_device: Of mmengine's ``BaseMetric``.

    Raises:
        ValueError: A sample has none; the text names it.
    """

    # Names without a prefix; None would have mmengine warn about it in every run.
    default_prefix = ''

    def __init__(self, prefix: Optional[str] = None, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the errors. ``data_batch`` is not looked at."""
        for sample in data_samples:
            with naming(sample):
                self.results.append(float(required(sample, 'noise_error', _REMEDY)))

    def compute_metrics(self, results: List[float]) -> Dict[str, float]:
        """Their mean."""
        if not results:
            raise ValueError('there is nothing to average: no sample was processed')
        return {'noise_error': sum(results) / len(results)}
