"""The training boxes of the study, at four levels of quality."""

from __future__ import annotations

import json
from pathlib import Path

from study_plan import Size, degraded_infos

from mmfusion_plugin.converters.boxes_2d_degrade import LEVELS, degrade_infos
from mmfusion_plugin.converters.boxes_2d_quality import BoxQuality

FIGURES = ('given', 'recall', 'precision', 'mean_iou', 'class_accuracy')


def prepare_boxes(size: Size, level: int) -> dict[str, float]:
    """Write the training infos of a level, always with the same errors (seed 0), and judge their boxes.

    Returns:
        Number of boxes (``given``), and ``recall``, ``precision``, ``mean_iou``, ``class_accuracy`` of
        :class:`BoxQuality`.
    """
    exact = Path(size.data_root, degraded_infos(0))
    if level:
        quality = degrade_infos(exact, Path(size.data_root, degraded_infos(level)), LEVELS[level], seed=0)
    else:
        quality = BoxQuality()
        for entry in json.loads(exact.read_text())['data_list']:
            for image in entry['images'].values():
                quality.add(image['boxes_2d'], image['boxes_2d'])
    print(f'training boxes, level {level}: {quality}')
    return {name: round(getattr(quality, name), 4) for name in FIGURES}
