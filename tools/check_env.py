#!/usr/bin/env python
"""Say whether this environment can run mmfusion_plugin: one table, one verdict, and the pip line for each fault."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import warnings
from pathlib import Path
from types import ModuleType

EXAMPLES = """examples:
  python tools/check_env.py            # the table; exit status 0 when ready, 1 when not
  python tools/check_env.py --json     # the same for a script
"""
MARKS = {'ok': 'ok', 'note': 'note', 'fault': 'FAULT'}


def load_environment() -> ModuleType:
    """Load ``mmfusion_plugin/environment.py`` by its path: importing the package may be the very thing that fails."""
    path = Path(__file__).resolve().parents[1] / 'mmfusion_plugin' / 'environment.py'
    spec = importlib.util.spec_from_file_location('mmfusion_environment', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', action='store_true', help='print one JSON object instead of the table')
    args = parser.parse_args()

    environment = load_environment()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        rows = environment.version_rows() + environment.probe_rows()
    verdict = environment.verdict(rows)
    ready = not any(row.state == 'fault' for row in rows)
    if args.json:
        print(json.dumps({'ready': ready, 'verdict': verdict, 'rows': [row._asdict() for row in rows]}, indent=1))
        return 0 if ready else 1

    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print('  '.join(text.ljust(width) for text, width in zip(row, widths)), MARKS[row.state], sep='  ')
    for row in (row for row in rows if row.mend):
        print(f'\n{row.part} ({row.found}):\n    {row.mend}', end='')
    print(f'\n{verdict}')
    return 0 if ready else 1


if __name__ == '__main__':
    sys.exit(main())
