"""The views of a whole scene: which pixels a chunk sees, and their features, computed once and kept while wanted."""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable, Dict, List, Sequence, Tuple

import torch
from torch import Tensor

from mmfusion_plugin.ops.chunks import in_box


class SceneViews:
    """Unprojected pixels of a scene, view by view.

    :meth:`plan` says which views each chunk needs; :meth:`pixels` must then be asked for each chunk in that order. A
    view is encoded when the first chunk needs it, along with those that are needed next, and forgotten after the last.

    Args:
        scene: ``imgs`` (V, 3, H, W), ``pixel_xyz`` (M, 3) and ``pixel_index`` (M,) int64
            ``(view * H + row) * W + column``.
        encode: Images (n, 3, H, W) to features (n, C, H, W).
        margin: By which a chunk's box is enlarged for pixels, metres.
        images_per_batch: Images encoded at once.

    Attributes:
        kept: Features (m, C) of the pixels of each view that is still wanted.

    Raises:
        ValueError: An index lies outside the images.
    """

    def __init__(
        self, scene: Dict[str, Any], encode: Callable[[Tensor], Tensor], margin: float, images_per_batch: int
    ) -> None:
        self.images, self.encode, self.images_per_batch = scene['imgs'], encode, images_per_batch
        xyz, index = scene['pixel_xyz'], scene['pixel_index']
        area, total = self.images[0, 0].numel(), self.images[:, 0].numel()
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < total:
            raise ValueError(
                f'pixel_index reaches from {int(index.min())} to {int(index.max())}, but the images of the scene have '
                f'pixels 0 to {total - 1}: is it that of the images as they are now (resized, views selected)?'
            )
        # Stable, so that the pixels of a chunk, and with them equally near neighbours, come in the scene's own order.
        view, order = (index // area).sort(stable=True)
        sizes = view.bincount(minlength=len(self.images)).tolist()
        self.xyz, self.places = xyz[order].split(sizes), (index[order] % area).split(sizes)
        self.reach = torch.tensor([-margin, -margin, margin, margin], dtype=xyz.dtype, device=xyz.device)
        self.kept: Dict[int, Tensor] = {}
        self._uses: Counter = Counter()
        self._queue: List[int] = []

    def plan(self, boxes: Tensor, chunk_views: Tensor) -> List[List[int]]:
        """Views with a pixel in the chunk, ascending, of each chunk.

        Args:
            boxes: (K, 4) ``[x0, y0, x1, y1]``, metres.
            chunk_views: (K, V') int64 rows of the images, -1: none.

        Raises:
            ValueError: There is no such view.
        """
        last = int(chunk_views.max()) if chunk_views.numel() else -1
        if last >= len(self.images):
            raise ValueError(f'chunk_views names view {last}, but the scene has {len(self.images)} images')
        needed = [
            [view for view in sorted({*views} - {-1}) if self._inside(view, box).any()]
            for box, views in zip(boxes, chunk_views.tolist())
        ]
        self._uses = Counter(view for views in needed for view in views)
        self._queue = list(dict.fromkeys(view for views in needed for view in views))
        return needed

    def pixels(self, box: Tensor, views: Sequence[int]) -> Tuple[Tensor, Tensor]:
        """Positions (M, 3) and features (M, C) of the pixels of ``views`` (one at least) that a chunk sees."""
        xyz, features = [], []
        for view in views:
            while view not in self.kept:
                self._encode_next()
            inside = self._inside(view, box).nonzero().squeeze(1)
            xyz.append(self.xyz[view].index_select(0, inside))
            features.append(self.kept[view].index_select(0, inside))
            self._uses[view] -= 1
            if not self._uses[view]:
                del self.kept[view]
        return torch.cat(xyz), torch.cat(features)

    def _inside(self, view: int, box: Tensor) -> Tensor:
        """(m,) bool of the view's pixels."""
        return in_box(self.xyz[view], box.to(self.reach) + self.reach)

    def _encode_next(self) -> None:
        views, self._queue = self._queue[:self.images_per_batch], self._queue[self.images_per_batch:]
        for view, features in zip(views, self.encode(self.images[views])):
            self.kept[view] = features.movedim(0, -1).flatten(0, 1).index_select(0, self.places[view])
