"""ScanNet's labels as NYU40 ids: the table of names, the segments of a mesh, the ids of label images."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .scannet_taxonomy import UNLABELLED

_COLUMNS = ('id', 'raw_category', 'nyu40id')
_NYU40 = 40


@dataclass(frozen=True, eq=False)
class LabelTable:
    """``scannetv2-labels.combined.tsv``.

    Attributes:
        path: The file, for messages.
        by_name: NYU40 id of each raw category; 0 where it has none.
        by_id: ``(65536,)`` uint8 NYU40 id of each raw id that a 16-bit label image can hold; 0 for unknown ids.
    """

    path: Path
    by_name: dict[str, int]
    by_id: np.ndarray


def read_label_table(path: Path) -> LabelTable:
    """Read the table.

    Raises:
        FileNotFoundError: It is missing.
        ValueError: A column is missing, or a value is no id.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found: download it with the scans, it says what their labels mean')
    by_name, by_id = {}, np.zeros(1 << 16, np.uint8)
    with open(path, encoding='utf-8', newline='') as file:
        rows = csv.DictReader(file, delimiter='\t', quoting=csv.QUOTE_NONE)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f'{path} has no column {", ".join(missing)}: it must be the combined.tsv of ScanNet v2')
        for row in rows:
            number, nyu40 = row['id'] or '', row['nyu40id'] or str(UNLABELLED)
            if not (number.isdecimal() and nyu40.isdecimal() and int(number) < len(by_id) and int(nyu40) <= _NYU40):
                raise ValueError(
                    f'{path}, line {rows.line_num}: id {number!r} and nyu40id {nyu40!r} must be numbers, the second up '
                    f'to {_NYU40}'
                )
            by_name[row['raw_category']] = by_id[int(number)] = int(nyu40)
    return LabelTable(path, by_name, by_id)


def read_mesh_labels(segments: Path, aggregation: Path, table: LabelTable, num_vertices: int) -> np.ndarray:
    """NYU40 ids of a mesh's vertices.

    A segment that several objects claim takes the label that comes last in the order in which the file first names
    labels, as in ScanNet's ``export_train_mesh_for_evaluation.py``.

    Args:
        segments: ``<scan>_vh_clean_2.0.010000.segs.json``: the segment of each vertex.
        aggregation: ``<scan>.aggregation.json``: the segments and the label of each object.
        table: Of :func:`read_label_table`.
        num_vertices: Of the mesh.

    Returns:
        ``(num_vertices,)`` int64; 0 for vertices that nobody annotated.

    Raises:
        ValueError: A file is damaged or belongs to another mesh, or a label is not in the table.
    """
    of_vertex = np.asarray(_load(segments, 'segIndices'))
    if of_vertex.shape != (num_vertices,) or of_vertex.dtype.kind not in 'iu':
        raise ValueError(
            f'{segments} has {of_vertex.shape} segments for the {num_vertices} vertices of its mesh: one of the two '
            'belongs to another scan or is damaged; download both again'
        )
    groups: dict[str, list[int]] = {}
    for group in _load(aggregation, 'segGroups'):
        parts = group.get('segments') if isinstance(group, dict) else None
        if not isinstance(parts, list) or not isinstance(group.get('label'), str):
            raise ValueError(f'{aggregation}: {str(group)[:80]} is no group of segments and label: download it again')
        groups.setdefault(group['label'], []).extend(parts)
    unknown = [name for name in groups if name not in table.by_name]
    if unknown:
        raise ValueError(f'{aggregation}: label {unknown[0]!r} is not in {table.path}: download the current table')
    names, position = np.unique(of_vertex, return_inverse=True)
    of_segment = np.full(len(names), UNLABELLED, np.int64)
    for name, members in groups.items():
        of_segment[np.isin(names, members)] = table.by_name[name]
    return of_segment[position]


def _load(path: Path, key: str) -> list:
    """The list ``key`` of a JSON object."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not complete JSON ({error}): download it again') from error
    if not isinstance(content, dict) or not isinstance(content.get(key), list):
        raise ValueError(f'{path} holds no list {key!r}: download it again')
    return content[key]
