"""Two ways to segment a whole scene, for ``whole_scene.py``."""

from __future__ import annotations

from typing import Any, Callable, Optional

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmfusion_plugin.ops.chunks import in_box


def whole_scene(model: BaseModel, inputs: dict[str, Any]) -> Tensor:
    """(N, C) logits as ``predict`` has them."""
    return model.encode_decode(inputs, None)[0]


def plain_protocol(model: BaseModel, inputs: dict[str, Any]) -> Tensor:
    """(N, C) mean logits of chunks that run alone, each with images of its own."""
    points, total, count = inputs['points'][0], None, None
    for number, box in enumerate(inputs['chunk_boxes'][0]):
        rows = in_box(points, box).nonzero().squeeze(1)
        if not len(rows):
            continue
        chunk = {'points': [points[rows]], **pixels_of_chunk(model, inputs, number)}
        (logits,) = model.encode_decode(chunk, None)
        if total is None:
            total = logits.new_zeros((len(points), logits.shape[1]))
            count = logits.new_zeros((len(points), 1))
        total[rows] += logits
        count[rows] += 1
    return total / count


def pixels_of_chunk(model: BaseModel, inputs: dict[str, Any], number: int) -> dict[str, Any]:
    """Images of a chunk's views, and their pixels in it."""
    if model.encode_views is None or 'imgs' not in inputs:
        return {}
    views = inputs['chunk_views'][0][number].unique()
    images = inputs['imgs'][0][views[views >= 0]][None]
    xyz, index = inputs['pixel_xyz'][0], inputs['pixel_index'][0]
    area, margin = images.shape[3] * images.shape[4], model.test_cfg.pixel_margin
    place = index.new_full((len(inputs['imgs'][0]),), -1)
    place[views[views >= 0]] = torch.arange(images.shape[1], device=place.device)
    place = place[index // area]
    box = inputs['chunk_boxes'][0][number]
    inside = in_box(xyz, box + box.new_tensor([-margin, -margin, margin, margin])) & (place >= 0)
    return dict(imgs=images, pixel_xyz=[xyz[inside]], pixel_index=[(place * area + index % area)[inside]])


SIDES: dict[str, Callable[[BaseModel, dict[str, Any]], Tensor]] = {
    'plain protocol': plain_protocol,
    'whole scene': whole_scene,
}


def count_images(model: BaseModel) -> list[int]:
    """A list to which each call of the image network adds how many images it got."""
    found: list[int] = []
    network: Optional[torch.nn.Module] = getattr(model, 'image_backbone', None)
    if network is not None:
        network.register_forward_pre_hook(lambda module, given: found.append(len(given[0])))
    return found
