#!/usr/bin/env python
"""Score what a network that sees an image has to beat, by the data and the protocol of a config's validation."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from mmdet3d.registry import DATASETS, METRICS
from mmengine.registry import init_default_scope

from mmfusion_plugin.apis.device import choose_device
from mmfusion_plugin.engine.config_files import read_config_file
from mmfusion_plugin.engine.launch import OptionAction
from mmfusion_plugin.evaluation.reconstruction_baselines import (
    MeanShapeBaseline,
    NearestImageBaseline,
    score_baseline,
)

BASELINES = ('mean-shape', 'nearest-image')
EXAMPLES = """examples:
  python projects/3D-ReConstNet/score_baseline.py nearest-image \\
      configs/reconstnet/reconstnet-tiny_1xb16_synthetic-shapenet.py --out work_dirs/nearest_image
  # the best single cloud for all shapes, by the Chamfer distance and the Sinkhorn divergence
  python projects/3D-ReConstNet/score_baseline.py mean-shape \\
      configs/reconstnet/reconstnet-tiny_1xb16_synthetic-shapenet.py --out work_dirs/mean_shape \\
      --cfg-options val_evaluator.emd=exact
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('name', choices=BASELINES, help='which baseline')
    parser.add_argument('config', help='config file of a ReConstNet; its training set is what is known')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of categories.csv and others')
    parser.add_argument('--steps', type=int, default=200, help='of the mean shape (default: %(default)s)')
    parser.add_argument('--device', help='cpu, cuda, ... (default: CUDA where there is one)')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE',
                        help='changes to the config')  # fmt: skip
    return parser.parse_args()


def score(args: argparse.Namespace) -> dict[str, float]:
    """Fit on ``train_dataloader``'s dataset, predict that of ``val_dataloader``, and write the metric's report."""
    cfg = read_config_file(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    np.random.seed(0)  # training pipelines keep random points of the true clouds
    train, val = (DATASETS.build(cfg[f'{split}_dataloader'].dataset) for split in ('train', 'val'))
    metric = METRICS.build({**cfg.val_evaluator, 'out_dir': str(args.out)})
    if args.name == 'nearest-image':
        baseline = NearestImageBaseline()
    else:
        device = str(choose_device(args.device))
        baseline = MeanShapeBaseline(cfg.model.head.num_points, steps=args.steps, device=device)
    return score_baseline(baseline, train, val, metric)


def main() -> None:
    """Run the command."""
    try:
        scores = score(parse_args())
    except (OSError, ValueError) as error:
        sys.exit(f'score_baseline: {error}')
    print({key: round(scores[key], 2) for key in ('cd', 'emd', 'f_score') if key in scores})


if __name__ == '__main__':
    main()
