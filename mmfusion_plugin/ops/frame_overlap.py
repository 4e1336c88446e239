"""Which points each depth image of a sequence sees."""

from __future__ import annotations

import numpy as np

# Pairs of a frame and a point that are projected at once: small enough for a processor's cache.
_PAIRS = 1 << 16


def frame_overlap(
    points: np.ndarray, depth: np.ndarray, cam2world: np.ndarray, depth2img: np.ndarray, within: float = 0.1
) -> np.ndarray:
    """Which points lie on the surface that each frame measured.

    A frame sees a point that projects into its image, onto a pixel whose depth is that of the point. MVPNet asks the
    other way round, whether a pixel lies near a point; projecting needs no search, and finds the same.

    Args:
        points: (K, 3) floating, metres, in the frame of the poses.
        depth: (F, h, w) metres along the optical axis; 0 (or NaN) is unmeasured.
        cam2world: (F, 4, 4) rigid poses, metres; one that is not finite sees nothing.
        depth2img: (3, 3) camera matrix of the depth images, last row 0 0 1, pixel centres at integers.
        within: Metres that the two depths may differ by; 0.1 is MVPNet's
            (``mvpnet/data/preprocess/preprocess.py``).

    Returns:
        (F, K) bool.

    Raises:
        ValueError: A shape is wrong.
    """
    points, poses = np.asarray(points, np.float64), np.asarray(cam2world, np.float64)
    matrix = np.array(depth2img, np.float64)
    frames = len(depth)
    if points.ndim != 2 or points.shape[1] != 3 or depth.ndim != 3:
        raise ValueError(f'need points (K, 3) and depth (F, h, w), got {points.shape} and {depth.shape}')
    if poses.shape != (frames, 4, 4) or matrix.shape != (3, 3):
        raise ValueError(f'need {frames} poses (F, 4, 4) and depth2img (3, 3), got {poses.shape} and {matrix.shape}')
    seen = np.zeros((frames, len(points)), bool)
    if not seen.size or not depth.size:
        return seen
    matrix[:2, 2] += 0.5  # from here on a pixel covers u <= x < u + 1
    usable = np.flatnonzero(np.isfinite(poses).all(axis=(1, 2)))
    step = max(1, _PAIRS // len(points))
    for start in range(0, len(usable), step):
        rows = usable[start:start + step]
        rotation = poses[rows, :3, :3].swapaxes(1, 2)  # a rotation's inverse is its transpose
        centre = poses[rows, :3, 3:]
        to_image = matrix @ rotation
        image = to_image @ points.T - to_image @ centre
        seen[rows] = _on_surface(image, depth, rows, within)
    return seen


def _on_surface(image: np.ndarray, depth: np.ndarray, rows: np.ndarray, within: float) -> np.ndarray:
    """Which of (f, 3, K) points, as column and row times depth, and depth, lie on the surface of their frame."""
    x, y, z = image[:, 0], image[:, 1], image[:, 2]
    height, width = depth.shape[1:]
    # Without a division: no point behind the camera, or in its plane, passes all four.
    hit = (x >= 0) & (x < width * z) & (y >= 0) & (y < height * z)
    frame, point = np.nonzero(hit)
    z = z[frame, point]
    # Where a quotient rounds up to the far edge it belongs to the last pixel.
    column = np.minimum((x[frame, point] / z).astype(np.int64), width - 1)
    row = np.minimum((y[frame, point] / z).astype(np.int64), height - 1)
    measured = depth[rows[frame], row, column]
    hit[frame, point] = (measured > 0) & (np.abs(z - measured) <= within)
    return hit
