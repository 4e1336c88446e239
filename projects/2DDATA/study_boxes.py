"""The training boxes of the study: annotated, at four levels of quality, or those of instance masks."""

from __future__ import annotations

import json
from pathlib import Path

from study_plan import Size, Variant

from mmfusion_plugin.converters.boxes_2d_coco import boxes_from_coco
from mmfusion_plugin.converters.boxes_2d_degrade import LEVELS, degrade_infos
from mmfusion_plugin.converters.boxes_2d_quality import BoxQuality

EXACT = 'nuscenes_infos_train.json'
MASKS = 'v1.0-trainval/instance_masks.json'  # of tools/make_synthetic.py --masks
FIGURES = ('given', 'recall', 'precision', 'mean_iou', 'class_accuracy')


def prepare_boxes(size: Size, variant: Variant) -> dict[str, float]:
    """Write the training infos of a variant, always with the same errors (seed 0), and judge their boxes.

    Returns:
        Number of boxes (``given``), and ``recall``, ``precision``, ``mean_iou``, ``class_accuracy`` of
        :class:`BoxQuality`; the exact boxes are the annotated ones.
    """
    root = Path(size.data_root)
    exact, infos = root / EXACT, root / variant.infos
    if variant.masks:
        print(boxes_from_coco(exact, root / MASKS, infos))
        quality = compare(exact, infos)
    elif variant.box_level:
        quality = degrade_infos(exact, infos, LEVELS[variant.box_level], seed=0)
    else:
        quality = compare(exact, exact)
    print(f'{infos}: {quality}')
    return {name: round(getattr(quality, name), 4) for name in FIGURES}


def compare(exact: Path, given: Path) -> BoxQuality:
    """Quality of the boxes of one info file by those of another one of the same samples."""
    quality = BoxQuality()
    for truth, entry in zip(*(json.loads(path.read_text())['data_list'] for path in (exact, given))):
        for camera, image in truth['images'].items():
            quality.add(image['boxes_2d'], entry['images'][camera]['boxes_2d'])
    return quality
