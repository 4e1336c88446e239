"""The small files of a ScanNet scan: mesh, segments, objects, parameters, and zips of label images."""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Sequence, Tuple

import cv2
import numpy as np
from plyfile import PlyData, PlyElement

from mmfusion_plugin.files import whole_file, write_text
from mmfusion_plugin.synthetic.scannet_categories import NAMES

# Zips carry a date; this is the earliest that they know, so that the same seed gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def write_mesh(path: Path, points: np.ndarray, colors: np.ndarray, faces: np.ndarray) -> None:
    """A binary PLY with the elements and properties of ``_vh_clean_2.ply``.

    Args:
        path: File to write.
        points: ``(N, 3)`` metres.
        colors: ``(N, 3)`` uint8 RGB.
        faces: ``(M, 3)`` int32.
    """
    vertex = np.zeros(len(points), dtype=[*((axis, '<f4') for axis in 'xyz'),
                                          *((name, 'u1') for name in ('red', 'green', 'blue', 'alpha'))])  # fmt: skip
    for column, axis in enumerate('xyz'):
        vertex[axis] = points[:, column]
    for column, name in enumerate(('red', 'green', 'blue')):
        vertex[name] = colors[:, column]
    vertex['alpha'] = 255
    face = np.zeros(len(faces), dtype=[('vertex_indices', '<i4', (3,))])
    face['vertex_indices'] = faces
    elements = [PlyElement.describe(vertex, 'vertex'), PlyElement.describe(face, 'face')]
    with whole_file(path) as partial:
        PlyData(elements, text=False, byte_order='<').write(str(partial))


def write_segments(path: Path, scan: str, segments: np.ndarray) -> None:
    """``_vh_clean_2.0.010000.segs.json``: the segment of each vertex, ``(N,)`` integers."""
    parameters = {
        'kThresh': '0.0001', 'segMinVerts': '20', 'minPoints': '750', 'maxPoints': '30000', 'thinThresh': '0.05',
        'flatThresh': '0.001', 'minLength': '0.02', 'maxLength': '1',
    }  # fmt: skip
    write_text(path, json.dumps({'params': parameters, 'sceneId': scan, 'segIndices': segments.tolist()}))


def write_aggregation(path: Path, scan: str, groups: Sequence[Tuple[int, List[int]]]) -> None:
    """``.aggregation.json``: raw id and segments of each annotated object."""
    listed = [
        {'id': number, 'objectId': number, 'segments': segments, 'label': NAMES[category]}
        for number, (category, segments) in enumerate(groups)
    ]
    content = {
        'sceneId': f'scannet.{scan}', 'appId': 'Aggregator.v2', 'segGroups': listed,
        'segmentsFile': f'scannet.{scan}_vh_clean_2.0.010000.segs.json',
    }  # fmt: skip
    write_text(path, json.dumps(content))


def write_parameters(path: Path, parameters: Dict[str, object]) -> None:
    """``<scan>.txt``: sorted lines ``key = value``, arrays as numbers in rows."""
    lines = []
    for key, value in sorted(parameters.items()):
        text = ' '.join(f'{number:f}' for number in np.ravel(value)) if isinstance(value, np.ndarray) else str(value)
        lines.append(f'{key} = {text}')
    write_text(path, '\n'.join(lines) + '\n')


@contextlib.contextmanager
def label_zip(path: Path, folder: str) -> Iterator[Callable[[int, np.ndarray], None]]:
    """A zip of 16-bit PNGs ``<folder>/<frame>.png``; the file appears at the end of the block.

    Yields:
        Function that adds the label image ``(H, W)`` uint16 of a frame number.
    """
    with whole_file(path) as partial, zipfile.ZipFile(partial, 'w') as archive:
        archive.writestr(zipfile.ZipInfo(f'{folder}/', _DATE), b'')

        def add(frame: int, label: np.ndarray) -> None:
            data = cv2.imencode('.png', label)[1].tobytes()
            archive.writestr(zipfile.ZipInfo(f'{folder}/{frame}.png', _DATE), data)

        yield add
