#!/usr/bin/env python
"""Measure how long IC3D takes for a shape: all steps of DDPM, and 50 of DDIM, with and without guidance.

Guidance takes the noise with the condition and without it: both out of one pass of twice the batch, as IC3D does, or
out of two passes. On a CPU not all of DDPM's steps are timed: "~" marks seconds that are not measured, but the median
of the timed steps times the number of all. The image's embedding, made once, is not timed. Weights are random. Peak
memory is that of CUDA's allocator in each row, on a CPU that of the process up to then.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path

import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from sampling_cases import WAYS, measure

from mmfusion_plugin.apis.device import choose_device
from mmfusion_plugin.models.diffusion import IC3D, SamplingOptions

EXAMPLES = """examples:
  python tools/benchmarks/diffusion.py   # the narrow model
  python tools/benchmarks/diffusion.py --config CONFIG --device cuda --batch 16
  OMP_NUM_THREADS=1 python tools/benchmarks/diffusion.py --config CONFIG --device cpu --timed-steps 3
"""
NARROW = Path(__file__).resolve().parents[2] / 'configs/ic3d/ic3d-tiny_1xb16_synthetic-shapenet-cisp.py'


def main() -> int:
    """Entry point; a fault ends in one line of explanation and exit status 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--config', default=NARROW, help='config file of an IC3D (default: a narrow one)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    parser.add_argument('--batch', type=int, default=1, metavar='N', help='shapes at a time (default: %(default)s)')
    parser.add_argument('--timed-steps', type=int, metavar='N',
                        help="of each drawing (default: all, but 20 of DDPM's on a CPU)")  # fmt: skip
    args = parser.parse_args()
    try:
        if args.batch < 1 or (args.timed_steps is not None and args.timed_steps < 1):
            raise ValueError('--batch and --timed-steps must be at least 1')
        device = choose_device(args.device)
        model = build(args.config).to(device).eval()
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    timed = args.timed_steps or (20 if device.type == 'cpu' else None)
    print_heading(model, device, Path(args.config).name, args.batch)
    steps = model.diffusion.num_steps
    for options, count in ((SamplingOptions(sampler='ddpm'), timed),
                           (SamplingOptions(sampler='ddim', steps=min(50, steps)), args.timed_steps)):  # fmt: skip
        for way in WAYS if model.denoiser.embed_dim else WAYS[:1]:
            row = measure(model, way, options, args.batch, count)
            label = f'{options.sampler.upper()}-{row["steps"]}, {way}'
            seconds = f'{"~" if row["timed"] < row["steps"] else ""}{row["shape_s"]:.3f}'
            print(f'{label:<32}{row["timed"]:>12}{row["step_s"]:>12.4f}{seconds:>12}{row["peak_mb"]:>10.0f}',
                  flush=True)  # fmt: skip
    if timed is not None and timed < steps:
        print(f'~ not measured: the median of {timed} timed steps, times all, by {args.batch} shapes at a time')
    return 0


def build(config: str | Path) -> IC3D:
    """The model of a config, with random weights.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It is of something else.
    """
    init_default_scope('mmdet3d')
    cfg = Config.fromfile(str(config))
    if 'model' not in cfg:
        raise ValueError(f'{config} is no config of a model: need one of an IC3D')
    model = MODELS.build(cfg.model)
    if not isinstance(model, IC3D):
        raise ValueError(f'{config} is the config of a {type(model).__name__}: need one of an IC3D')
    return model


def print_heading(model: IC3D, device: torch.device, name: str, batch: int) -> None:
    """Machine, model and columns."""
    machine = (torch.cuda.get_device_name(device) if device.type == 'cuda'
               else f'{platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} cores')  # fmt: skip
    weights = sum(parameter.numel() for parameter in model.denoiser.parameters())
    print(f'torch {torch.__version__}, {machine}; {name}: {weights:,} parameters of the denoiser, '
          f'{model.voxel_size}^3 voxels, {batch} at a time, w = {model.sampling.guidance:g}')  # fmt: skip
    print(f'{"":<32}{"timed steps":>12}{"s a step":>12}{"s a shape":>12}{"peak MB":>10}')


if __name__ == '__main__':
    sys.exit(main())
