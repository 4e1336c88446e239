#!/usr/bin/env python
"""The whole way once, on generated streets: raw data, 2DDATA and its baseline, scores, a submission, pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

CONFIG = 'configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py'
BASELINE = 'configs/point_voxel/point-voxel-tiny_1xb2-demo_synthetic-nuscenes.py'
EXAMPLES = """examples:
  python tools/demo.py                                   # what `make demo` runs: about 10 minutes on two cores
  python tools/demo.py --scenes 20 --keyframes 10        # a larger world (remove data/demo before)
  python tools/demo.py --processes 2                     # two gloo processes (or two GPUs)
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default=CONFIG, help='config that is trained with images (default: %(default)s)')
    parser.add_argument('--baseline', default=BASELINE, help='its network on points alone (default: %(default)s)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'), help='default: %(default)s')
    parser.add_argument('--scenes', type=int, default=10, help='generated scenes (default: %(default)s)')
    parser.add_argument('--keyframes', type=int, default=4, help='keyframes a scene (default: %(default)s)')
    parser.add_argument('--processes', type=int, default=1, help='training processes (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=2, help='processes that make the data (default: %(default)s)')
    args = parser.parse_args()

    from mmfusion_plugin.apis.demo import DemoOptions, run_demo
    try:
        run_demo(DemoOptions(**vars(args)))
    except (OSError, RuntimeError, ValueError) as error:
        print(f'\ndemo: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
