"""A picture measured in millimetres, and the strokes that a pressed plant is made of."""

from __future__ import annotations

from typing import Iterable, NamedTuple, Tuple

import cv2
import numpy as np

Colour = Tuple[float, float, float]
# Fractional bits of OpenCV's coordinates.
_SHIFT = 5


class Stroke(NamedTuple):
    """A filled polygon, or a line when ``width`` is positive.

    Attributes:
        points: (N, 2) float x, y in mm from the sheet's upper left corner, y down.
        colour: RGB, 0 to 255.
        width: Of the line (mm).
        outline: Whether it belongs to the plant's outline; veins, shades, and gnawed holes do not.
    """

    points: np.ndarray
    colour: Colour
    width: float = 0.0
    outline: bool = True


class Canvas:
    """Antialiased drawing on an image.

    Args:
        pixels: (H, W, 3) or (H, W) uint8, drawn on in place.
        scale: Pixels per mm.
    """

    def __init__(self, pixels: np.ndarray, scale: float) -> None:
        self.pixels = pixels
        self.scale = scale

    @property
    def size(self) -> Tuple[float, float]:
        """Width and height (mm)."""
        height, width = self.pixels.shape[:2]
        return width / self.scale, height / self.scale

    def fill(self, points: np.ndarray, colour: Colour) -> None:
        """Fills a polygon ``(N, 2)`` (mm), up to a pixel wider than it is, as OpenCV draws its rim as well."""
        cv2.fillPoly(self.pixels, [self._fixed(points)], self._ink(colour), cv2.LINE_AA, _SHIFT)

    def line(self, points: np.ndarray, colour: Colour, width: float) -> None:
        """Draws a polyline ``(N, 2)`` of a width (mm); thinner than a pixel, it is a pixel wide."""
        thickness = max(int(round(width * self.scale)), 1)
        cv2.polylines(self.pixels, [self._fixed(points)], False, self._ink(colour), thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, centre: Tuple[float, float], radius: float, colour: Colour) -> None:
        """Fills a circle (mm)."""
        self.fill(ellipse(centre, (radius, radius)), colour)

    def box(self, corner: Tuple[float, float], size: Tuple[float, float], colour: Colour) -> None:
        """Fills an upright rectangle from its upper left corner (mm)."""
        (x, y), (width, height) = corner, size
        self.fill(np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]]), colour)

    def text(
        self, corner: Tuple[float, float], words: str, height: float, colour: Colour, script: bool = False
    ) -> None:
        """Writes from the lower left corner, capitals being ``height`` mm high."""
        font = cv2.FONT_HERSHEY_SCRIPT_SIMPLEX if script else cv2.FONT_HERSHEY_COMPLEX
        size = height * self.scale / 21.0  # Hershey's capitals are 21 units high
        at = int(round(corner[0] * self.scale)), int(round(corner[1] * self.scale))
        cv2.putText(self.pixels, words, at, font, size, self._ink(colour), max(int(size), 1), cv2.LINE_AA)

    def draw(self, strokes: Iterable[Stroke]) -> None:
        """Draws strokes in their order."""
        for stroke in strokes:
            if stroke.width > 0:
                self.line(stroke.points, stroke.colour, stroke.width)
            else:
                self.fill(stroke.points, stroke.colour)

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        # Pixel centres are integers: the picture's left edge, 0 mm, is at -0.5.
        return np.rint((np.asarray(points) * self.scale - 0.5) * (1 << _SHIFT)).astype(np.int32)

    def _ink(self, colour: Colour) -> Tuple[int, ...]:
        red, green, blue = (int(min(max(value, 0), 255)) for value in colour)
        return (blue, green, red) if self.pixels.ndim == 3 else (red,)


def coverage(strokes: Iterable[Stroke], shape: Tuple[int, int], scale: float) -> np.ndarray:
    """``(H, W)`` uint8 share of each pixel, 255 being all, that the outline of strokes covers."""
    canvas = Canvas(np.zeros(shape, np.uint8), scale)
    canvas.draw(stroke._replace(colour=(255, 255, 255)) for stroke in strokes if stroke.outline)
    return canvas.pixels


def ellipse(
    centre: Tuple[float, float], radii: Tuple[float, float], tilt: float = 0.0, corners: int = 20
) -> np.ndarray:
    """``(corners, 2)`` points of an ellipse whose first radius points to the angle ``tilt`` (rad)."""
    turn = np.arange(corners) * (2 * np.pi / corners)
    return np.asarray(centre) + rotated(np.stack([radii[0] * np.cos(turn), radii[1] * np.sin(turn)], axis=1), tilt)


def rotated(points: np.ndarray, angle: float) -> np.ndarray:
    """``(N, 2)`` points turned about the origin by an angle (rad), from x to y."""
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def tapered(axis: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Polygon ``(2 N, 2)`` about a line ``(N, 2)`` that has the widths ``(N,)`` there (mm)."""
    along = np.gradient(axis, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True).clip(1e-9)
    half = across * (widths / 2)[:, None]
    return np.concatenate([axis + half, (axis - half)[::-1]])
