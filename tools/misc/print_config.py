#!/usr/bin/env python
"""Print a config with its bases merged and overrides applied: what training would run with."""

from __future__ import annotations

import argparse
import sys

from mmfusion_plugin.engine.config_files import read_config_file
from mmfusion_plugin.engine.launch import add_config_options

EXAMPLES = """examples:
  python tools/misc/print_config.py CONFIG
  python tools/misc/print_config.py CONFIG --cfg-options train_dataloader.batch_size=2 --save-path merged.py
"""


def parse_args() -> argparse.Namespace:
    """Read the command line; flags as in mmdet3d, and ``--save-path``."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--save-path', help='also write the merged config to this .py, .json or .yml file')
    add_config_options(parser, '--cfg-options', '--options')
    return parser.parse_args()


def main() -> int:
    """Entry point; a fault in the config ends in one line of explanation and exit status 1."""
    args = parse_args()
    try:
        cfg = read_config_file(args.config, import_custom_modules=False)
        if args.cfg_options is not None:
            cfg.merge_from_dict(args.cfg_options)
        print(f'Config:\n{cfg.pretty_text}')
        if args.save_path is not None:
            cfg.dump(args.save_path)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
