#!/usr/bin/env python
"""Generate voxelised shapes for a picture with a trained IC3D, or without any picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  # eight shapes for a picture with a transparent or a plain background, a sketch for example
  python tools/generate_shapes.py chair.png CONFIG CHECKPOINT --samples 8 --out work_dirs/chair
  # a photograph with a mask; stronger guidance; 50 steps of DDIM in place of 1000 of DDPM
  python tools/generate_shapes.py chair.jpg --mask chair_mask.png CONFIG CHECKPOINT --guidance 3 --sampler ddim \\
      --steps 50 --seed 1 --out work_dirs/chair
  # a model that is conditioned on embeddings out of a file: the CISP that made them
  python tools/generate_shapes.py chair.png CONFIG CHECKPOINT --embedder CISP_CONFIG CISP_CHECKPOINT --out work_dirs/one
  # without a picture
  python tools/generate_shapes.py CONFIG CHECKPOINT --unconditional --samples 16 --out work_dirs/any

Each picture gets NAME_00.npy (R x R x R, bool), NAME_00.binvox, NAME_00.obj (the surface of the voxels, in the cube
from -0.5 to 0.5, y up), NAME_01.npy, ..., and NAME_samples.png; results.json says all. One seed gives one picture the
same shapes, in whatever order pictures come. A second run keeps what would be made again.
Exit status: 0; 1 where nothing could be done; 3 where some pictures could not be read, which are listed.
"""
SAMPLING = ('sampler', 'steps', 'guidance', 'seed', 'threshold')


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option('images', nargs='*', type=Path, metavar='IMAGE', help='pictures, or folders of them')
    option('config', help='config file of an IC3D')
    option('checkpoint', help='weights, of tools/train.py')
    option('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    option('--unconditional', action='store_true', help='draw without an image: of a model without condition, or by '
           "the null token of another")  # fmt: skip
    option('--embedder', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='CISP that makes the embeddings, where the '
           'model has no image network')  # fmt: skip
    drawing = parser.add_argument_group("how shapes are drawn (default: as the config's sampling says)")
    drawing.add_argument('--samples', type=int, default=4, metavar='K', help='of each picture (default: %(default)s)')
    drawing.add_argument('--guidance', type=float, metavar='W', help='w in (1 + w) eps_c - w eps_u; 0: by the '
                         'condition alone, -1: without it')  # fmt: skip
    drawing.add_argument('--sampler', choices=('ddpm', 'ddim'), help='ancestral, or DDIM')
    drawing.add_argument('--steps', type=int, metavar='N', help="evenly spaced steps of the training's schedule")
    drawing.add_argument('--seed', type=int, help='not negative')
    drawing.add_argument('--threshold', type=float, help='a voxel is full where its value is greater')
    object_ = parser.add_argument_group('where the object is')
    object_.add_argument('--mask', type=Path, metavar='PATH', help='mask of the picture, or folder of masks (default: '
                         'the alpha channel, or all that is not plain background)')  # fmt: skip
    object_.add_argument('--mask-suffix', default='.png', metavar='SUFFIX', help='what masks in a folder are called '
                         'instead of the extension (default: %(default)s)')  # fmt: skip
    object_.add_argument('--tolerance', type=int, default=24, metavar='N', help="largest difference, 0 to 255, from a "
                         'plain background (default: %(default)s)')  # fmt: skip
    object_.add_argument('--holes', action='store_true', help='enclosed areas of its colour are background too')
    object_.add_argument('--rendering', action='store_true', help="the pictures are like the config's own renderings: "
                         'take them as they are')  # fmt: skip
    option('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    return parser.parse_intermixed_args()  # options may stand between IMAGE and CONFIG


def main() -> int:
    """Entry point; a fault ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.embedding_inferencer import EmbeddingInferencer
    from mmfusion_plugin.apis.generate_shapes import generate_shapes
    from mmfusion_plugin.apis.mask_sources import MaskSource
    from mmfusion_plugin.apis.object_inferencer import ObjectOptions
    from mmfusion_plugin.apis.voxel_inferencer import VoxelInferencer

    try:
        options = ObjectOptions(args.rendering, args.tolerance, args.holes)
        masks = MaskSource(args.mask, args.mask_suffix)
        sampling = {name: getattr(args, name) for name in SAMPLING if getattr(args, name) is not None}
        embedder = EmbeddingInferencer(*args.embedder, args.device) if args.embedder else None
        inferencer = VoxelInferencer(args.config, args.checkpoint, args.device, embedder, args.unconditional,
                                     {**sampling, 'num_samples': args.samples})  # fmt: skip
        results = generate_shapes(inferencer, args.images, args.out, masks, options)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for entry in results['broken']:
        print(f'error: {entry["reason"]}', file=sys.stderr)
    done = len(results['images'])
    if not args.unconditional:
        print(f'shapes for {done} of {done + len(results["broken"])} pictures: {args.out}/results.json')
    return 0 if not results['broken'] else 3 if done else 1


if __name__ == '__main__':
    sys.exit(main())
