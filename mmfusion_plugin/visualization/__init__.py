"""Pictures as PNG with numpy and matplotlib; no display and no open3d."""

from .bird_eye_view import bird_eye_view
from .camera_overlay import camera_overlay
from .sample_pictures import draw_sample
from .scan_pictures import scan_views, value_views
from .training_curve import read_log, training_curve
from .view_pictures import view_pictures

__all__ = [
    'bird_eye_view',
    'camera_overlay',
    'draw_sample',
    'read_log',
    'scan_views',
    'training_curve',
    'value_views',
    'view_pictures',
]
