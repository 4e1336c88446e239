"""Small typed carriers shared by the systems."""

from .boxes_2d import Boxes2D
from .point_pixel_match import PointPixelMatch
from .shape_sample import ShapeSample

__all__ = ['Boxes2D', 'PointPixelMatch', 'ShapeSample']
