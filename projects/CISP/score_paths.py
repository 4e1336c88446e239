#!/usr/bin/env python
"""How evenly shapes change between those of two pictures, over several pairs, along straight lines and arcs.

Pairs are of test models: the first with the second of a category, and the first with the first of the next category.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from mmfusion_plugin.apis.gallery_items import Item, dataset_items
from mmfusion_plugin.apis.interpolate_shapes import MODES, between
from mmfusion_plugin.apis.object_inferencer import ObjectOptions
from mmfusion_plugin.apis.voxel_inferencer import VoxelInferencer
from mmfusion_plugin.evaluation.generation_protocol import GenerationProtocol
from mmfusion_plugin.evaluation.interpolation_scores import interpolation_smoothness
from mmfusion_plugin.files import write_text

KINDS = ('within', 'across')
SCORES = ('mean_step', 'max_step', 'ends')
EXAMPLES = """example:
  python projects/CISP/score_paths.py configs/ic3d/ic3d-tiny_1xb16_synthetic-shapenet-cisp.py \\
      work_dirs/ic3d-tiny_1xb16_synthetic-shapenet-cisp/iter_800.pth --out work_dirs/paths.json
"""


class Pair(NamedTuple):
    """Two pictures, of one category (``within``) or of two (``across``)."""

    kind: str
    first: Item
    last: Item


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of an IC3D with an image network')
    parser.add_argument('checkpoint', help='weights, of tools/train.py')
    parser.add_argument('--pairs', type=int, default=1, metavar='N',
                        help='of each category, and as many across (default: %(default)s)')  # fmt: skip
    parser.add_argument('--steps', type=int, default=8, metavar='N', help='shapes of a path (default: %(default)s)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE', help='JSON to write')
    return parser.parse_args()


def choose_pairs(pictures: list[Item], count: int) -> list[Pair]:
    """``count`` pairs within each category, and as many between each and the next one.

    Args:
        pictures: One of each model.
        count: At least 1.

    Raises:
        ValueError: A category has too few models.
    """
    groups: dict[str, list[Item]] = {}
    for item in pictures:
        groups.setdefault(item.synset, []).append(item)
    short = {items[0].category: len(items) for items in groups.values() if len(items) < 2 * count}
    if count < 1 or short:
        raise ValueError(f'{count} pairs of each category need at least 1, and twice as many models; of {short}')
    ordered = list(groups.values())
    within = [Pair(KINDS[0], *items[2 * n : 2 * n + 2]) for items in ordered for n in range(count)]
    following = zip(ordered, [*ordered[1:], ordered[0]]) if len(ordered) > 1 else ()
    return within + [Pair(KINDS[1], items[n], others[n]) for items, others in following for n in range(count)]


def measure(inferencer: VoxelInferencer, pairs: list[Pair], steps: int) -> list[dict]:
    """``kind``, ``mode``, :data:`SCORES` and ``empty`` of each pair and mode; the latter is the share of shapes without
    any voxel, between which steps are 0. All shapes of a pair begin with the same noise."""
    protocol, rows = GenerationProtocol(), []
    shares = np.linspace(0, 1, steps)
    for pair in tqdm(pairs, desc='pairs'):
        seen = [inferencer.look_at(Path(item.path), options=ObjectOptions(rendering=True)) for item in pair[1:]]
        first, last = (inferencer.embed(one) for one in seen)
        embeddings = [between(first, last, share, mode) for mode in MODES for share in shares]
        name = f'{pair.first.key} {pair.last.key}'.replace('/', ' ')  # noise follows from what is behind a slash
        voxels = inferencer.draw(np.stack(embeddings), name)[:, 0]
        clouds = torch.stack([protocol.cloud(shape) for shape in voxels])
        empty = ~voxels.reshape(len(MODES), steps, -1).any(axis=2)
        for mode, path, share in zip(MODES, clouds.split(steps), empty.mean(axis=1).tolist()):
            scores = {key: protocol.factor * value for key, value in interpolation_smoothness(path).items()}
            rows.append(dict(kind=pair.kind, mode=mode, empty=share, **{key: scores[key] for key in SCORES}))
    return rows


def means(rows: list[dict]) -> dict[str, float]:
    """``lerp_within_mean_step`` and so on, and ``lerp_empty``, over the pairs."""
    found = {}
    for mode, kind in dict.fromkeys((row['mode'], row['kind']) for row in rows):
        group = [row for row in rows if (row['mode'], row['kind']) == (mode, kind)]
        found.update({f'{mode}_{kind}_{key}': statistics.fmean(row[key] for row in group) for key in SCORES})
    for mode in dict.fromkeys(row['mode'] for row in rows):
        found[f'{mode}_empty'] = statistics.fmean(row['empty'] for row in rows if row['mode'] == mode)
    return found


def main() -> None:
    """Run the command."""
    args = parse_args()
    try:
        if args.steps < 2:
            raise ValueError(f'a path has two shapes or more, got --steps {args.steps}')
        sampling = {'num_samples': 1, 'progress': False}
        inferencer = VoxelInferencer(args.config, args.checkpoint, args.device, sampling=sampling)
        pictures = [item for item in dataset_items(inferencer, images=True, views=[0]) if item.kind == 'image']
        pairs = choose_pairs(pictures, args.pairs)
        found = means(measure(inferencer, pairs, args.steps))
    except (OSError, ValueError) as error:
        sys.exit(f'score_paths: {error}')
    counts = {f'pairs_{kind}': sum(pair.kind == kind for pair in pairs) for kind in KINDS}
    write_text(args.out, json.dumps({'shapes': args.steps, **counts, **found}) + '\n')
    print(json.dumps(found, indent=1))
    shares = ', '.join(f'{100 * found[f"{mode}_empty"]:.1f} % ({mode})' for mode in MODES)
    print(f'shapes without any voxel: {shares}')


if __name__ == '__main__':
    main()
