"""Where things stand in a rectangular room: along its walls, on its walls, in its middle; nothing overlaps."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from mmfusion_plugin.synthetic.meshes import Mesh
from mmfusion_plugin.synthetic.scannet_furniture import Piece
from mmfusion_plugin.synthetic.world import Actor

Rectangle = Tuple[float, float, float, float]
ATTEMPTS = 40
# Furniture stands this far (m) from its wall, and hung things keep this distance from each other.
GAP = 0.03
# What stands nearer (m) to a wall than this hides it.
BESIDE = 0.35


def _free(wanted: Rectangle, taken: Sequence[Rectangle]) -> bool:
    a0, a1, b0, b1 = wanted
    return all(a1 <= c0 or a0 >= c1 or b1 <= d0 or b0 >= d1 for c0, c1, d0, d1 in taken)


class Layout:
    """Fills a room from (0, 0) to (``width``, ``length``) m, ``height`` m high.

    Wall ``w`` of 0..3 runs along ``yaw = w * 90`` degrees, with the room on its left: what stands there looks at
    ``yaw + 90`` degrees. ``actors`` collects the objects.
    """

    def __init__(self, rng: np.random.Generator, width: float, length: float, height: float) -> None:
        self.rng, self.width, self.length, self.height = rng, width, length, height
        self.actors: List[Actor] = []
        self.ground: List[Rectangle] = []
        self.tall: List[Rectangle] = []
        self._walls: List[List[Rectangle]] = [[], [], [], []]
        self._origin = np.array([[0, 0], [width, 0], [width, length], [0, length]], dtype=np.float64)

    def extent(self, wall: int) -> float:
        """Length of a wall, metres."""
        return self.width if wall % 2 == 0 else self.length

    def add(self, parts: Sequence[Tuple[int, Mesh]], x: float, y: float, z: float, yaw: float) -> None:
        """Puts each part into the room as an object of its own."""
        self.actors += [Actor(mesh, number, (x, y, z), yaw) for number, mesh in parts]

    def on_wall(self, wall: int, along: float, out: float) -> Tuple[float, float, float]:
        """(x, y, yaw) of the place ``along`` m along a wall and ``out`` m before it."""
        yaw = wall * np.pi / 2
        cos, sin = round(float(np.cos(yaw))), round(float(np.sin(yaw)))
        x, y = self._origin[wall] + along * np.array([cos, sin]) + out * np.array([-sin, cos])
        return float(x), float(y), yaw

    def against_wall(self, piece: Piece, walls: Sequence[int] = (0, 1, 2, 3), clear: float = 0.0) -> bool:
        """Stands a piece with its back to one of the walls, ``clear`` m of free ground before it. Returns whether."""
        wide, deep, high = piece.size
        for _ in range(ATTEMPTS):
            wall = int(walls[self.rng.integers(len(walls))])
            if self.extent(wall) < wide + 0.1:
                continue
            along = float(self.rng.uniform(wide / 2 + 0.05, self.extent(wall) - wide / 2 - 0.05))
            if self.rng.random() < 0.3:  # corners are popular
                along = wide / 2 + 0.06
            x, y, yaw = self.on_wall(wall, along, deep / 2 + GAP)
            ground = self._ground(wall, along, wide, deep + GAP)
            needed = self._ground(wall, along, wide, deep + GAP + clear)
            if _free(needed, self.ground) and self._walls_free(ground, high):
                self._take(ground, high)
                self.add(piece.parts, x, y, 0.0, yaw)
                return True
        return False

    def in_middle(self, piece: Piece) -> bool:
        """Stands a piece somewhere off the walls, parallel to them. Returns whether it found a place."""
        for _ in range(ATTEMPTS):
            quarter = int(self.rng.integers(4))
            wide, deep = piece.size[:2] if quarter % 2 == 0 else piece.size[1::-1]
            low = np.array([wide / 2 + 0.6, deep / 2 + 0.6])
            room = np.array([self.width, self.length]) - 2 * low
            if (room < 0).any():
                continue
            x, y = low + self.rng.random(2) * room
            ground = (x - wide / 2 - 0.1, x + wide / 2 + 0.1, y - deep / 2 - 0.1, y + deep / 2 + 0.1)
            if _free(ground, self.ground):
                self._take(ground, piece.size[2])
                self.add(piece.parts, float(x), float(y), 0.0, quarter * np.pi / 2)
                return True
        return False

    def hang(
        self, parts: Sequence[Tuple[int, Mesh]], size: Tuple[float, float], middle: float, base: Optional[float] = None,
        clear: float = 0.0, margin: float = 0.05,
    ) -> Optional[Tuple[int, float]]:
        """Hangs something of ``size`` (width, height) m on a wall.

        Args:
            parts: Their back at y = 0.
            size: Width and height, metres.
            middle: Height (m) of its middle, where z = 0 of ``parts`` goes.
            base: Height where z = 0 of ``parts`` goes instead, for doors.
            clear: Free ground that it needs before it, metres.
            margin: Kept free to its left and right, metres.

        Returns:
            Wall and place along it, or None where nothing was free.
        """
        wide, high = size[0] + 2 * margin, size[1]
        for _ in range(ATTEMPTS):
            wall = int(self.rng.integers(4))
            if self.extent(wall) < wide + 0.1:
                continue
            along = float(self.rng.uniform(wide / 2 + 0.05, self.extent(wall) - wide / 2 - 0.05))
            place = (along - wide / 2, along + wide / 2, middle - high / 2 - GAP, middle + high / 2 + GAP)
            ground = self._ground(wall, along, wide, clear)
            if _free(place, self._walls[wall]) and (clear == 0.0 or _free(ground, self.ground)):
                self._walls[wall].append(place)
                if clear > 0.0:
                    self.ground.append(ground)
                x, y, yaw = self.on_wall(wall, along, 0.0)
                self.add(parts, x, y, middle if base is None else base, yaw)
                return wall, along
        return None

    def _ground(self, wall: int, along: float, wide: float, deep: float) -> Rectangle:
        corners = [self.on_wall(wall, along + side * wide / 2, out)[:2] for side in (-1, 1) for out in (0.0, deep)]
        (x0, y0), (x1, y1) = np.min(corners, axis=0), np.max(corners, axis=0)
        return float(x0), float(x1), float(y0), float(y1)

    def _shadows(self, ground: Rectangle, high: float) -> List[Tuple[int, Rectangle]]:
        """The parts of walls that something on ``ground`` stands before."""
        x0, x1, y0, y1 = ground
        beside = (
            (0, y0, x0, x1), (1, self.width - x1, y0, y1),
            (2, self.length - y1, self.width - x1, self.width - x0), (3, x0, self.length - y1, self.length - y0),
        )  # fmt: skip
        return [(wall, (a, b, 0.0, high)) for wall, distance, a, b in beside if distance < BESIDE]

    def _walls_free(self, ground: Rectangle, high: float) -> bool:
        return all(_free(shadow, self._walls[wall]) for wall, shadow in self._shadows(ground, high))

    def _take(self, ground: Rectangle, high: float) -> None:
        self.ground.append(ground)
        if high > 1.1:
            self.tall.append(ground)
        for wall, shadow in self._shadows(ground, high):
            self._walls[wall].append(shadow)
