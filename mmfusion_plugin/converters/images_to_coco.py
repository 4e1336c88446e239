"""The images of an info file as a COCO dataset without annotations: what a detector is run over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Sequence

from mmfusion_plugin.files import write_text

from .boxes_2d_files import iter_infos
from .nuscenes_taxonomy import DETECTION_CLASSES

_FOLDER = 'samples'  # of nuScenes' keyframes, one folder per camera in it


def named_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Classes of a detector.

    Args:
        names: ``['coco']`` (MMDetection's 80 names), ``['nuimages']`` (the ten of MMDetection3D's nuImages configs), or
            the classes themselves in the order of the model's outputs.

    Raises:
        ImportError: ``coco`` without MMDetection.
        ValueError: A name occurs twice.
    """
    if list(names) == ['coco']:
        from mmdet.datasets import CocoDataset

        return tuple(CocoDataset.METAINFO['classes'])
    if list(names) == ['nuimages']:
        return tuple(DETECTION_CLASSES)
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ValueError(f'class {twice[0]!r} is given twice')
    return tuple(names)


def images_to_coco(infos: Path, out: Path, classes: Sequence[str]) -> int:
    """Write the list.

    File names are relative to nuScenes' root. MMDetection takes the ids of its results from the categories in the order
    of the file, which is that of ``classes``.

    Args:
        infos: Info file in JSON.
        out: COCO dataset to write.
        classes: Of the model, in its order; all of them.

    Returns:
        Number of images.

    Raises:
        FileNotFoundError: ``infos`` is missing.
        ValueError: It is damaged or no info file, or an image has no size in it.
    """
    images = []
    for entry in iter_infos(infos):
        for camera, image in entry['images'].items():
            size = {key: image.get(key) for key in ('width', 'height')}
            if not all(type(side) is int and side > 0 for side in size.values()):
                raise ValueError(
                    f'{infos}: {image.get("img_path")} has no width and height: generate the file with '
                    'tools/create_data.py'
                )
            images.append({'id': len(images), 'file_name': f'{_FOLDER}/{camera}/{image["img_path"]}', **size})
    categories = [{'id': number, 'name': name} for number, name in enumerate(classes)]
    write_text(out, json.dumps({'images': images, 'categories': categories, 'annotations': []}) + '\n')
    return len(images)
