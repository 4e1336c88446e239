#!/usr/bin/env python
"""Train the model of a config on one process, or as one of many started by ``dist_train.sh`` or ``slurm_train.sh``."""

from __future__ import annotations

import argparse

import mmfusion_plugin  # noqa: F401  (registers the components that configs name)
from mmfusion_plugin.engine.launch import add_common_arguments, apply_train_arguments, build_runner, load_config

EXAMPLES = """examples:
  python tools/train.py CONFIG
  python tools/train.py CONFIG --work-dir work_dirs/mine --amp --cfg-options train_dataloader.batch_size=2
  python tools/train.py CONFIG --resume                 # go on from the latest checkpoint of the work folder
  bash tools/dist_train.sh CONFIG 4 --auto-scale-lr     # four GPUs, or four processes on a CPU
"""


def parse_args() -> argparse.Namespace:
    """Read the command line; flags as in mmdet3d."""
    parser = argparse.ArgumentParser(
        description='Train a model', epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--amp', action='store_true', help='mixed precision: float16 on CUDA, bfloat16 on a CPU')
    parser.add_argument(
        '--sync_bn',
        '--sync-bn',
        choices=('none', 'torch', 'mmcv'),
        default='none',
        help='share batch statistics between processes: torch SyncBatchNorm or that of mmcv',
    )
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate with the real total batch size'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from CHECKPOINT, or from the latest one of the work folder when none is named',
    )
    add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    cfg = load_config(args)
    apply_train_arguments(cfg, args)
    build_runner(cfg).train()


if __name__ == '__main__':
    main()
