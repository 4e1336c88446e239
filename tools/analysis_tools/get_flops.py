#!/usr/bin/env python
"""Count the parameters and multiply-accumulates of a config's model, sparse convolutions included."""

from __future__ import annotations

import argparse

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner

import mmfusion_plugin  # noqa: F401  (registers the components that configs name)
from mmfusion_plugin.engine.complexity import count_complexity, simulated_sweep
from mmfusion_plugin.engine.launch import add_config_options, read_config

EXAMPLES = """examples:
  python tools/analysis_tools/get_flops.py CONFIG                      # a simulated sweep of 34,688 points
  python tools/analysis_tools/get_flops.py CONFIG --shape 120000 4
  python tools/analysis_tools/get_flops.py CONFIG --sample 0           # a sample of the test dataset

The cost of a sparse convolution depends on the points: compare models on the same sweep.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line; flags as in mmdet3d, and ``--sample``."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--shape', type=int, nargs=2, default=[34688, 4], metavar=('N', 'C'), help='points and their features'
    )
    parser.add_argument('--sample', type=int, metavar='INDEX', help='count on this sample of the test dataset instead')
    parser.add_argument(
        '--modality', choices=('point', 'image', 'multi'), default='point', help='image and multi need --sample'
    )
    add_config_options(parser, '--cfg-options')
    args = parser.parse_args()
    if args.modality != 'point' and args.sample is None:
        parser.error(f'--modality {args.modality} needs images: name a sample of the test dataset with --sample')
    return args


def main() -> None:
    """Run the command."""
    args = parse_args()
    cfg = read_config(args.config, args.cfg_options)
    model = MODELS.build(cfg.model).to('cuda' if torch.cuda.is_available() else 'cpu')
    if args.sample is None:
        sample = dict(inputs=dict(points=simulated_sweep(*args.shape)), data_samples=Det3DDataSample())
        source = 'simulated sweep'
    else:
        sample = Runner.build_dataloader(cfg.test_dataloader).dataset[args.sample]
        source = f'sample {args.sample} of the test dataset'
    cost = count_complexity(model, pseudo_collate([sample]))
    line = '=' * 60
    print(line)
    print(f'Input:       {source}, {tuple(sample["inputs"]["points"].shape)} points')
    print(f'Parameters:  {cost.parameters[0]:,} ({cost.parameters[1]:,} trained)')
    print(f'MACs:        {cost.macs / 1e9:.3f} G  ({2 * cost.macs / 1e9:.3f} GFLOPs)')
    for name, macs in cost.macs_by_module.items():
        print(f'  {name:<40}{macs / 1e9:>12.3f} G')
    print(line)
    print('Counted: matrix products and convolutions. Not counted: normalisation, activation, search for neighbours.')


if __name__ == '__main__':
    main()
