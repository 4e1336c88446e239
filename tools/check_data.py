#!/usr/bin/env python
"""Walk over every file that a config's dataset names: is it there, complete, and does it fit its neighbours?"""

from __future__ import annotations

import argparse
import sys

SPLITS = ('train', 'val', 'test')
EPILOG = """examples:
  # every split that the config names, on eight processes
  python tools/check_data.py configs/point_voxel/point-voxel_4xb8-80e_nuscenes-lidarseg.py --workers 8
  # scans and their frames
  python tools/check_data.py configs/safnet/safnet_1xb32-150e_scannet-3views.py --workers 8
  # images and their masks
  python tools/check_data.py configs/simnet/simnet_r101-pointnet_1xb32-50e_herbarium.py
  # the validation split, decoding each image
  python tools/check_data.py configs/point_voxel/point-voxel_4xb8-80e_nuscenes-lidarseg.py --split val --decode

exit status: 0 when all files are sound, 1 when some are not (listed below the table)
"""


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('config', help='a full config')
    parser.add_argument('--split', choices=SPLITS, nargs='+', help='dataloaders (default: all that the config has)')
    parser.add_argument('--workers', type=int, default=1, help='number of processes')
    parser.add_argument('--decode', action='store_true', help='decode each image (default: look at its ends only)')
    parser.add_argument('--data-root', help="data_root instead of the config's")
    parser.add_argument('--max-faults', type=int, default=50, help='list at most so many faults (default: 50)')
    args = parser.parse_args()

    from mmfusion_plugin.datasets.check_files import dataset_cfgs
    from mmfusion_plugin.engine.launch import read_config

    config = read_config(args.config)
    splits = args.split or [split for split in SPLITS if config.get(f'{split}_dataloader')]
    missing = [split for split in splits if not config.get(f'{split}_dataloader')]
    if missing or not splits:
        print(f'error: {args.config} has no {" or ".join(missing or SPLITS)}_dataloader', file=sys.stderr)
        return 1
    sound, walked = True, []
    for split in splits:
        try:
            found = dataset_cfgs(config, split, args.data_root)
        except ValueError as error:
            print(f'error: {error}', file=sys.stderr)
            return 1
        for cfg in found:
            print(f'{split}: {cfg.get("ann_file") or cfg["type"]}')
            if cfg in walked:
                print('  the same files as above')
                continue
            walked.append(cfg)
            sound &= check(cfg, args)
    return 0 if sound else 1


def check(dataset_cfg: dict, args: argparse.Namespace) -> bool:
    """Walk over one dataset, print what was found, and return whether all of it is sound."""
    from mmdet3d.registry import DATASETS

    from mmfusion_plugin.datasets.check_files import check_dataset

    try:
        report = check_dataset(DATASETS.build(dataset_cfg), args.decode, args.workers)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return False
    print(f'  {"":18}{"files":>10}{"GB":>10}')
    for kind, count in report.files.items():
        print(f'  {kind:18}{count:>10}{report.bytes[kind] / 1e9:>10.2f}')
    print(f'  {report.samples} samples, {report.points} points, {len(report.faults)} faults')
    for fault in report.faults[: args.max_faults]:
        print(f'    {fault}')
    if len(report.faults) > args.max_faults:
        print(f'    ... and {len(report.faults) - args.max_faults} more (--max-faults)')
    return not report.faults


if __name__ == '__main__':
    sys.exit(main())
