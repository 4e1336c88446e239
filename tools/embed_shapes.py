#!/usr/bin/env python
"""Embed shapes, and images if wanted, with a trained CISP into one file, a gallery that is searched by images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  # the shapes of the config's test split
  python tools/embed_shapes.py CONFIG CHECKPOINT --out work_dirs/gallery.npz
  # those of the whole split, with the images of all their views: what a model conditioned on a file is trained on
  python tools/embed_shapes.py CONFIG CHECKPOINT --split train val test --images --views all \\
      --out work_dirs/embeddings.npz
  # voxels of your own: files, and folders of files
  python tools/embed_shapes.py CONFIG CHECKPOINT chair.binvox ShapeNetVox32/04379243 --out work_dirs/mine.npz

The file holds keys, kinds, paths, synsets, categories, digests and vectors (N x D, not normalised) of the shapes and
then of the images, and by which config and weights they were made (numpy's .npz, without pickle). A model that is
conditioned on embeddings out of a file takes its keys and vectors. A stopped run goes on where it was; a second one
embeds only what is new or has changed. tools/retrieve_shapes.py searches it.
Exit status: 0; 1 where nothing could be done; 3 where some files could not be read, which are listed.
"""
MOST = 20  # broken files that are listed


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option('config', help='config file of a CISP')
    option('checkpoint', help='weights, of tools/train.py')
    option('shapes', nargs='*', type=Path, metavar='SHAPE', help='.binvox files, or folders of them (default: the '
           'dataset that the config tests on)')  # fmt: skip
    option('--out', type=Path, required=True, metavar='FILE', help='gallery to write, .npz')
    option('--split', nargs='+', metavar='PART', help="train, val, test, or several of them (default: the config's)")
    option('--images', action='store_true', help='embed the images of the split, too')
    option('--views', nargs='+', metavar='N', help="which of each model's images: numbers, or all (default: the "
           "config's)")  # fmt: skip
    option('--batch-size', type=int, default=64, metavar='N', help='at a time (default: %(default)s)')
    option('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    return parser.parse_intermixed_args()


def main() -> int:
    """Entry point; a fault ends in one line of explanation and exit status 1."""
    args = parse_args()
    from mmfusion_plugin.apis.embed_shapes import embed_items
    from mmfusion_plugin.apis.embedding_inferencer import EmbeddingInferencer
    from mmfusion_plugin.apis.gallery_items import dataset_items, file_items

    try:
        if args.shapes and (args.split or args.images):
            raise ValueError('--split and --images go with the dataset of the config: leave them out, or the shapes')
        if args.views and not args.images:
            raise ValueError('--views chooses images: say --images too')
        inferencer = EmbeddingInferencer(args.config, args.checkpoint, args.device)
        items = (file_items(args.shapes) if args.shapes
                 else dataset_items(inferencer, args.split or (), args.images, view_numbers(args.views)))  # fmt: skip
        done = embed_items(inferencer, items, args.out, args.checkpoint, args.batch_size)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for _, reason in done.broken[:MOST]:
        print(f'error: {reason}', file=sys.stderr)
    if len(done.broken) > MOST:
        print(f'error: and {len(done.broken) - MOST} more', file=sys.stderr)
    counts = ', '.join(f'{(done.gallery.kinds == kind).sum()} {kind}s' for kind in ('shape', 'image'))
    width = done.gallery.vectors.shape[1]
    print(f'{counts} in {width} dimensions, {done.kept} of them from an earlier run: {args.out}')
    return 3 if done.broken else 0


def view_numbers(words: list) -> list | None:
    """Numbers of views; empty for all, None for those of the config."""
    if not words or words == ['all']:
        return [] if words else None
    if not all(word.isdigit() for word in words):
        raise ValueError(f'--views must be numbers or the word all, got {" ".join(words)}')
    return [int(word) for word in words]


if __name__ == '__main__':
    sys.exit(main())
