"""Category names of 2D detectors as nuScenes' fine categories."""

from __future__ import annotations

from typing import Mapping, Optional

from .nuscenes_taxonomy import FINE_NAMES

_DETECTION_TO_FINE = {
    'car': 'vehicle.car',
    'truck': 'vehicle.truck',
    'trailer': 'vehicle.trailer',
    'bus': 'vehicle.bus.rigid',
    'construction_vehicle': 'vehicle.construction',
    'bicycle': 'vehicle.bicycle',
    'motorcycle': 'vehicle.motorcycle',
    'pedestrian': 'human.pedestrian.adult',
    'traffic_cone': 'movable_object.trafficcone',
    'barrier': 'movable_object.barrier',
}

NAME_TO_FINE: dict[str, str] = {
    **{name: name for name in FINE_NAMES},
    **_DETECTION_TO_FINE,
    'person': 'human.pedestrian.adult',
}
"""Fine category of a name, in lower case with underscores: nuScenes' own fine names (nuImages has the same), its ten
detection classes, and COCO's person, bicycle, car, motorcycle, bus and truck. A person counts as an adult and a bus as
a rigid one, as most are: these detectors do not tell. COCO's other names (train, dog, traffic light) stay unknown."""


def fine_category(name: str, own: Optional[Mapping[str, str]] = None) -> Optional[int]:
    """Fine category 0..31 of a detector's category name.

    Args:
        name: In any case, words joined by blanks, hyphens or underscores.
        own: Further names with the fine name of each; come before :data:`NAME_TO_FINE`.

    Returns:
        The category, or None for a name that is in neither table.

    Raises:
        ValueError: ``own`` leads to a name that is no fine category.
    """
    own = {_plain(key): fine for key, fine in (own or {}).items()}
    strangers = sorted(set(own.values()) - set(FINE_NAMES))
    if strangers:
        raise ValueError(f'{strangers[0]!r} is no fine category of nuScenes; choose from {", ".join(FINE_NAMES)}')
    fine = own.get(_plain(name), NAME_TO_FINE.get(_plain(name)))
    return None if fine is None else FINE_NAMES.index(fine)


def _plain(name: str) -> str:
    return name.strip().lower().replace(' ', '_').replace('-', '_')
