"""Segmentation of a whole scene by a network that sees a chunk of it: chunk by chunk, and a vote of all of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from mmengine.dist import is_main_process
from torch import Tensor
from tqdm import tqdm

from mmfusion_plugin.ops.chunks import in_box

from .chunk_votes import VOTES, ChunkVotes
from .scene_views import SceneViews

_POINT_KEYS, _VIEW_KEYS = ('points', 'chunk_boxes'), ('chunk_views', 'imgs', 'pixel_xyz', 'pixel_index')
SegmentChunks = Callable[[Dict[str, Any]], List[Tensor]]
EncodeViews = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class WholeSceneOptions:
    """How whole scenes are segmented: ``test_cfg`` of the segmentors on points.

    Attributes:
        vote: See :class:`~mmfusion_plugin.models.segmentors.chunk_votes.ChunkVotes`.
        chunks_per_batch: Chunks that run as one batch of samples. None: 8, but 1 on a CPU, which more chunks do not
            make faster.
        images_per_batch: Images encoded at once.
        pixel_margin: By which a chunk's box is enlarged along x and y for pixels, metres (MVPNet: 0.1).
        progress: Show a bar over the chunks of each scene.
    """

    vote: str = 'mean'
    chunks_per_batch: Optional[int] = None
    images_per_batch: int = 16
    pixel_margin: float = 0.1
    progress: bool = True

    def __post_init__(self) -> None:
        if self.vote not in VOTES:
            raise ValueError(f'test_cfg: vote must be one of {VOTES}, got {self.vote!r}')
        for name in ('chunks_per_batch', 'images_per_batch'):
            value = getattr(self, name)
            optional = name == 'chunks_per_batch' and value is None
            if not optional and (not isinstance(value, int) or value < 1):
                raise ValueError(f'test_cfg: {name} must be a whole number of at least 1, got {value!r}')
        if not 0 <= self.pixel_margin < float('inf'):
            raise ValueError(f'test_cfg: pixel_margin must be at least 0 and finite, got {self.pixel_margin!r}')

    @classmethod
    def of(cls, test_cfg: Optional[Dict[str, Any]]) -> WholeSceneOptions:
        """From a config; None and what it leaves out mean the defaults.

        Raises:
            ValueError: It names an option that does not exist, or a value is out of range.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(test_cfg or {}) - set(known))
        if unknown:
            raise ValueError(f'test_cfg has no options {unknown}; there are {known}')
        return cls(**(test_cfg or {}))


@torch.no_grad()
def segment_scenes(
    batch_inputs: Dict[str, Any],
    segment: SegmentChunks,
    encode: Optional[EncodeViews],
    num_classes: int,
    options: WholeSceneOptions,
) -> List[Tensor]:
    """Logits of all points of whole scenes.

    A point in several chunks gets the vote of all of them, in the chunks' margins, too; one that is in none gets the
    answer of the nearest point that has one. A scene without a point in any box is one chunk with all views.

    Args:
        batch_inputs: ``points``: list of (N_i, 3 + C); ``chunk_boxes``: list of (K_i, 4) ``[x0, y0, x1, y1]`` in the
            frame of the points, metres. With images ``imgs`` (B, V, 3, H, W), ``pixel_xyz``, ``pixel_index`` as for
            :class:`MVPNet`, and ``chunk_views``: list of (K_i, V') int64 rows of ``imgs``, -1: none.
        segment: A batch of chunks (``points``, and ``pixel_xyz`` and ``pixel_features`` where there are any) to the
            (N_i, num_classes) logits of each.
        encode: Images (n, 3, H, W) to features (n, C, H, W); None: the network sees points alone.
        num_classes: Of the logits.
        options: How.

    Returns:
        (N_i, num_classes) float32 (or wider) of each scene.

    Raises:
        ValueError: Boxes or views do not fit the scenes.
    """
    keys = _POINT_KEYS if encode is None else _POINT_KEYS + _VIEW_KEYS
    given = [key for key in keys if batch_inputs.get(key) is not None]
    scenes = [{key: batch_inputs[key][number] for key in given} for number in range(len(batch_inputs['points']))]
    return [_segment_scene(scene, segment, encode, num_classes, options) for scene in scenes]


def _segment_scene(
    scene: Dict[str, Tensor],
    segment: SegmentChunks,
    encode: Optional[EncodeViews],
    num_classes: int,
    options: WholeSceneOptions,
) -> Tensor:
    """:func:`segment_scenes` for one scene, without the batch axis."""
    points = scene['points']
    if not len(points):
        return points.new_zeros((0, num_classes))
    boxes, rows, chunk_views = _filled_chunks(scene)
    sees = chunk_views.numel() and 'pixel_xyz' in scene
    views = SceneViews(scene, encode, options.pixel_margin, options.images_per_batch) if sees else None
    plan = views.plan(boxes, chunk_views) if sees else [[]] * len(rows)
    votes = ChunkVotes(points, num_classes, options.vote)
    step = options.chunks_per_batch or (1 if points.device.type == 'cpu' else 8)
    hidden = not options.progress or len(rows) < 2 or not is_main_process()
    with tqdm(total=len(rows), unit='chunk', desc='scene', leave=False, disable=hidden) as bar:
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            batch: Dict[str, Any] = {'points': [points.index_select(0, inside) for inside in rows[part]]}
            if any(plan[part]):
                batch.update(_pixels_of_chunks(views, boxes[part], plan[part]))
            for inside, logits in zip(rows[part], segment(batch)):
                votes.add(inside, logits)
            bar.update(len(rows[part]))
    return votes.result()


def _filled_chunks(scene: Dict[str, Tensor]) -> Tuple[Tensor, List[Tensor], Tensor]:
    """Boxes (K, 4) with a point in them, the points (n,) of each, and their views (K, V').

    Raises:
        ValueError: Boxes or views do not fit the scene.
    """
    points, boxes, images = scene['points'], scene['chunk_boxes'], scene.get('imgs')
    num_views = 0 if images is None else len(images)
    if num_views and 'chunk_views' not in scene:
        raise ValueError(f'a whole scene with {num_views} images needs chunk_views: has the pipeline SelectViews?')
    nothing = torch.zeros((len(boxes), 0), dtype=torch.long, device=boxes.device)
    chunk_views = scene['chunk_views'] if num_views else nothing
    if boxes.ndim != 2 or boxes.shape[1] != 4 or chunk_views.shape[:1] != boxes.shape[:1]:
        shapes = f'{tuple(boxes.shape)} and {tuple(chunk_views.shape)}'
        raise ValueError(f'need chunk_boxes (K, 4) and chunk_views (K, V) of one K, got {shapes}')
    boxes = boxes.to(points.dtype)
    rows = [in_box(points, box).nonzero().squeeze(1) for box in boxes]
    filled = [number for number, inside in enumerate(rows) if len(inside)]
    if filled:
        return boxes[filled], [rows[number] for number in filled], chunk_views[filled]
    end = float('inf')
    everything, everyone = points.new_tensor([[-end, -end, end, end]]), torch.arange(len(points), device=points.device)
    return everything, [everyone], torch.arange(num_views, device=points.device)[None]


def _pixels_of_chunks(views: SceneViews, boxes: Tensor, plan: List[List[int]]) -> Dict[str, List[Tensor]]:
    """Positions (M_i, 3) and features (M_i, C) of the pixels of each chunk, of which one at least sees any."""
    found = [views.pixels(box, needed) if needed else None for box, needed in zip(boxes, plan)]
    nothing = next((xyz[:0], features[:0]) for xyz, features in filter(None, found))
    xyz, features = zip(*(nothing if pair is None else pair for pair in found))
    return {'pixel_xyz': list(xyz), 'pixel_features': list(features)}
