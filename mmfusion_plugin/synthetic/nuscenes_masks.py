"""Instance masks of a generated world in COCO's format: what each camera sees of each annotated object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from mmfusion_plugin.converters.nuscenes_taxonomy import FINE_NAMES
from mmfusion_plugin.synthetic.nuscenes_rig import IMAGE_HEIGHT, IMAGE_WIDTH
from mmfusion_plugin.synthetic.nuscenes_scene import ScenePlan, SceneRecorder, part_path
from mmfusion_plugin.synthetic.nuscenes_tables import write_json

MASK_FILE = 'instance_masks.json'


def record_masks(root: Path, plan: ScenePlan, advance: Callable[[], None]) -> None:
    """Drives through a recorded scene again and writes the masks of its keyframe images to its part file.

    Args:
        root: folder of the world.
        plan: the scene, as it was recorded.
        advance: called after each keyframe.
    """
    recorder = SceneRecorder(root, plan, advance)
    images = []
    for keyframe in range(plan.keyframes):
        for channel, moment, camera in recorder.cameras(plan.keyframe_time(keyframe)):
            masks = instance_masks(camera.instance_ids())
            for mask in masks:
                actor = mask.pop('instance')
                mask['category_id'] = recorder.world.actors[actor].category
                mask['instance_token'] = recorder.token('instance', actor)
            name, sample = plan.file_name(channel, moment, True), recorder.token('sample', keyframe)
            images.append({'file_name': name, 'sample_token': sample, 'annotations': masks})
        advance()
    write_json(mask_part_path(root, plan), images)


def instance_masks(ids: np.ndarray) -> List[Dict[str, Any]]:
    """COCO annotations of the visible parts in an instance render.

    Args:
        ids: (H, W) integer, number of the instance in each pixel, negative for none.

    Returns:
        One dictionary per instance in ascending order: ``instance``, ``bbox`` ``[x, y, width, height]`` around the
        visible pixels (pixel corners at integers), ``area`` in pixels, ``iscrowd`` 0, ``segmentation`` as compressed
        run lengths.
    """
    from pycocotools import mask as coco

    masks = []
    for instance in np.unique(ids[ids >= 0]).tolist():
        rle = coco.encode(np.asfortranarray(ids == instance, dtype=np.uint8))
        masks.append(
            {
                'instance': instance,
                'bbox': [int(side) for side in coco.toBbox(rle)],
                'area': int(coco.area(rle)),
                'iscrowd': 0,
                'segmentation': {'size': list(rle['size']), 'counts': rle['counts'].decode('ascii')},
            }
        )
    return masks


def join_masks(root: Path, plans: Sequence[ScenePlan]) -> None:
    """Writes the masks of all scenes to ``<version>/instance_masks.json``, a COCO dataset.

    Images carry the name below ``root``; annotations the ``instance_token`` of the tables. Categories have the ids of
    lidarseg. Objects that are not annotated in a sample (out of the LiDAR's reach) have no mask in it either.
    """
    folder = root / plans[0].version
    rows = json.loads((folder / 'sample_annotation.json').read_text())
    annotated = {(row['sample_token'], row['instance_token']) for row in rows}
    images, annotations = [], []
    for plan in plans:
        for image in json.loads(mask_part_path(root, plan).read_text()):
            number = len(images)
            size = {'width': IMAGE_WIDTH, 'height': IMAGE_HEIGHT}
            images.append({'id': number, 'file_name': image['file_name'], **size})
            for mask in image['annotations']:
                if (image['sample_token'], mask['instance_token']) in annotated:
                    annotations.append({'id': len(annotations) + 1, 'image_id': number, **mask})
    categories = [{'id': index, 'name': name} for index, name in enumerate(FINE_NAMES)]
    write_json(folder / MASK_FILE, {'images': images, 'categories': categories, 'annotations': annotations})


def mask_part_path(root: Path, plan: ScenePlan) -> Path:
    """Where a scene's masks wait until those of all scenes are there."""
    return part_path(root, plan).with_name(f'{plan.name}_masks.json')
