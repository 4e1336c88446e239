#!/usr/bin/env python
"""Score training shapes in place of generated ones: what a model that generates has to beat.

``retrieved`` answers a test picture with the shapes of the training part whose embeddings are most similar (cosine) to
the picture's, ``random-category`` with random ones of the picture's category, ``random`` with any. Scores are those of
the config's own test.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mmdet3d.registry import DATASETS, METRICS
from mmengine.config import Config
from tqdm import tqdm

from mmfusion_plugin.apis.embed_shapes import embed_items
from mmfusion_plugin.apis.embedding_inferencer import EmbeddingInferencer
from mmfusion_plugin.apis.gallery_items import dataset_items
from mmfusion_plugin.datasets.shape_files import read_shape_voxels
from mmfusion_plugin.engine.launch import OptionAction, read_config

NAMES = ('retrieved', 'random-category', 'random')
EXAMPLES = """examples:
  python projects/CISP/score_baseline.py random configs/ic3d/ic3d-tiny_1xb16_synthetic-shapenet-cisp.py \\
      --samples 4 --out work_dirs/random
  python projects/CISP/score_baseline.py retrieved configs/ic3d/ic3d-tiny_1xb16_synthetic-shapenet-cisp.py \\
      --embedder configs/cisp/cisp-tiny_1xb64_synthetic-shapenet.py \\
      work_dirs/cisp-tiny_1xb64_synthetic-shapenet/iter_300.pth --samples 4 --out work_dirs/retrieved
"""
Entries = list[dict[str, Any]]


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('name', choices=NAMES, help='which baseline')
    parser.add_argument('config', help='config file of an IC3D: its test data, and its scores')
    parser.add_argument('--embedder', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='CISP that retrieves')
    parser.add_argument('--samples', type=int, default=1, help='training shapes for each picture (default: 1)')
    parser.add_argument('--seed', type=int, default=0, help='of the random ones (default: 0)')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of categories.csv and others')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE',
                        help='changes to both configs')  # fmt: skip
    return parser.parse_args()


def entries_of(cfg: Config, part: str) -> Entries:
    """Of the dataset that ``cfg`` tests on, or of another part of it."""
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'part': part})
    return [dataset.get_data_info(place) for place in range(len(dataset))]


def random_shapes(known: Entries, asked: Entries, samples: int, seed: int, same_category: bool) -> list[list[str]]:
    """Voxel files of ``samples`` different training shapes for each entry.

    Raises:
        ValueError: There are not as many.
    """
    random, found = np.random.default_rng(seed), []
    for entry in asked:
        paths = [one['voxel_path'] for one in known if not same_category or one['synset'] == entry['synset']]
        if len(paths) < samples:
            raise ValueError(f'{len(paths)} training shapes of {entry["category"]} are not {samples}: lower --samples')
        found.append(random.choice(paths, samples, replace=False).tolist())
    return found


def retrieved_shapes(cfg: Config, checkpoint: str, asked: Entries, samples: int, out: Path) -> list[list[str]]:
    """Voxel files of the training shapes nearest to each entry's picture; the gallery of both stays in ``out``."""
    cfg.test_dataloader.dataset.missing = 'keep'  # of training models there are shapes, but perhaps no sketches
    inferencer = EmbeddingInferencer(cfg, checkpoint)
    pictures = [item for item in dataset_items(inferencer, images=True) if item.kind == 'image']
    items = [*dataset_items(inferencer, ['train']), *pictures]
    gallery = embed_items(inferencer, items, out / 'gallery.npz', checkpoint).gallery
    rows = dict(zip(gallery.keys, gallery.vectors))
    keys = [f'{entry["synset"]}/{entry["model_id"]}/{entry["view"]:02d}' for entry in asked]
    return [gallery.paths[gallery.nearest(rows[key], 'shape', samples)[0]].tolist() for key in keys]


def score(args: argparse.Namespace) -> dict[str, float]:
    """Answer each test picture and write the metric's report.

    Raises:
        ValueError: An option is missing or wrong.
    """
    cfg = read_config(args.config, args.cfg_options)
    asked = entries_of(cfg, cfg.test_dataloader.dataset.part)
    if args.samples < 1 or (args.name == 'retrieved') != (args.embedder is not None):
        raise ValueError('need --samples of at least 1, and --embedder for the retrieved shapes alone')
    if args.name == 'retrieved':
        config, checkpoint = args.embedder
        embedder = read_config(config, args.cfg_options)
        paths = retrieved_shapes(embedder, checkpoint, asked, args.samples, args.out)
    else:
        known = entries_of(cfg, 'train')
        paths = random_shapes(known, asked, args.samples, args.seed, args.name == 'random-category')
    metric = METRICS.build({**cfg.test_evaluator, 'out_dir': str(args.out)})
    for entry, answers in zip(tqdm(asked, desc='test pictures'), paths):
        voxels = np.stack([read_shape_voxels(path) for path in answers])
        metric.process(None, [{**entry, 'pred_voxels': voxels, 'gt_voxels': read_shape_voxels(entry['voxel_path'])}])
    return metric.evaluate(len(asked))


def main() -> None:
    """Run the command."""
    try:
        scores = score(parse_args())
    except (OSError, ValueError) as error:
        sys.exit(f'score_baseline: {error}')
    print({key: round(scores[key], 2) for key in ('iou_mean', 'iou_best', 'f_score_mean') if key in scores})


if __name__ == '__main__':
    main()
