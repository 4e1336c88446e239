#!/usr/bin/env python
"""Segment one keyframe with a trained model: labels, pictures, and how they agree with its 3D boxes."""

from __future__ import annotations

import argparse
import sys

EXAMPLES = """examples:
  python tools/segment_frame.py CONFIG CHECKPOINT --info frame/info.json --out work_dirs/frame
  python tools/segment_frame.py CONFIG CHECKPOINT --info data/nuscenes/nuscenes_infos_val.json --index 7 --out OUT --tta
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights')
    parser.add_argument('--info', required=True, help='info file; the files it names are looked for beside it')
    parser.add_argument('--index', type=int, default=0, help='entry of the info file (default: %(default)s)')
    parser.add_argument('--out', required=True, help='folder to write to')
    parser.add_argument('--tta', action='store_true', help="merge votes over the config's tta_pipeline")
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    return parser.parse_args()


def main() -> int:
    """Entry point; a fault in the data ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.segment_frame import segment_frame

    try:
        segment_frame(args.config, args.checkpoint, args.info, args.out, args.index, args.tta, args.device)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
