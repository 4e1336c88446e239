"""The fixed tables of nuScenes (categories, attributes, visibility levels, sensors), and the tokens of records."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List

from mmfusion_plugin.converters.nuscenes_taxonomy import ATTRIBUTES, FINE_NAMES
from mmfusion_plugin.files import write_text
from mmfusion_plugin.synthetic.nuscenes_rig import CAMERAS

Record = Dict[str, Any]

#: The tables that hold one scene's own records; the others are the same for the whole world.
SCENE_TABLES = (
    'instance',
    'calibrated_sensor',
    'ego_pose',
    'log',
    'scene',
    'sample',
    'sample_data',
    'sample_annotation',
    'lidarseg',
)
VISIBILITY_LEVELS = (('1', 'v0-40', 0.4), ('2', 'v40-60', 0.6), ('3', 'v60-80', 0.8), ('4', 'v80-100', 1.01))


def token(*parts: object) -> str:
    """32 hexadecimal digits that depend on ``parts`` alone."""
    return hashlib.md5('/'.join(map(str, parts)).encode()).hexdigest()


def visibility_token(share: float) -> str:
    """The official visibility level '1'..'4' of an object whose ``share`` 0..1 of the image is not hidden."""
    return next(level for level, _, limit in VISIBILITY_LEVELS if share < limit)


def category_token(index: int) -> str:
    """Token of a fine category 0..31."""
    return token('category', FINE_NAMES[index])


def attribute_tokens(name: str) -> List[str]:
    """Tokens of an attribute given by name; empty for ''."""
    return [token('attribute', name)] if name else []


def fixed_tables() -> Dict[str, List[Record]]:
    """The tables that every world shares."""
    attributes = [name for name in ATTRIBUTES if name != 'None']
    return {
        'category': [
            {'token': category_token(index), 'name': name, 'description': f'Generated {name}.', 'index': index}
            for index, name in enumerate(FINE_NAMES)
        ],
        'attribute': [{'token': token('attribute', name), 'name': name, 'description': ''} for name in attributes],
        'visibility': [
            {'token': level, 'level': name, 'description': f'visibility of whole object is between {name[1:]}%'}
            for level, name, _ in VISIBILITY_LEVELS
        ],
        'sensor': [
            {'token': token('sensor', name), 'channel': name, 'modality': 'lidar' if name == 'LIDAR_TOP' else 'camera'}
            for name in (*CAMERAS, 'LIDAR_TOP')
        ],
    }


def write_json(path: Path, content: Any) -> None:
    """``content`` as JSON, written whole or not at all."""
    write_text(path, json.dumps(content, indent=0))
