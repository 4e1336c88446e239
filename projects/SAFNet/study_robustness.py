"""The three systems under few, missing and damaged views: tools/robustness.py over the checkpoints of all seeds."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from study_plan import REFERENCE, SYSTEMS, Size, checkpoint_of

from mmfusion_plugin.apis.robustness_conditions import INTACT, VALUES
from mmfusion_plugin.apis.robustness_report import TITLES
from mmfusion_plugin.apis.study import Spread, markdown, plan
from mmfusion_plugin.files import whole_file, write_text

OURS = 'safnet'
DAMAGES = {  # fewer than the tool's own: all are tested with nine checkpoints
    'views': (1, 3, 5, 10, 0),  # intact data have three
    'pose_noise': (0.05, 0.1, 0.2),
    'depth_holes': (0.3, 0.6),
    'drop': (0.4, 0.8),
    'swap': (0.4, 0.8),
}


def robustness_command(size: Size, seeds: list[int], work_dir: Path, out: Path) -> list[str]:
    """The test of the systems' checkpoints on the validation rooms, each with the config that its training has written.

    Args:
        size: Of the study.
        seeds: Whose checkpoints.
        work_dir: Of the study.
        out: Folder for what the tool writes; a stopped test is continued there.

    Raises:
        ValueError: A checkpoint is not there.
    """
    command = [sys.executable, 'tools/robustness.py']
    for run in plan(SYSTEMS, seeds):
        weights, config = checkpoint_of(size, run, work_dir), Path(size.trainings[run.variant].config).name
        if not weights.is_file():
            raise ValueError(f'{weights} is not there: the robustness test needs the work folder of the finished study')
        command += ['--model', run.variant, str(weights.with_name(config)), str(weights)]
    for kind in VALUES:
        command += [f'--{kind.replace("_", "-")}', *(f'{value:g}' for value in DAMAGES.get(kind, ()))]
    return [*command, '--out', str(out)]


def keep_rows(out: Path, path: Path) -> None:
    """Copy the latest that the tool has measured under each condition to ``path``, and its curves beside it."""
    rows = json.loads((out / 'robustness.json').read_text())
    latest = {(row['model'], row['checkpoint'], row['kind'], row['value']): row for row in rows}
    write_text(path, '[\n' + ',\n'.join(json.dumps(row) for row in latest.values()) + '\n]\n')
    with whole_file(path.with_suffix('.png')) as partial:
        shutil.copyfile(out / 'robustness.png', partial)


def read_rows(path: Path) -> list[dict]:
    """Rows of :func:`keep_rows`, each with its seed."""
    return [{**row, 'seed': _seed(row['checkpoint'])} for row in json.loads(path.read_text())]


def damage_table(rows: list[dict]) -> str:
    """Markdown: mIoU (%) of each system under each condition; by how much ours is ahead, and how much of its mIoU on
    intact data either system with images loses (%), both seed by seed.

    A system without images has the same result under all.
    """
    head = ['damage', 'value', *SYSTEMS, f'{OURS} − {REFERENCE}', *(f'{name} loses' for name in (REFERENCE, OURS))]
    body = [_cells(rows, *condition) for condition in _conditions(rows)]
    return markdown([head, *body])


def _conditions(rows: list[dict]) -> list[tuple[str, float]]:
    """Intact first, then kind by kind, mild to severe."""
    found = {(row['kind'], row['value']) for row in rows if row['kind'] != INTACT.kind}
    kinds = list(VALUES)
    severe = {'views': lambda value: -value}  # few views are the severe ones
    ordered = sorted(found, key=lambda c: (kinds.index(c[0]), severe.get(c[0], float)(c[1])))
    return [(INTACT.kind, INTACT.value), *ordered]


def _cells(rows: list[dict], kind: str, value: float) -> list[str]:
    scores, intact = _scores(rows, kind, value), _scores(rows, INTACT.kind, INTACT.value)
    title = TITLES[kind][0] if kind in TITLES else kind
    spreads = [Spread.of(list(scores[name].values())).text(100) for name in SYSTEMS]
    ours, theirs = scores[OURS], scores[REFERENCE]
    ahead = Spread.of([ours[seed] - theirs[seed] for seed in _shared(ours, theirs)])
    if kind == INTACT.kind:
        return [title, '', *spreads, ahead.text(100, sign='+'), '', '']
    losses = [Spread.of([1 - scores[name][seed] / intact[name][seed] for seed in _shared(scores[name], intact[name])])
              for name in (REFERENCE, OURS)]
    return [title, f'{value:g}', *spreads, ahead.text(100, sign='+'), *(loss.text(100, 1) for loss in losses)]


def _scores(rows: list[dict], kind: str, value: float) -> dict[str, dict[int, float]]:
    """mIoU per system and seed under a condition; of a system without images, always that on intact data."""
    found = {name: {} for name in SYSTEMS}
    for row in rows:
        if (row['kind'], row['value']) == (kind, value) or (row['views'] is None and row['kind'] == INTACT.kind):
            found[row['model']][row['seed']] = row['miou']
    return found


def _shared(first: dict[int, float], second: dict[int, float]) -> list[int]:
    return [seed for seed in first if seed in second]


def _seed(checkpoint: str) -> int:
    return int(re.search(r'_seed(\d+)', checkpoint).group(1))
