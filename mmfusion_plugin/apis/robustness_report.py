"""Rows of the robustness tool as a page with tables, and as curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmfusion_plugin.files import write_text
from mmfusion_plugin.visualization.robustness_plot import Panel, robustness_plot

from .robustness_conditions import DEGREES_PER_METRE, INTACT, VALUES
from .robustness_rows import Row
from .study.page import markdown
from .study.spread import Spread

TITLES = {
    'intact': ('Intact data', ''),
    'views': ('Number of views', 'views for each chunk'),
    'pose_noise': ('Pose errors', f'metres along each axis (and {DEGREES_PER_METRE:g}° per metre)'),
    'depth_holes': ('Depth holes', 'share of measured pixels without depth'),
    'drop': ('Missing views', 'share of views without image and depth'),
    'swap': ('Swapped images', 'share of views with the image of another'),
    'black': ('Black images', 'share of views with a black image'),
}
Table = dict[str, dict[Optional[float], Spread]]


def write_report(rows: Sequence[Row], out: Path) -> None:
    """Write ``robustness.md`` and ``robustness.png`` into the folder ``out``.

    Args:
        rows: What is compared, models in the order in which they shall appear; those of one name are averaged.
        out: Folder.
    """
    kinds = [kind for kind in VALUES if any(row['kind'] == kind for row in rows)] or [INTACT.kind]
    tables = {kind: table(rows, kind) for kind in kinds}
    robustness_plot(out / 'robustness.png', [_panel(kind, found) for kind, found in tables.items()])
    scans = ' or '.join(sorted({str(row['scans']) for row in rows}))
    text = [
        '# Robustness to missing and damaged views',
        f'mIoU (%) over {scans} scans; mean ± sample standard deviation where a model has several checkpoints. 0 of a '
        'damage is the intact data, with as many views for each chunk as the config has. Views are chosen before they '
        'are damaged. A model without images has one result.',
        '![mIoU over the severity of each damage](robustness.png)',
    ]
    for kind, found in tables.items():
        title, label = TITLES[kind]
        text += [f'## {title}', *([f'{label[0].upper()}{label[1:]}.'] if label else []), markdown(_cells(found))]
    text += ['## Checkpoints', markdown([('model', 'config', 'checkpoint', 'views'), *_checkpoints(rows)])]
    write_text(out / 'robustness.md', '\n\n'.join(text) + '\n')


def table(rows: Sequence[Row], kind: str) -> Table:
    """mIoU over checkpoints, by model and by the value of one kind of condition.

    The intact data are the value 0 of each damage; of a model without images they are the only value, None.
    """
    groups: dict[str, dict[Optional[float], list[float]]] = {}
    for row in rows:
        intact = row['kind'] == INTACT.kind
        # How many views the intact data have is a setting of the config: among numbers of views, those asked for count.
        if (intact and (row['views'] is None or kind != 'views')) or row['kind'] == kind:
            value = None if row['views'] is None else float(row['value'])
            groups.setdefault(row['model'], {}).setdefault(value, []).append(row['miou'])
    return {name: {value: Spread.of(found) for value, found in group.items()} for name, group in groups.items()}


def _panel(kind: str, found: Table) -> Panel:
    title, label = TITLES[kind]
    return Panel(title, label, {
        name: [(value, spread.mean, spread.deviation) for value, spread in group.items()]
        for name, group in found.items()
    })  # fmt: skip


def _cells(found: Table) -> list[list[str]]:
    values = sorted({value for group in found.values() for value in group if value is not None})
    rows = [['model', *(f'{value:g}' for value in values or [0])]]
    for name, group in found.items():
        cells = [group.get(None) or group.get(value) for value in values or [0]]
        rows.append([name, *('–' if cell is None else cell.text(100, 1) for cell in cells)])
    return rows


def _checkpoints(rows: Sequence[Row]) -> list[list[str]]:
    """A line per checkpoint, with the number of views of its intact data."""
    intact = [row for row in rows if row['kind'] == INTACT.kind]
    return [[row['model'], f'`{row["config"]}`', f'`{row["checkpoint"]}`', str(row['views'] or '–')] for row in intact]
