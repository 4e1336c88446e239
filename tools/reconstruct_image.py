#!/usr/bin/env python
"""Reconstruct the object in a picture as a point cloud with a trained ReConstNet, and look at it from all sides."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  # a picture with a transparent or a plain background
  python tools/reconstruct_image.py chair.png CONFIG CHECKPOINT --out work_dirs/chair
  # a photograph with a mask; eight samples show what the model is unsure of
  python tools/reconstruct_image.py chair.jpg --mask chair_mask.png CONFIG CHECKPOINT --samples 8 --out work_dirs/chair
  # a folder of photographs, masks and true shapes of the same names
  python tools/reconstruct_image.py photos --mask masks --truth meshes CONFIG CHECKPOINT --align icp --out work_dirs/all
  # a rendering of ShapeNet beside its true cloud, as tools/test.py sees it
  python tools/reconstruct_image.py ShapeNetRendering/03001627/ID/rendering/05.png CONFIG CHECKPOINT --rendering \\
      --truth ShapeNet_pointclouds/03001627/ID/pointcloud_1024.npy --out work_dirs/one

Each picture gets NAME.npy (N x 3), NAME.ply, NAME_turntable.png, and with --samples NAME_samples.npy (S x N x 3),
NAME_spread.npy (standard deviation of each point over the samples) and NAME_samples.png; results.json says all.
A second run keeps what would be made again.

Clouds are in the frame of the clouds that the model was trained on: those of generated models have y up, those of
3D-LMNet, it is believed, -x (--up=-x draws them upright; tools/create_data.py shapenet measures it). True meshes are
centred and scaled to a diagonal of 1, as ShapeNet's are.
Exit status: 0; 1 where nothing could be done; 3 where some pictures could not be reconstructed, which are listed.
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option('images', nargs='+', type=Path, metavar='IMAGE', help='pictures, or folders of them')
    option('config', help='config file of a ReConstNet')
    option('checkpoint', help='weights, of tools/train.py')
    option('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    option('--samples', type=int, default=0, metavar='S', help='clouds to draw besides of each picture, 2 or more')
    option('--seed', type=int, default=0, help='of the samples (default: %(default)s)')
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
    truth = parser.add_argument_group('the true shape')
    truth.add_argument('--truth', type=Path, metavar='PATH', help='.npy, .ply, .obj, .off, .stl, .binvox or .mat, or a '
                       'folder of NAME.npy, ...: drawn beside, with CD, EMD and F-score')  # fmt: skip
    truth.add_argument('--truth-turn', default='stored', metavar='TURN', help="its axes in the model's frame, such as "
                       "'y,-x,z' (default: as they are)")  # fmt: skip
    truth.add_argument('--truth-normalize', choices=('diagonal', 'none'), default='diagonal',
                       help='of true meshes and voxels (default: %(default)s)')
    truth.add_argument('--align', choices=('none', 'icp', 'icp_legacy'), default='none', help='before comparing '
                       '(default: %(default)s)')  # fmt: skip
    truth.add_argument('--scale', choices=('none', 'unit_cube'), default='none', help='before comparing (default: '
                       '%(default)s)')  # fmt: skip
    option('--up', default='+y', metavar='AXIS', help="axis of the model's clouds that is drawn upwards; write --up=-x "
           "with '=' (default: %(default)s)")  # fmt: skip
    option('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    return parser.parse_intermixed_args()  # options may stand between IMAGE and CONFIG


def main() -> int:
    """Entry point; a fault ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.mask_sources import MaskSource
    from mmfusion_plugin.apis.reconstruct_image import ReconstructionOptions, reconstruct_images
    from mmfusion_plugin.apis.shape_inferencer import ShapeInferencer
    from mmfusion_plugin.apis.true_shapes import TrueShapes

    try:
        options = ReconstructionOptions(args.rendering, args.tolerance, args.holes, args.up, args.align, args.scale)
        masks = MaskSource(args.mask, args.mask_suffix)
        truths = TrueShapes(args.truth, args.truth_turn, args.truth_normalize)
        inferencer = ShapeInferencer(args.config, args.checkpoint, args.device, args.samples, args.seed)
        results = reconstruct_images(inferencer, args.images, args.out, masks, truths, options)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for entry in results['broken']:
        print(f'error: {entry["reason"]}', file=sys.stderr)
    if results['table']:
        print(results['table'])
    done = len(results['images'])
    print(f'{done} of {done + len(results["broken"])} pictures reconstructed: {args.out}/results.json')
    return 0 if not results['broken'] else 3 if done else 1


if __name__ == '__main__':
    sys.exit(main())
