#!/usr/bin/env python
"""Score what the colours of the foreground alone tell: logistic regression on its histogram, without any shape.

A trait that this finds is no evidence that a network looks at outlines.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from mmdet3d.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from mmfusion_plugin.engine.config_files import read_config_file
from mmfusion_plugin.engine.launch import OptionAction
from mmfusion_plugin.files import write_text

LEVELS = 6  # of red, green and blue
EXAMPLES = """examples:
  python projects/SIM-Net/score_colours.py configs/simnet/resnet-tiny_1xb32_synthetic-herbarium.py --out work_dirs/fruit
  python projects/SIM-Net/score_colours.py configs/simnet/resnet-tiny_1xb32_synthetic-herbarium.py \\
      --out work_dirs/thorns --cfg-options train_dataloader.dataset.trait=thorns val_dataloader.dataset.trait=thorns
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of a SIM-Net: its training and validation sets are used')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of colours.json')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE',
                        help='changes to the config')  # fmt: skip
    return parser.parse_args()


def histogram(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Square roots of the shares of the foreground's colours, LEVELS**3 values; zeros where there is no foreground.

    Args:
        image: (H, W, 3) uint8.
        mask: (H, W), above 0 is foreground.
    """
    levels = image[mask > 0].astype(np.int64) * LEVELS // 256
    counts = np.bincount(levels @ [LEVELS**2, LEVELS, 1], minlength=LEVELS**3)
    return np.sqrt(counts / max(len(levels), 1))


def read(config: dict) -> tuple[np.ndarray, np.ndarray]:
    """Histograms (N, LEVELS**3) and classes (N,) of a dataset, whose pipeline begins with ``LoadImageAndMask``."""
    dataset: BaseDataset = DATASETS.build({**config, 'pipeline': config['pipeline'][:1]})
    samples = (dataset[index] for index in tqdm(range(len(dataset)), desc=config.get('split', ''), unit='image'))
    found = [(histogram(sample['img'], sample['mask']), int(sample['gt_label'])) for sample in samples]
    return np.stack([colours for colours, _ in found]), np.array([label for _, label in found])


def score(args: argparse.Namespace) -> dict[str, float]:
    """Fit on the training set; accuracy and macro F1 on the validation set, in 0..1, which are also written."""
    cfg = read_config_file(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    train, val = (read(cfg[f'{split}_dataloader'].dataset.to_dict()) for split in ('train', 'val'))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)).fit(*train)
    found = model.predict(val[0])
    scores = {
        'accuracy': float(accuracy_score(val[1], found)),
        'f1': float(f1_score(val[1], found, average='macro')),
    }
    write_text(args.out / 'colours.json', json.dumps(scores) + '\n')
    return scores


def main() -> None:
    """Run the command."""
    try:
        scores = score(parse_args())
    except (OSError, ValueError) as error:
        sys.exit(f'score_colours: {error}')
    print({key: round(100 * value, 1) for key, value in scores.items()})


if __name__ == '__main__':
    main()
