"""The official category ids, names and colours of nuScenes, in one place.

nuScenes-lidarseg stores 32 *fine* categories (uint8 ids 0..31 in ``*_lidarseg.bin``, the ``index`` of
``category.json``). Its challenge scores 16 *classes* and ignores the rest. The devkit numbers the challenge classes
1..16 with 0 ignored; here, as everywhere in MMDetection3D, classes are 0..15 and ignored points carry 16. Only the
converter and the submission writer need the official ids.

Sources: nuscenes-devkit 1.2.0, ``nuscenes/utils/color_map.py`` and ``nuscenes/eval/lidarseg/utils.py``
(``LidarsegClassMapper``); ``tests/test_converters/test_nuscenes_taxonomy.py`` compares with both.
"""

from __future__ import annotations

IGNORE_INDEX = 16

FINE_NAMES: tuple[str, ...] = (
    'noise',
    'animal',
    'human.pedestrian.adult',
    'human.pedestrian.child',
    'human.pedestrian.construction_worker',
    'human.pedestrian.personal_mobility',
    'human.pedestrian.police_officer',
    'human.pedestrian.stroller',
    'human.pedestrian.wheelchair',
    'movable_object.barrier',
    'movable_object.debris',
    'movable_object.pushable_pullable',
    'movable_object.trafficcone',
    'static_object.bicycle_rack',
    'vehicle.bicycle',
    'vehicle.bus.bendy',
    'vehicle.bus.rigid',
    'vehicle.car',
    'vehicle.construction',
    'vehicle.emergency.ambulance',
    'vehicle.emergency.police',
    'vehicle.motorcycle',
    'vehicle.trailer',
    'vehicle.truck',
    'flat.driveable_surface',
    'flat.other',
    'flat.sidewalk',
    'flat.terrain',
    'static.manmade',
    'static.other',
    'static.vegetation',
    'vehicle.ego',
)
"""Fine category of each lidarseg id 0..31."""

CLASSES: tuple[str, ...] = (
    'barrier',
    'bicycle',
    'bus',
    'car',
    'construction_vehicle',
    'motorcycle',
    'pedestrian',
    'traffic_cone',
    'trailer',
    'truck',
    'driveable_surface',
    'other_flat',
    'sidewalk',
    'terrain',
    'manmade',
    'vegetation',
)
"""The 16 challenge classes; class c here is class c + 1 in the official evaluator."""

_CLASS_OF_FINE_NAME = {
    'human.pedestrian.adult': 'pedestrian',
    'human.pedestrian.child': 'pedestrian',
    'human.pedestrian.construction_worker': 'pedestrian',
    'human.pedestrian.police_officer': 'pedestrian',
    'movable_object.barrier': 'barrier',
    'movable_object.trafficcone': 'traffic_cone',
    'vehicle.bicycle': 'bicycle',
    'vehicle.bus.bendy': 'bus',
    'vehicle.bus.rigid': 'bus',
    'vehicle.car': 'car',
    'vehicle.construction': 'construction_vehicle',
    'vehicle.motorcycle': 'motorcycle',
    'vehicle.trailer': 'trailer',
    'vehicle.truck': 'truck',
    'flat.driveable_surface': 'driveable_surface',
    'flat.other': 'other_flat',
    'flat.sidewalk': 'sidewalk',
    'flat.terrain': 'terrain',
    'static.manmade': 'manmade',
    'static.vegetation': 'vegetation',
}

FINE_TO_CLASS: tuple[int, ...] = tuple(
    CLASSES.index(_CLASS_OF_FINE_NAME[name]) if name in _CLASS_OF_FINE_NAME else IGNORE_INDEX for name in FINE_NAMES
)
"""Class 0..15, or 16 (ignored), of each fine id 0..31."""

PALETTE: tuple[tuple[int, int, int], ...] = (
    (112, 128, 144),
    (220, 20, 60),
    (255, 127, 80),
    (255, 158, 0),
    (233, 150, 70),
    (255, 61, 99),
    (0, 0, 230),
    (47, 79, 79),
    (255, 140, 0),
    (255, 99, 71),
    (0, 207, 191),
    (175, 0, 75),
    (75, 0, 75),
    (112, 180, 60),
    (222, 184, 135),
    (0, 175, 0),
)
"""RGB colour of each class, the devkit's own."""

DETECTION_CLASSES: tuple[str, ...] = (
    'car',
    'truck',
    'trailer',
    'bus',
    'construction_vehicle',
    'bicycle',
    'motorcycle',
    'pedestrian',
    'traffic_cone',
    'barrier',
)
"""The ten detection classes in the order of MMDetection3D's nuScenes info files."""

FINE_TO_DETECTION: tuple[int, ...] = tuple(
    DETECTION_CLASSES.index(_CLASS_OF_FINE_NAME[name]) if _CLASS_OF_FINE_NAME.get(name) in DETECTION_CLASSES else -1
    for name in FINE_NAMES
)
"""Detection class 0..9, or -1 (not detected), of each fine id 0..31."""

ATTRIBUTES: tuple[str, ...] = (
    'cycle.with_rider',
    'cycle.without_rider',
    'pedestrian.moving',
    'pedestrian.standing',
    'pedestrian.sitting_lying_down',
    'vehicle.moving',
    'vehicle.parked',
    'vehicle.stopped',
    'None',
)
"""Attributes in the order of MMDetection3D's ``attr_label``; the last one stands for an annotation without
attribute."""

CAMERAS: tuple[str, ...] = (
    'CAM_FRONT',
    'CAM_FRONT_RIGHT',
    'CAM_FRONT_LEFT',
    'CAM_BACK',
    'CAM_BACK_LEFT',
    'CAM_BACK_RIGHT',
)
"""The six cameras in the order of MMDetection3D's info files."""

LIDAR = 'LIDAR_TOP'
VERSIONS: tuple[str, ...] = ('v1.0-trainval', 'v1.0-mini', 'v1.0-test')
"""The releases, which are folders of tables."""

POINT_BYTES = 20
"""A sweep holds float32 x, y, z, intensity, ring for each point."""

IMAGE_SIZE = (1600, 900)
"""Width and height of every nuScenes image in pixels."""
