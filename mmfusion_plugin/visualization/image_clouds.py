"""A photograph with its mask, the cloud that was inferred from it, and what a classifier says."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Mapping, Optional, Tuple

import numpy as np
from matplotlib.axes import Axes

from .cloud_views import depth_scale, draw_cloud
from .outlines import draw_outlined, object_box
from .style import FAINT, INK, SOFT, PathLike, new_figure, save_figure

_HIGH = 3.6  # inches of a panel
_SLIMMEST, _WIDEST = 0.55, 1.45  # width of a panel as a share of its height
_GAP, _TOP = 0.12, 0.75
_SMALL = 0.6  # an object of less than this share of the photograph gets a panel of its own
_MOST_BARS = 8
_BAR, _BEST = '#9fb3c8', '#1f6feb'

Panel = Tuple[str, float, Callable[[Axes], None]]


def image_cloud_picture(
    path: PathLike,
    image: np.ndarray,
    mask: Optional[np.ndarray] = None,
    points: Optional[np.ndarray] = None,
    colours: Optional[np.ndarray] = None,
    chances: Optional[Mapping[str, float]] = None,
    y_down: bool = False,
    z_name: str = 'z',
    title: str = '',
) -> Path:
    """Draw, side by side: the photograph with its mask's outline, a small object enlarged, the cloud from the front and
    at an angle, and the probabilities of classes. What is None is left out.

    Args:
        path: PNG to write.
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)``, 0 being background.
        points: ``(N, 3)`` or more columns, x, y, z first; see ``pixel_to_point``.
        colours: ``(N, 3)`` RGB 0..255.
        chances: Probability by class; the eight largest are drawn.
        y_down: Whether y of the points counts downwards.
        z_name: What z is.
        title: Heading of the figure.

    Raises:
        ValueError: The mask is of another size than the photograph, or points and colours differ in number.
    """
    if mask is not None and mask.shape != image.shape[:2]:
        raise ValueError(f'the mask is {mask.shape} for a photograph of {image.shape[:2]}')
    if (points is None) != (colours is None) or (points is not None and len(points) != len(colours)):
        raise ValueError('points and colours come together, one colour for each point')
    panels = _photographs(image, mask)
    if points is not None:
        panels += _clouds(points[:, :3] * [1, -1 if y_down else 1, 1], np.asarray(colours) / 255, z_name)
    if chances is not None:
        rest = f' of {len(chances)} classes' if len(chances) > _MOST_BARS else ''
        panels.append((f'probabilities{rest}', 0.9, lambda axes: _bars(axes, chances)))
    width = sum(_HIGH * wide + _GAP for _, wide, _ in panels) + _GAP
    height = _HIGH + _TOP + _GAP
    figure, left = new_figure(width, height), _GAP
    for head, wide, draw in panels:
        axes = figure.add_axes([left / width, _GAP / height, _HIGH * wide / width, _HIGH / height], anchor='N')
        draw(axes)
        axes.set_title(head, fontsize=9.5, color=INK, pad=5)
        left += _HIGH * wide + _GAP
    figure.suptitle(title, x=0.5, y=1 - 0.12 / height, va='top', fontsize=12, color=INK)
    return save_figure(figure, path)


def _photographs(image: np.ndarray, mask: Optional[np.ndarray]) -> List[Panel]:
    """The whole, and the object where it is small."""
    whole = image.shape[1] / image.shape[0]
    if mask is None:
        return [('photograph', _clip(whole), lambda axes: draw_outlined(axes, image))]
    share = f'photograph, {100 * float((mask != 0).mean()):.1f} % foreground'
    box = object_box(mask)
    if box is None or max(box[2] - box[0], box[3] - box[1]) > _SMALL * max(mask.shape):
        return [(share, _clip(whole), lambda axes: draw_outlined(axes, image, mask))]

    def framed(axes: Axes) -> None:
        """Where the next panel lies."""
        draw_outlined(axes, image, mask, line=0.4)
        left, top, right, bottom = box
        axes.plot([left, right - 1, right - 1, left, left], [top, top, bottom - 1, bottom - 1, top], color=SOFT,
                  linewidth=0.8)  # fmt: skip

    close = (box[2] - box[0]) / (box[3] - box[1])
    return [(share, _clip(whole), framed),
            ('the object', _clip(close), lambda axes: draw_outlined(axes, image, mask, box))]  # fmt: skip


def _clouds(points: np.ndarray, colours: np.ndarray, z_name: str) -> List[Panel]:
    scale = depth_scale(points)
    shrunk = f' (shrunk to {scale:.2g})' if scale < 1 else ''
    front, angle = f'{len(points):,} points from the front', f'z: {z_name}{shrunk}'
    return [(front, 1.0, lambda axes: draw_cloud(axes, points, colours, _HIGH)),
            (angle, 1.0, lambda axes: draw_cloud(axes, points, colours, _HIGH, oblique=True))]  # fmt: skip


def _clip(aspect: float) -> float:
    return float(np.clip(aspect, _SLIMMEST, _WIDEST))


def _bars(axes: Axes, chances: Mapping[str, float]) -> None:
    """Horizontal bars, the largest on top, names over them so that long ones fit."""
    shown = sorted(chances.items(), key=lambda item: -item[1])[:_MOST_BARS]
    for row, (name, chance) in enumerate(shown):
        axes.barh(row, 1.0, height=0.28, color=FAINT)
        axes.barh(row, chance, height=0.28, color=_BAR if row else _BEST)
        axes.text(0, row - 0.22, name, fontsize=9, color=INK, va='bottom', weight='normal' if row else 'bold')
        axes.text(1, row - 0.22, f'{100 * chance:.1f} %', fontsize=9, color=INK, va='bottom', ha='right')
    axes.set(xlim=(-0.08, 1.08), ylim=(max(len(shown), 5) - 0.5, -0.75))
    axes.set_axis_off()
