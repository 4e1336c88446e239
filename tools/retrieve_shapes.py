#!/usr/bin/env python
"""Find the shapes in pictures in a gallery of shapes, by a trained CISP; or the images that a shape is in."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  # a picture with a transparent or a plain background
  python tools/retrieve_shapes.py chair.png work_dirs/gallery.npz CONFIG CHECKPOINT --top 5 --out work_dirs/found
  # photographs with masks, all of a folder
  python tools/retrieve_shapes.py photos --mask masks work_dirs/gallery.npz CONFIG CHECKPOINT --out work_dirs/found
  # a rendering of ShapeNet, as tools/test.py sees it
  python tools/retrieve_shapes.py ShapeNetRendering/03001627/ID/rendering/05.png work_dirs/gallery.npz CONFIG \\
      CHECKPOINT --rendering --out work_dirs/found
  # the images of a shape, where the gallery has any (tools/embed_shapes.py --images)
  python tools/retrieve_shapes.py chair.binvox work_dirs/gallery.npz CONFIG CHECKPOINT --out work_dirs/found

The gallery is one of tools/embed_shapes.py, made by the same weights; similarity is the cosine of embeddings. Each
query gets NAME_found.png with what was found; results.json lists all.
Exit status: 0; 1 where nothing could be done; 3 where some queries could not be read, which are listed.
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option('queries', nargs='+', type=Path, metavar='IMAGE', help='pictures, folders of them, or .binvox files')
    option('gallery', type=Path, metavar='GALLERY', help='.npz of tools/embed_shapes.py')
    option('config', help='config file of a CISP')
    option('checkpoint', help='weights, those that made the gallery')
    option('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    option('--top', type=int, default=5, metavar='K', help='entries that are listed (default: %(default)s)')
    option('--find', choices=('shape', 'image'), help='what to look for (default: shapes for images, images for '
           'shapes)')  # fmt: skip
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
    return parser.parse_intermixed_args()  # options may stand between IMAGE and GALLERY


def main() -> int:
    """Entry point; a fault ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.embedding_inferencer import EmbeddingInferencer
    from mmfusion_plugin.apis.gallery import read_gallery
    from mmfusion_plugin.apis.mask_sources import MaskSource
    from mmfusion_plugin.apis.object_inferencer import ObjectOptions
    from mmfusion_plugin.apis.retrieve_shapes import Search, retrieve

    try:
        options = ObjectOptions(args.rendering, args.tolerance, args.holes)
        masks, gallery = MaskSource(args.mask, args.mask_suffix), read_gallery(args.gallery)
        inferencer = EmbeddingInferencer(args.config, args.checkpoint, args.device)
        gallery.check_made_by(inferencer, args.gallery)
        results = retrieve(Search(inferencer, gallery, args.top, args.find, options), args.queries, args.out, masks)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for entry in results['broken']:
        print(f'error: {entry["reason"]}', file=sys.stderr)
    done = len(results['queries'])
    print(f'{done} of {done + len(results["broken"])} queries answered: {args.out}/results.json')
    return 0 if not results['broken'] else 3 if done else 1


if __name__ == '__main__':
    sys.exit(main())
