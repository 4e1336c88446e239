"""How well the frames of a recording agree on where things are: a check of poses, depth and camera matrix."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np
from scipy.spatial import cKDTree
from tqdm import tqdm

from mmfusion_plugin.converters.rgbd_recording import RecordedFrame, Recording

_QUERIES = 20_000


class PairAgreement(NamedTuple):
    """Distances between the points of two frames, metres; NaN where neither sees a point of the other.

    Attributes:
        numbers: Of the two frames.
        points: Number of points compared.
        median: Half of them are no farther from the other frame's nearest point.
        ninetieth: 90 % of them are no farther.
    """

    numbers: tuple[int, int]
    points: int
    median: float
    ninetieth: float


def fusion_agreement(recording: Recording, max_depth: float = 4.0, max_pairs: int = 50) -> list[PairAgreement]:
    """Compare the unprojected pixels of consecutive frames, in both directions.

    A pixel of one frame counts where the other frame measures something in its direction, so that both had it in view;
    what hides it there counts as well. Even perfect frames differ by the distance of their pixels in space (at 3 m and
    a focal length of 525 pixels: up to 4 mm), and a shift along a surface does not show.

    Args:
        recording: With at least two frames; with fewer there is nothing to compare.
        max_depth: Metres beyond which pixels are left out.
        max_pairs: Pairs compared at most, spread evenly; of each frame about 20,000 pixels, spread evenly as well, look
            for their nearest one among all of the other.

    Returns:
        One entry for each pair; none of a single frame.
    """
    count = len(recording.frames) - 1
    starts = np.unique(np.linspace(0, count - 1, max_pairs).astype(int)) if count > 0 else []
    found = []
    for start in tqdm(starts, desc='Comparing frames', unit='pair', leave=False):
        frames = recording.frames[start : start + 2]
        clouds = [recording.unprojected(frame, max_depth)[0] for frame in frames]
        distances = np.concatenate([
            _distances(recording, clouds[0], clouds[1], frames[1]),
            _distances(recording, clouds[1], clouds[0], frames[0]),
        ])
        shares = np.percentile(distances, (50, 90)) if len(distances) else (np.nan, np.nan)
        numbers = (frames[0].number, frames[1].number)
        found.append(PairAgreement(numbers, len(distances), float(shares[0]), float(shares[1])))
    return found


def agreement_report(pairs: Sequence[PairAgreement]) -> str:
    """Lines for people: each pair, and the worst of all."""
    if not pairs:
        return 'no two frames to compare'
    lines = [
        f'frames {one.numbers[0]} and {one.numbers[1]}: median {100 * one.median:.2f} cm, '
        f'90 % within {100 * one.ninetieth:.2f} cm ({one.points:,} points)'
        for one in pairs if one.points
    ]
    blind = len(pairs) - len(lines)
    if blind:
        lines.append(f'{blind} of {len(pairs)} pairs see nothing of each other')
    if len(lines) - bool(blind) > 1:
        medians, nineties = (np.array([one[column] for one in pairs if one.points]) for column in (2, 3))
        lines.append(f'frames agree: median {100 * np.median(medians):.2f} cm (worst pair {100 * medians.max():.2f}), '
                     f'90 % within {100 * np.median(nineties):.2f} cm (worst pair {100 * nineties.max():.2f})')
    return '\n'.join(lines)


def _distances(recording: Recording, points: np.ndarray, others: np.ndarray, other: RecordedFrame) -> np.ndarray:
    """Metres from points to their nearest of ``others``, for those that their frame has in view."""
    points = points[:: max(1, len(points) // _QUERIES)]
    if not len(others) or not len(points):
        return np.zeros(0)
    camera = (points - other.pose[:3, 3]) @ other.pose[:3, :3]
    camera = camera[camera[:, 2] > 0]
    points = camera @ other.pose[:3, :3].T + other.pose[:3, 3]
    pixels = np.rint(camera @ recording.intrinsic[:2].T / camera[:, 2:])
    depth = other.depth_metres(recording.depth_shift)
    inside = ((pixels >= 0) & (pixels < depth.shape[::-1])).all(axis=1)
    columns, rows = pixels[inside].astype(np.int64).T
    seen = depth[rows, columns] > 0
    return cKDTree(others).query(points[inside][seen])[0]
