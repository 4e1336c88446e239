"""A person walks through a room with a tablet: true camera poses, and those that tracking reports."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mmfusion_plugin.synthetic.scannet_room import Room

# Kept (m) from walls and tall furniture.
WALL_MARGIN, TALL_MARGIN = 0.4, 0.3
# Distance (m) at which a rotation error displaces as much as a translation error.
LEVER = 2.0


class Walk:
    """One way through a room; poses lie on it at any density.

    The person steps back from what the camera looks at, turns around the room one and a half times, and swings the
    camera, held 1.3 to 1.7 m high, between the horizon and the floor.

    Args:
        room: Where.
        rng: Draws the way.
    """

    def __init__(self, room: Room, rng: np.random.Generator) -> None:
        self._room = room
        self._start, self._turns = rng.uniform(-np.pi, np.pi), rng.choice([-1, 1]) * rng.uniform(1.5, 1.8)
        self._phase = rng.uniform(0, 2 * np.pi, 6)
        self._reach = rng.uniform(0.4, 0.5)

    def pose(self, time: float) -> np.ndarray:
        """``(4, 4)`` float64 camera (x right, y down, z forward) to room at ``time`` 0..1 of the walk."""
        wave = np.sin(2 * np.pi * np.array([3.0, 7.0, 4.0, 2.0, 5.0, 1.0]) * time + self._phase)
        yaw = self._start + 2 * np.pi * self._turns * time
        reach = self._reach + 0.25 * wave[3]
        size = np.array(self._room.size[:2])
        place = size / 2 - reach * size / 2 * np.array([np.cos(yaw), np.sin(yaw)]) + 0.15 * wave[4:6]
        yaw += 0.45 * wave[0]
        pitch, roll = -0.24 + 0.24 * wave[1], 0.05 * wave[2]
        matrix = np.eye(4)
        matrix[:3, :3] = looking(yaw, pitch, roll)
        matrix[:3, 3] = [*self._free_place(place), 1.5 + 0.12 * wave[3] + 0.06 * wave[0]]
        return matrix

    def _free_place(self, place: np.ndarray) -> np.ndarray:
        """The place, moved towards the middle of the room until nothing tall is near."""
        size = np.array(self._room.size[:2])
        for share in np.linspace(0, 1, 21):
            x, y = np.clip(place + share * (size / 2 - place), WALL_MARGIN, size - WALL_MARGIN)
            m = TALL_MARGIN
            if not any(x0 - m < x < x1 + m and y0 - m < y < y1 + m for x0, x1, y0, y1 in self._room.tall):
                break
        return np.array([x, y])


def looking(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """``(3, 3)`` rotation of a camera (x right, y down, z forward) to a frame with z up.

    Args:
        yaw: Of the optical axis about z, rad.
        pitch: Above the horizon, rad.
        roll: About the optical axis, rad.
    """
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    return np.stack([cos * right + sin * down, cos * down - sin * right, forward], axis=1)


@dataclass(frozen=True)
class Tracking:
    """How wrong the reported poses are.

    Attributes:
        noise: Standard deviation (m) of each frame's own error; its rotation displaces as much 2 m away.
        misalign: Drift (m) at the end of the walk, growing from zero at its start.
        lost: Share of frames without a pose.
    """

    noise: float = 0.01
    misalign: float = 0.03
    lost: float = 0.03

    def __post_init__(self) -> None:
        if self.noise < 0 or self.misalign < 0 or not 0 <= self.lost < 1:
            raise ValueError(
                f'pose noise {self.noise} and misalignment {self.misalign} must not be negative, the share of lost '
                f'frames {self.lost} must be in 0..1'
            )

    def report(self, poses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What tracking says.

        Args:
            poses: ``(F, 4, 4)`` true camera to room, in order, evenly spaced over the walk.
            rng: Draws the errors: the same ones, scaled, for any size of them.

        Returns:
            ``(F, 4, 4)``; frames that are lost hold -inf throughout. Of ten and more frames at least one is lost,
            unless ``lost`` is 0.
        """
        count = len(poses)
        shift, turn = rng.normal(size=(2, count, 3)) / np.sqrt(3)
        way, heading = rng.normal(size=3) * [1, 1, 0.3], rng.choice([-1.0, 1.0])
        way /= np.linalg.norm(way)
        lot, sure = rng.random(count), int(rng.integers(count))
        reported = poses.copy()
        for i, time in enumerate((np.arange(count) + 0.5) / count):
            reported[i, :3, :3] = rotation(turn[i] * self.noise / LEVER) @ poses[i, :3, :3]
            reported[i, :3, 3] += shift[i] * self.noise
            drift = rotation(np.array([0.0, 0.0, heading * self.misalign * time / LEVER]))
            reported[i, :3] = drift @ reported[i, :3]
            reported[i, :3, 3] += way * self.misalign * time
        gone = lot < self.lost
        if count >= 10 and self.lost > 0 and not gone.any():
            gone[sure] = True
        reported[gone] = -np.inf
        return reported


def rotation(vector: np.ndarray) -> np.ndarray:
    """``(3, 3)`` rotation by the length of ``vector (3,)`` (rad) about its direction."""
    return cv2.Rodrigues(np.asarray(vector, dtype=np.float64))[0]
