"""Conditions of a robustness test, and the test data that a config gives under each."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from mmdet3d.registry import TRANSFORMS
from mmengine.config import Config, ConfigDict

from mmfusion_plugin.datasets.transforms import DamageViews
from mmfusion_plugin.datasets.wrapped import innermost_dataset_cfgs

DEGREES_PER_METRE = 20.0
"""Rotation that goes with a pose error: 1 degree with 5 cm, as far off at 2.9 m from the camera; a choice of ours."""

VALUES: dict[str, tuple[float, ...]] = {
    'views': (1, 3, 5, 10, 0),  # the paper's Fig. 5 has 1, 3 and 5 of them
    'pose_noise': (0.02, 0.05, 0.1, 0.2),
    'depth_holes': (0.1, 0.3, 0.5, 0.7),
    'drop': (0.2, 0.4, 0.6, 0.8),
    'swap': (0.2, 0.4, 0.6, 0.8),
    'black': (0.2, 0.4, 0.6, 0.8),
}
"""Kinds of conditions and the values tested where none are named."""


@dataclass(frozen=True)
class Condition:
    """What is done to the test data.

    Attributes:
        kind: A key of :data:`VALUES`, or ``'intact'``.
        value: Number of views for each chunk; standard deviation of the cameras' positions along each axis in metres
            (``pose_noise``; :data:`DEGREES_PER_METRE` times that, in degrees, of their rotation about each axis); or
            a share in 0..1.
    """

    kind: str
    value: float

    def apply(self, cfg: Config) -> ConfigDict:
        """``cfg.test_dataloader`` under this condition; ``cfg`` stays as it is.

        Raises:
            ValueError: The value is none of its kind.
        """
        loader = copy.deepcopy(cfg.test_dataloader)
        for dataset in innermost_dataset_cfgs(loader.dataset):
            steps = dataset.pipeline
            if self.kind == 'views':
                if self.value < 0:
                    raise ValueError(f'views={self.value}: a chunk has 0 views or more')
                steps[_position(steps, 'SelectViews')].num_views = self.value
            elif self.kind != 'intact':
                steps.insert(_position(steps, 'LoadViews') + 1, self._damage())
        return loader

    def _damage(self) -> ConfigDict:
        amount = {self.kind: self.value}
        if self.kind == 'pose_noise':
            amount = {'pose_translation': self.value, 'pose_rotation': DEGREES_PER_METRE * self.value}
        DamageViews(**amount)  # refuses a wrong value here, not in the middle of a comparison
        return ConfigDict(type='DamageViews', **amount)


INTACT = Condition('intact', 0)


def conditions_for(cfg: Config, values: Mapping[str, Sequence[float]]) -> list[Condition]:
    """The intact test data, and each asked condition once; of a model that opens no images, the intact data alone.

    A damage of 0 is the intact data, and not a condition of its own.

    Args:
        cfg: Config of a model.
        values: Values by kind.

    Raises:
        ValueError: A kind is unknown, or the config has no test data.
    """
    unknown = sorted(set(values) - set(VALUES))
    if unknown:
        raise ValueError(f'unknown condition {unknown[0]!r}; there are {", ".join(VALUES)}')
    if cfg.get('test_dataloader') is None:
        raise ValueError(f'{cfg.filename} has no test_dataloader')
    if not uses_views(cfg):
        return [INTACT]
    asked = [Condition(kind, value) for kind, amounts in values.items() for value in amounts]
    return [INTACT, *dict.fromkeys(case for case in asked if case.value or case.kind == 'views')]


def uses_views(cfg: Config) -> bool:
    """Whether the test pipeline chooses and opens images of a scan."""
    pipelines = [dataset.pipeline for dataset in innermost_dataset_cfgs(cfg.test_dataloader.dataset)]
    return all(_names(pipeline) >= {'SelectViews', 'LoadViews'} for pipeline in pipelines)


def num_views(cfg: Config, condition: Condition) -> Optional[int]:
    """Views for each chunk under a condition; None for a model that opens no images.

    Raises:
        ValueError: The value is none of its kind.
    """
    if not uses_views(cfg):
        return None
    pipeline = innermost_dataset_cfgs(condition.apply(cfg).dataset)[0].pipeline
    return TRANSFORMS.build(dict(pipeline[_position(pipeline, 'SelectViews')])).num_views


def _position(pipeline: Sequence[dict], name: str) -> int:
    return next(place for place, step in enumerate(pipeline) if _name(step) == name)


def _names(pipeline: Sequence[dict]) -> set[str]:
    return {_name(step) for step in pipeline}


def _name(step: dict) -> str:
    """Name of a transform without its scope."""
    return (step['type'] if isinstance(step['type'], str) else step['type'].__name__).rpartition('.')[-1]
