#!/usr/bin/env python
"""How much clouds drawn of one picture by a trained ReConstNet differ, by where the camera stands.

For each test picture: the mean Chamfer distance between each two of the clouds (not squared, both ways added), and the
mean standard deviation of the code. Means of both over the pictures seen from front (camera within 45 degrees of the
model's front), from behind (within 45 degrees of its back) and from the side.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from pathlib import Path

import torch
from mmdet3d.registry import DATASETS
from mmengine.dataset import pseudo_collate
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from mmfusion_plugin.apis.shape_inferencer import ShapeInferencer
from mmfusion_plugin.files import write_text
from mmfusion_plugin.ops.chamfer import chamfer_distance

SIDES = ('front', 'side', 'behind')
EXAMPLES = """example:
  python projects/3D-ReConstNet/sample_spread.py configs/reconstnet/reconstnet-tiny_1xb16_synthetic-shapenet.py \\
      work_dirs/reconstnet-tiny_1xb16_synthetic-shapenet/iter_500.pth --out work_dirs/spread.json
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of a ReConstNet with a Gaussian code')
    parser.add_argument('checkpoint', help='weights, of tools/train.py')
    parser.add_argument('--samples', type=int, default=6, help='clouds drawn of each picture (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the draws (default: %(default)s)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: CUDA where there is one)')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE', help='JSON to write')
    return parser.parse_args()


def side_of(azimuth: float) -> str:
    """Where the camera stands: ``'front'``, ``'side'`` or ``'behind'``.

    Args:
        azimuth: In radians, of any turn. 0 looks at the front (the +x of ShapeNet's frame), a half turn at the back,
            which is the centre of the diversity loss.
    """
    away = abs(math.remainder(azimuth, 2 * math.pi))
    return SIDES[0] if away < math.pi / 4 else SIDES[1] if away <= 3 * math.pi / 4 else SIDES[2]


def pairwise_chamfer(clouds: Tensor) -> float:
    """Mean Chamfer distance (not squared, both ways added) between each two of ``clouds`` (S, N, 3), S > 1."""
    first, second = torch.tensor(list(itertools.combinations(range(len(clouds)), 2))).T
    return float(sum(chamfer_distance(clouds[first], clouds[second], squared=False)).mean())


@torch.no_grad()
def measure(inferencer: ShapeInferencer, dataset: Dataset) -> list[dict]:
    """``side``, ``cd`` and ``sigma`` of each picture.

    Raises:
        ValueError: It is not known where a picture was taken from.
    """
    model, rows = inferencer.model, []
    for index in tqdm(range(len(dataset)), desc='pictures'):
        data = model.data_preprocessor(pseudo_collate([dataset[index]]))
        features = model.extract_feat(data['inputs'])
        (sample,) = model.head.predict(features, data['data_samples'])
        azimuth = sample.get('azimuth')
        if azimuth is None:
            raise ValueError(f'{sample.get("img_path")} has no azimuth: add LoadViewpoint to the test pipeline')
        sigma = float(model.head.encode(features).sigma.mean())
        rows.append({'side': side_of(azimuth), 'cd': pairwise_chamfer(sample.pred_samples), 'sigma': sigma})
    return rows


def means(rows: list[dict]) -> dict:
    """``images_``, ``cd_`` and ``sigma_`` of each side; None of a side from which nothing was seen."""
    found = {}
    for side in SIDES:
        group = [row for row in rows if row['side'] == side]
        found[f'images_{side}'] = len(group)
        for key in ('cd', 'sigma'):
            found[f'{key}_{side}'] = sum(row[key] for row in group) / len(group) if group else None
    return found


def main() -> None:
    """Run the command."""
    args = parse_args()
    try:
        if args.samples < 2:
            raise ValueError(f'--samples must be at least 2 to differ, got {args.samples}')
        inferencer = ShapeInferencer(args.config, args.checkpoint, args.device, args.samples, args.seed)
        dataset = DATASETS.build({**inferencer.dataset_cfg, 'test_mode': True})
        found = means(measure(inferencer, dataset))
    except (OSError, ValueError) as error:
        sys.exit(f'sample_spread: {error}')
    write_text(args.out, json.dumps({'samples': args.samples, **found}) + '\n')
    print(json.dumps(found, indent=1))


if __name__ == '__main__':
    main()
