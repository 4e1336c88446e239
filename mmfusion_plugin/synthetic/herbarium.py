"""A herbarium made on this machine: pressed plants with perfect and poor masks, whose outlines tell their traits.

Thorns and fruits also have a colour of their own, thorns a shade of the stem's and fruits a plain one; ``plain_fruit``
takes both away, so that nothing but the outline tells a trait.
"""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path
from typing import List, Tuple, Union

import numpy as np
from tqdm import tqdm

from mmfusion_plugin.files import write_text
from mmfusion_plugin.synthetic.herbarium_plant import DIFFICULTIES, TRAITS
from mmfusion_plugin.synthetic.herbarium_scene import SheetPlan, record_sheets
from mmfusion_plugin.synthetic.recording import claim_folder, record_all

# Raised whenever the same seed gives other bytes than before.
GENERATION = 1
STAMP = 'synthetic_herbarium.json'
TABLE = 'herbarium.csv'
SPLITS = ('train', 'val', 'test')
_COMBINATIONS = tuple(itertools.product((False, True), repeat=len(TRAITS)))
_BATCH = 8  # sheets that a worker draws at a time


def split_sizes(sheets: int) -> Tuple[int, int, int]:
    """Sheets for training, validation and testing: three, one and one fifth, at least one each."""
    part = max(sheets // 5, 1)
    return sheets - 2 * part, part, part


def make_herbarium(
    out_dir: Union[str, Path],
    sheets: int = 1000,
    size: Tuple[int, int] = (320, 480),
    seed: int = 0,
    workers: int = 1,
    difficulty: str = 'medium',
    progress: bool = True,
    plain_fruit: bool = False,
) -> Path:
    """Draws herbarium sheets with two masks each and a table of their traits.

    ``images/<name>.jpg``, ``masks_selected/<name>.png`` (perfect) and ``masks_complete/<name>.png`` (of mixed quality)
    are listed in ``herbarium.csv``: ``file`` (below ``images``), ``split``, and a column of 0 and 1 for each trait. In
    each split every combination of traits occurs once in eight sheets, so that traits are independent of each other
    and as often present as not. The same arguments give the same bytes for any number of ``workers``. Interrupted, it
    goes on with the first unfinished sheet when called again; the table is written last.

    Args:
        out_dir: Folder to write; empty, or one that this function has begun with the same settings.
        sheets: Number of sheets.
        size: Width and height (pixels). Sheets are 280 mm wide or 420 mm high, whichever fits.
        seed: Of the whole world.
        workers: Processes; sheets are spread over them.
        difficulty: 'easy', 'medium' or 'hard': how plainly traits show, and how much resembles them.
        progress: Show a bar with the time left.
        plain_fruit: Fruits, their stalks and thorns have the plant's own colours, and flowers stay beside fruits: the
            outline alone tells each trait. Kept in ``synthetic_herbarium.json`` where it is true.

    Returns:
        ``out_dir`` as a path.

    Raises:
        ValueError: Impossible settings.
        FileExistsError: ``out_dir`` holds something else, a world of other settings, or one of an older generator.
        RuntimeError: A worker process was killed; called again, the run goes on.
    """
    if sheets < 3 or min(size) < 64:
        raise ValueError(
            f'sheets={sheets} must be at least 3, one of each split, and size={tuple(size)} at least 64 pixels each way'
        )
    if difficulty not in DIFFICULTIES:
        raise ValueError(f'difficulty={difficulty!r} is none of {", ".join(DIFFICULTIES)}')
    plans = [
        SheetPlan(f'{split}_{index:05d}', split, (seed, number, index), traits, tuple(size), difficulty, plain_fruit)
        for number, (split, count) in enumerate(zip(SPLITS, split_sizes(sheets)))
        for index, traits in enumerate(_traits((seed, number), count))
    ]
    root = Path(out_dir)
    settings = {
        'generator': 'mmfusion_plugin.synthetic.herbarium', 'generation': GENERATION, 'seed': seed, 'sheets': sheets,
        'size': list(size), 'difficulty': difficulty,
    }  # fmt: skip
    if plain_fruit:  # worlds of colours of their own do not name it: they are older than this option
        settings['plain_fruit'] = True
    claim_folder(root, STAMP, STAMP, settings, 'herbarium')
    missing = [plan for plan in plans if not plan.finished(root)]
    batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
    with tqdm(total=len(plans), unit='sheet', desc='herbarium', disable=not progress) as bar:
        bar.update(len(plans) - len(missing))
        record_all(record_sheets, root, batches, workers, bar)
    write_text(root / TABLE, _table(plans))
    return root


def _traits(key: Tuple[int, int], count: int) -> List[Tuple[bool, ...]]:
    """Every combination once in each eight, in an order of its own."""
    blocks = range(-(-count // len(_COMBINATIONS)))
    orders = [np.random.default_rng([*key, block]).permutation(len(_COMBINATIONS)) for block in blocks]
    return [_COMBINATIONS[place] for order in orders for place in order][:count]


def _table(plans: List[SheetPlan]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator='\n')
    rows.writerow(['file', 'split', *TRAITS])
    rows.writerows([f'{plan.name}.jpg', plan.split, *map(int, plan.traits)] for plan in plans)
    return text.getvalue()
