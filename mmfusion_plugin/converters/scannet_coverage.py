"""Which vertices of a mesh the frames of a scan have seen."""

from __future__ import annotations

import numpy as np

SEEN_WITHIN = 0.1
"""Metres between a vertex and the measured depth up to which it counts as seen, as in MVPNet's overlap."""


class VertexCoverage:
    """Collects the vertices that are in view and not hidden, frame by frame.

    A vertex counts once: only those not seen yet are projected, so that all frames of a scan cost little more than the
    first ones.

    Args:
        vertices: ``(N, 3)`` metres, world.
        intrinsic: ``(3, 3)`` camera matrix of the depth images, pixel centres at integers.
    """

    def __init__(self, vertices: np.ndarray, intrinsic: np.ndarray) -> None:
        self.total = len(vertices)
        self._unseen = np.asarray(vertices, np.float64)
        self._intrinsic = np.asarray(intrinsic, np.float64)

    @property
    def seen(self) -> int:
        """Number of vertices seen so far."""
        return self.total - len(self._unseen)

    def add(self, depth: np.ndarray, camera_to_world: np.ndarray) -> None:
        """Add a frame.

        Args:
            depth: ``(H, W)`` metres along the optical axis; 0 is unmeasured.
            camera_to_world: ``(4, 4)`` pose, metres.
        """
        pose = np.asarray(camera_to_world, np.float64)
        camera = (self._unseen - pose[:3, 3]) @ pose[:3, :3]  # a rotation's inverse is its transpose
        z = camera[:, 2]
        rows = np.flatnonzero(z > 0)
        pixels = camera[rows] @ self._intrinsic[:2].T / z[rows, None]
        inside = ((pixels >= -0.5) & (pixels < np.array(depth.shape[::-1]) - 0.5)).all(axis=1)
        rows, (u, v) = rows[inside], np.rint(pixels[inside]).astype(np.int64).T
        # Rounding takes -0.5 and the far edge to the outermost pixel.
        measured = depth[v.clip(0, depth.shape[0] - 1), u.clip(0, depth.shape[1] - 1)]
        hit = rows[(measured > 0) & (np.abs(z[rows] - measured) <= SEEN_WITHIN)]
        self._unseen = np.delete(self._unseen, hit, axis=0)
