"""Options and run of ``make_synthetic.py herbarium``."""

from __future__ import annotations

import argparse
import os

EXAMPLES = """examples:
  python tools/make_synthetic.py herbarium --out data/herbarium --sheets 1000 --seed 0
  # large sheets whose traits show less plainly
  python tools/make_synthetic.py herbarium --out data/herbarium_hard --sheets 400 --size 1000 1500 --difficulty hard

  # nothing but the outline tells a trait
  python tools/make_synthetic.py herbarium --out data/herbarium_plain --sheets 1000 --plain-fruit

Leaves with lobes are told by the outline alone. Thorns also have a shade, and fruits a colour, of their own, unless
--plain-fruit is given.

  <out>/herbarium.csv               file, split (train, val, test), thorns, lobed, fruit (0 or 1)
  <out>/images/<name>.jpg           the sheets
  <out>/masks_selected/<name>.png   perfect masks of the plants
  <out>/masks_complete/<name>.png   masks of mixed quality: holes, lost parts, pieces of the background

An interrupted run goes on where it stopped when the same command is given again.
"""


def add(datasets: argparse._SubParsersAction) -> None:
    """The subcommand and its options."""
    herbarium = datasets.add_parser(
        'herbarium',
        help='herbarium sheets with masks and binary traits',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = herbarium.add_argument
    option('--out', required=True, help='folder to write')
    option('--sheets', type=int, default=1000, help='three, one and one fifth train, val, test (default: %(default)s)')
    option('--size', type=int, nargs=2, metavar=('W', 'H'), default=(320, 480), help='in pixels (default: 320 480)')
    option('--seed', type=int, default=0, help='of the whole world (default: %(default)s)')
    option('--difficulty', choices=('easy', 'medium', 'hard'), default='medium',
           help='how plainly traits show (default: %(default)s)')  # fmt: skip
    option('--plain-fruit', action='store_true', help="fruits, their stalks and thorns have the plant's own colours")
    option('--workers', type=int, default=os.cpu_count(), help='processes (default: all cores)')


def run(args: argparse.Namespace) -> str:
    """Makes the world; returns a line about it."""
    from mmfusion_plugin.synthetic.herbarium import make_herbarium

    root = make_herbarium(args.out, args.sheets, tuple(args.size), args.seed, args.workers, args.difficulty,
                          plain_fruit=args.plain_fruit)  # fmt: skip
    return f'{root}: {args.sheets} sheets of {args.size[0]} x {args.size[1]} pixels, {args.difficulty}'
