"""How well point labels agree with annotated 3D boxes: a check on real data that has boxes but no point labels."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np
from terminaltables import AsciiTable


class BoxShare(NamedTuple):
    """One box: its class, its points, and how many of these have the box's class."""

    box: int
    name: str
    points: int
    right: int

    @property
    def share(self) -> float:
        """Share of the box's points with its class; nan for a box without points."""
        return self.right / self.points if self.points else float('nan')


def points_in_box(xyz: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Which points lie in a box, faces included.

    Args:
        xyz: ``(N, 3)`` metres.
        box: x, y, z of the centre (half-way up, as in MMDetection3D's v2 info files, not on the ground), length along
            the heading, width, height, and yaw about z from x towards y.

    Returns:
        ``(N,)`` bool.
    """
    offset = xyz[:, :3].astype(np.float64) - box[:3]
    cosine, sine = np.cos(box[6]), np.sin(box[6])
    along = cosine * offset[:, 0] + sine * offset[:, 1]
    across = cosine * offset[:, 1] - sine * offset[:, 0]
    return (np.abs(np.stack([along, across, offset[:, 2]], axis=1)) <= box[3:6] / 2).all(axis=1)


def box_agreement(
    xyz: np.ndarray, labels: np.ndarray, boxes: np.ndarray, box_classes: np.ndarray, classes: Sequence[str]
) -> list[BoxShare]:
    """Share of each box's points that carry the box's class.

    Args:
        xyz: ``(N, 3)`` metres, in the frame of the boxes.
        labels: ``(N,)`` int class per point, a position in ``classes``.
        boxes: ``(K, 7)``, see :func:`points_in_box`.
        box_classes: ``(K,)`` int class per box, in the same numbering; boxes beyond the classes have no right answer
            and are left out.
        classes: Class names.

    Returns:
        One entry per box with a class, in order.
    """
    shares = []
    for number, (box, label) in enumerate(zip(boxes, box_classes)):
        if not 0 <= label < len(classes):
            continue
        inside = points_in_box(xyz, box)
        shares.append(BoxShare(number, classes[label], int(inside.sum()), int((labels[inside] == label).sum())))
    return shares


def summarise(shares: Sequence[BoxShare]) -> dict:
    """Totals for JSON: per class and overall ``boxes``, ``boxes_without_points``, ``points``, ``right``, ``share``."""
    names = sorted({share.name for share in shares})
    classes = {name: _total([share for share in shares if share.name == name]) for name in names}
    return dict(
        boxes=[dict(share._asdict(), share=_or_none(share.share)) for share in shares],
        classes=classes, total=_total(shares),
    )


def agreement_table(shares: Sequence[BoxShare]) -> str:
    """Text table: each box that holds points, then totals per class and overall."""
    rows = [['box', 'class', 'points', 'given its class', 'share']]
    for one in sorted(shares, key=lambda one: (one.name, one.box)):
        if one.points:
            rows.append([one.box, one.name, one.points, one.right, f'{100 * one.share:.1f} %'])
    summary = summarise(shares)
    totals = [['class', 'boxes', 'without points', 'points', 'given its class', 'share']]
    for name, total in {**summary['classes'], 'all': summary['total']}.items():
        share = '-' if total['share'] is None else f'{100 * total["share"]:.1f} %'
        totals.append([name, total['boxes'], total['boxes_without_points'], total['points'], total['right'], share])
    table = AsciiTable(totals)
    table.inner_footing_row_border = True
    return f'{AsciiTable(rows).table}\n{table.table}'


def _total(shares: Sequence[BoxShare]) -> dict:
    points, right = sum(share.points for share in shares), sum(share.right for share in shares)
    empty = sum(share.points == 0 for share in shares)
    return dict(
        boxes=len(shares), boxes_without_points=empty, points=points, right=right,
        share=right / points if points else None,
    )


def _or_none(value: float) -> float | None:
    """JSON has no nan."""
    return None if np.isnan(value) else value
