#!/usr/bin/env python
"""Measure how fast a checkpoint predicts on the test dataset of a config, and its peak memory."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from mmcv.cnn import fuse_conv_bn
from mmdet3d.registry import MODELS
from mmengine.runner import Runner, load_checkpoint
from torch.nn.modules.batchnorm import _BatchNorm

import mmfusion_plugin  # noqa: F401  (registers the components that configs name)
from mmfusion_plugin.compat import install_safe_checkpoint_loading
from mmfusion_plugin.engine.benchmark import benchmark_inference
from mmfusion_plugin.engine.launch import add_config_options, read_config

EXAMPLES = """examples:
  python tools/analysis_tools/benchmark.py CONFIG CHECKPOINT --samples 200
  python tools/analysis_tools/benchmark.py CONFIG none --samples 20 --out work_dirs/speed.json   # initial weights
"""


def parse_args() -> argparse.Namespace:
    """Read the command line; flags as in mmdet3d, and ``--device``, ``--out``."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help="checkpoint file, or 'none'")
    parser.add_argument('--samples', type=int, default=2000, help='samples to time (default: %(default)s)')
    parser.add_argument('--warmup', type=int, default=5, help='untimed samples before (default: %(default)s)')
    parser.add_argument('--log-interval', type=int, default=50, help='samples between two lines of the log')
    parser.add_argument('--amp', action='store_true', help='mixed precision: float16 on CUDA, bfloat16 on a CPU')
    parser.add_argument('--fuse-conv-bn', action='store_true', help='merge normalisations into the dense convolutions')
    parser.add_argument('--device', help='default: CUDA where there is one')
    parser.add_argument('--out', help='write the numbers to this JSON file')
    add_config_options(parser, '--cfg-options')
    return parser.parse_args()


def count_norms(model: torch.nn.Module) -> int:
    """Batch normalisations in a model."""
    return sum(isinstance(module, _BatchNorm) for module in model.modules())


def main() -> None:
    """Run the command."""
    args = parse_args()
    cfg = read_config(args.config, args.cfg_options)
    torch.backends.cudnn.benchmark = cfg.get('env_cfg', {}).get('cudnn_benchmark', False)
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    cfg.test_dataloader.batch_size = 1
    loader = Runner.build_dataloader(cfg.test_dataloader)
    model = MODELS.build(cfg.model)
    if args.checkpoint != 'none':
        install_safe_checkpoint_loading()
        load_checkpoint(model, args.checkpoint, map_location='cpu', strict=True)
    model.to(device).eval()
    if args.fuse_conv_bn:
        before = count_norms(model)
        model = fuse_conv_bn(model)
        print(f'Merged {before - count_norms(model)} of {before} batch normalisations into the convolution before them')

    def report(done: int, rate: float) -> None:
        if done % args.log_interval == 0:
            print(f'Done sample [{done:>4} / {args.samples}], {rate:.2f} samples / s', flush=True)

    result = benchmark_inference(model, loader, args.samples, args.warmup, args.amp, report)
    latency = result['latency_ms']
    print(f'Overall: {result["samples_per_second"]:.2f} samples / s on {result["device"]}')
    print(f'Latency: mean {latency["mean"]:.1f} ms, median {latency["median"]:.1f} ms, p95 {latency["p95"]:.1f} ms')
    print(f'Waiting for data: {result["data_ms"]:.1f} ms a sample; peak memory {result["peak_memory_mb"]:.0f} MiB')
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(json.dumps(result, indent=2) + '\n')


if __name__ == '__main__':
    main()
