#!/usr/bin/env python
"""Generate the shapes between those of two pictures, with a trained IC3D, out of the same noise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  python tools/interpolate_shapes.py chair.png armchair.png CONFIG CHECKPOINT --steps 8 --out work_dirs/between
  # along the arc between the embeddings' directions; 50 steps of DDIM for each shape
  python tools/interpolate_shapes.py a.png b.png CONFIG CHECKPOINT --mode slerp --sampler ddim --sampling-steps 50 \\
      --out work_dirs/between
  # photographs with masks
  python tools/interpolate_shapes.py a.jpg b.jpg --mask a_mask.png b_mask.png CONFIG CHECKPOINT --out work_dirs/between

Writes 00.npy (R x R x R, bool), 00.binvox and 00.obj (the surface of the voxels), 01.npy, ..., strip.png, and
interpolation.json with the Chamfer distances between neighbours, whose mean is printed.
Exit status: 0; 1 where nothing could be done.
"""
SAMPLING = ('sampler', 'guidance', 'seed', 'threshold')


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option('first', type=Path, metavar='A', help='picture of an object')
    option('last', type=Path, metavar='B', help='picture of another one')
    option('config', help='config file of an IC3D')
    option('checkpoint', help='weights, of tools/train.py')
    option('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    option('--steps', type=int, default=8, metavar='N', help='shapes, those of A and B included (default: %(default)s)')
    option('--mode', choices=('lerp', 'slerp'), default='lerp', help='straight between the embeddings, or along the '
           'arc between their directions (default: %(default)s)')  # fmt: skip
    option('--embedder', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='CISP that makes the embeddings, where the '
           'model has no image network')  # fmt: skip
    drawing = parser.add_argument_group("how shapes are drawn (default: as the config's sampling says)")
    drawing.add_argument('--guidance', type=float, metavar='W', help='w in (1 + w) eps_c - w eps_u; 0: by the '
                         'condition alone, -1: without it')  # fmt: skip
    drawing.add_argument('--sampler', choices=('ddpm', 'ddim'), help='ancestral, or DDIM')
    drawing.add_argument('--sampling-steps', type=int, metavar='N', help="evenly spaced steps of the training's "
                         'schedule')  # fmt: skip
    drawing.add_argument('--seed', type=int, help='not negative')
    drawing.add_argument('--threshold', type=float, help='a voxel is full where its value is greater')
    object_ = parser.add_argument_group('where the object is')
    object_.add_argument('--mask', nargs=2, type=Path, metavar=('A', 'B'), help='masks of both pictures (default: the '
                         'alpha channel, or all that is not plain background)')  # fmt: skip
    object_.add_argument('--tolerance', type=int, default=24, metavar='N', help="largest difference, 0 to 255, from a "
                         'plain background (default: %(default)s)')  # fmt: skip
    object_.add_argument('--holes', action='store_true', help='enclosed areas of its colour are background too')
    object_.add_argument('--rendering', action='store_true', help="the pictures are like the config's own renderings: "
                         'take them as they are')  # fmt: skip
    option('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    return parser.parse_intermixed_args()


def main() -> int:
    """Entry point; a fault ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.embedding_inferencer import EmbeddingInferencer
    from mmfusion_plugin.apis.interpolate_shapes import interpolate_shapes
    from mmfusion_plugin.apis.object_inferencer import ObjectOptions
    from mmfusion_plugin.apis.voxel_inferencer import VoxelInferencer

    try:
        options = ObjectOptions(args.rendering, args.tolerance, args.holes)
        sampling = {name: getattr(args, name) for name in SAMPLING if getattr(args, name) is not None}
        if args.sampling_steps is not None:
            sampling['steps'] = args.sampling_steps
        embedder = EmbeddingInferencer(*args.embedder, args.device) if args.embedder else None
        inferencer = VoxelInferencer(args.config, args.checkpoint, args.device, embedder,
                                     sampling={**sampling, 'num_samples': 1})  # fmt: skip
        found = interpolate_shapes(
            inferencer, (args.first, args.last), args.out, args.steps, args.mode, args.mask, options
        )
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for path in found['files']:
        print(path)
    scores = found['chamfer']
    print(f'Chamfer distance between neighbours: mean {scores["mean_step"]:.3f}, most {scores["max_step"]:.3f}; '
          f'between the ends {scores["ends"]:.3f} ({found["protocol"]})')  # fmt: skip
    if found['empty']:
        print(f'{found["empty"]} of {args.steps} shapes are empty, and steps between these are 0: take more sampling '
              'steps, another guidance or a longer training')  # fmt: skip
    return 0


if __name__ == '__main__':
    sys.exit(main())
