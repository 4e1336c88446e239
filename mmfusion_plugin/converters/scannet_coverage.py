"""What the frames of a scan have seen: how many of its vertices, and which of some base points each frame."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from mmfusion_plugin.ops.frame_overlap import frame_overlap

SEEN_WITHIN = 0.1
"""Metres between a vertex and the measured depth up to which it counts as seen, as in MVPNet's overlap."""

BASE_POINTS = 2000
"""Vertices of a scan that stand for all when views are chosen (MVPNet, ``mvpnet/data/preprocess/preprocess.py``)."""


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
        self._intrinsic = intrinsic

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
        (hit,) = frame_overlap(self._unseen, depth[None], camera_to_world[None], self._intrinsic, SEEN_WITHIN)
        self._unseen = self._unseen[~hit]


class BaseOverlap:
    """Collects which base points each frame sees, for the choice of views.

    Args:
        scan: Name, which alone decides the vertices that are drawn.
        vertices: ``(N, 3)`` metres, world.
        intrinsic: ``(3, 3)`` camera matrix of the depth images, pixel centres at integers.
    """

    def __init__(self, scan: str, vertices: np.ndarray, intrinsic: np.ndarray) -> None:
        random = np.random.default_rng(zlib.crc32(scan.encode()))
        count = min(BASE_POINTS, len(vertices))
        self.base = np.sort(random.choice(len(vertices), count, replace=False)).astype(np.int32)
        self._points = np.asarray(vertices[self.base], np.float64)
        self._intrinsic = intrinsic
        self._seen: list[np.ndarray] = []

    def add(self, depth: np.ndarray, camera_to_world: np.ndarray) -> None:
        """Add the next frame, as :meth:`VertexCoverage.add`."""
        (hit,) = frame_overlap(self._points, depth[None], camera_to_world[None], self._intrinsic, SEEN_WITHIN)
        self._seen.append(np.packbits(hit))

    def save(self, path: Path) -> None:
        """Write ``base (K,)`` int32, rows of the base points, rising, and ``seen (F, ceil(K / 8))`` uint8, the bits of
        each frame's row as ``np.packbits`` packs them, to a ``.npz`` file."""
        seen = np.array(self._seen, np.uint8).reshape(-1, -(-len(self.base) // 8))
        np.savez(path, base=self.base, seen=seen)
