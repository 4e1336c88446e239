"""Surface materials: one integer per triangle, read by the LiDAR (reflectance) and by the camera (texture)."""

from __future__ import annotations

import numpy as np

from mmfusion_plugin.converters.nuscenes_taxonomy import FINE_NAMES

#: fine nuScenes category name -> lidarseg index 0..31
FINE = {name: index for index, name in enumerate(FINE_NAMES)}

PLAIN, ROAD, PAVER, GRASS, CONCRETE, KERB, BRICK, PLASTER, CURTAIN_WALL, LEAF, BARK, PAINT = range(12)
WINDOW, TYRE, LAMP, STRIPES, CLOTH, RIBBED, SIGN, DIRT, GRAVEL, WATER, PLATE, SKIN = range(12, 24)
NUM_MATERIALS = 24

# Median intensity (0..255) and log-normal spread per material. Chosen so that a generated sweep has the statistics of
# the real keyframe's sweep: median 12, ground 5-95 % 3..49, a thin tail of saturated retro-reflectors.
_INTENSITY = {
    PLAIN: (13, 0.6),
    ROAD: (6, 0.45),
    PAVER: (13, 0.35),
    GRASS: (14, 0.5),
    CONCRETE: (15, 0.35),
    KERB: (24, 0.5),
    BRICK: (13, 0.4),
    PLASTER: (17, 0.45),
    CURTAIN_WALL: (5, 0.9),
    LEAF: (9, 0.7),
    BARK: (12, 0.5),
    PAINT: (13, 0.8),
    WINDOW: (4, 0.8),
    TYRE: (5, 0.5),
    LAMP: (60, 0.7),
    STRIPES: (38, 0.6),
    CLOTH: (14, 0.6),
    RIBBED: (18, 0.5),
    SIGN: (170, 0.5),
    DIRT: (16, 0.4),
    GRAVEL: (15, 0.5),
    WATER: (2, 0.8),
    PLATE: (220, 0.3),
    SKIN: (16, 0.4),
}
INTENSITY_MEDIAN = np.array([_INTENSITY[index][0] for index in range(NUM_MATERIALS)], dtype=np.float64)
INTENSITY_SPREAD = np.array([_INTENSITY[index][1] for index in range(NUM_MATERIALS)], dtype=np.float64)

# Share of rays that a smooth surface mirrors away instead of scattering back.
SPECULAR_LOSS = np.zeros(NUM_MATERIALS)
SPECULAR_LOSS[[CURTAIN_WALL, WINDOW, WATER, PAINT]] = 0.55, 0.6, 0.9, 0.05
