"""How far this package's overlap of frames and points agrees with MVPNet's, for ``scannet.py``."""

from __future__ import annotations

import numpy as np
import scannet_mvpnet as mvpnet
from scannet_mvpnet import Scan
from scannet_samples import chunk_of, inside

from mmfusion_plugin.ops.frame_overlap import frame_overlap
from mmfusion_plugin.ops.view_selection import greedy_views


def our_overlap(scan: Scan) -> np.ndarray:
    """``(F, K)`` bool."""
    return frame_overlap(scan.points[scan.base], scan.depth, scan.poses, scan.depth2img)


def agreement(scans: list[Scan], num_views: int) -> str:
    """How far the two overlaps agree, and how much of each the views chosen by the other cover."""
    random, same, pairs, both, either = np.random.default_rng(0), 0, 0, 0, 0
    reached = np.zeros((2, 2))  # chosen by, measured by
    for scan in scans:
        sides = our_overlap(scan), mvpnet.overlap(scan).T
        same, pairs = same + (sides[0] == sides[1]).sum(), pairs + sides[0].size
        both, either = both + (sides[0] & sides[1]).sum(), either + (sides[0] | sides[1]).sum()
        for _ in range(100):
            here = inside(scan.points[scan.base], chunk_of(scan, random)[0])
            for row, side in enumerate(sides):
                views = [view for view in greedy_views(side[:, here], num_views) if view >= 0]
                reached[row] += [other[:, here][views].any(axis=0).sum() for other in sides]
    share = reached / reached.diagonal()
    return (
        f'overlap: {100 * same / pairs:.1f} % of all pairs of frame and point are judged alike; of those seen by '
        f'either definition, {100 * both / either:.1f} % by both. {num_views} views chosen by ours cover '
        f"{100 * share[0, 1]:.1f} % of what MVPNet's choice covers by its own definition, and those chosen by MVPNet's "
        f'{100 * share[1, 0]:.1f} % of what ours covers by ours.'
    )
