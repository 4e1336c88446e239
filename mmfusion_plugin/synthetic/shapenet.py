"""A ShapeNet made on this machine: generated models in the layouts of 3D-R2N2, 3D-LMNet and CISP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Union

import numpy as np
from tqdm import tqdm

from mmfusion_plugin.converters.shapenet_taxonomy import Category, chosen_categories
from mmfusion_plugin.files import write_text
from mmfusion_plugin.synthetic.recording import claim_folder, record_all
from mmfusion_plugin.synthetic.shapenet_model import ModelPlan, record_model

# Raised whenever the same seed gives other bytes than before.
GENERATION = 1
STAMP = 'synthetic_shapenet.json'
#: Split files, below the world's folder: 3D-LMNet's two, and CISP's.
LMNET_SPLITS = {'train': 'splits/train_models.json', 'val': 'splits/val_models.json'}
CISP_SPLIT = 'ShapeNet.json'
#: Shares of the published splits: 4 to 1 in 3D-LMNet's, 70, 10 and 20 per cent in CISP's.
LMNET_SHARES = {'train': 0.8, 'val': 0.2}
CISP_SHARES = {'train': 0.7, 'val': 0.1, 'test': 0.2}


def make_shapenet(
    out_dir: Union[str, Path],
    models: int = 20,
    categories: Optional[Sequence[str]] = None,
    seed: int = 0,
    workers: int = 1,
    views: int = 24,
    progress: bool = True,
) -> Path:
    """Generates models and writes them as the folders that readers of ShapeNet expect.

    ``<synset>/<id>`` below ``ShapeNetRendering`` holds ``rendering/00.png`` and so on (137 x 137 RGBA) with
    ``rendering_metadata.txt`` and ``renderings.txt``; below ``ShapeNetVox32``, ``model.binvox``; below
    ``ShapeNet_pointclouds``, ``pointcloud_1024.npy`` and ``pointcloud_2048.npy`` (float32). All three are in one frame,
    that of ``shapenet_shape.Shape``; ``shapenet_camera`` says how points fall on pictures. The split files are written
    last, so a folder that has them is complete.

    The same arguments give the same bytes for any number of ``workers``, and a model does not change with ``models``,
    ``categories`` or ``views``. Interrupted, it goes on with the first unfinished model when called again.

    Args:
        out_dir: Folder to write; empty, or one that this function has begun with the same settings.
        models: Of each category.
        categories: Synset ids, names or aliases; all 13 when None.
        seed: Of the whole world.
        workers: Processes; models are spread over them.
        views: Pictures of each model.
        progress: Show a bar with the time left.

    Returns:
        ``out_dir`` as a path.

    Raises:
        ValueError: Impossible settings.
        FileExistsError: ``out_dir`` holds something else, a world of other settings, or one of an older generator.
        RuntimeError: A worker process was killed; called again, the run goes on.
    """
    if models < 1 or not 1 <= views <= 100 or seed < 0:
        raise ValueError(f'models={models} must be at least 1, views={views} 1 to 100, seed={seed} not negative')
    wanted = chosen_categories(categories)
    plans = [ModelPlan(category.synset, seed, index, views) for category in wanted for index in range(models)]
    root = Path(out_dir)
    settings = {
        'generator': 'mmfusion_plugin.synthetic.shapenet', 'generation': GENERATION, 'seed': seed, 'models': models,
        'categories': [category.name for category in wanted], 'views': views,
    }  # fmt: skip
    claim_folder(root, STAMP, STAMP, settings, 'ShapeNet')
    missing = [plan for plan in plans if not plan.finished(root)]
    with tqdm(total=len(plans) * views, unit='view', desc='shapenet', disable=not progress) as bar:
        bar.update((len(plans) - len(missing)) * views)
        record_all(record_model, root, missing, workers, bar)
    _write_splits(root, wanted, plans, seed)
    return root


def _write_splits(root: Path, categories: List[Category], plans: List[ModelPlan], seed: int) -> None:
    """Writes both splits, drawn apart as the published ones: what one trains on the other may test on."""
    lmnet: Dict[str, Dict[str, List[str]]] = {name: {} for name in LMNET_SPLITS}
    cisp = []
    for category in categories:
        ids = [plan.model_id for plan in plans if plan.synset == category.synset]
        rng = np.random.default_rng([seed, int(category.synset)])
        for name, members in _split(ids, LMNET_SHARES, rng).items():
            lmnet[name][category.synset] = [f'{category.synset}/{model_id}' for model_id in members]
        members = _split(ids, CISP_SHARES, rng)
        cisp.append({'taxonomy_id': category.synset, 'taxonomy_name': category.name, **members})
    for name, path in LMNET_SPLITS.items():
        write_text(root / path, json.dumps(lmnet[name], indent=1))
    write_text(root / CISP_SPLIT, json.dumps(cisp, indent=1))


def _split(ids: List[str], shares: Dict[str, float], rng: np.random.Generator) -> Dict[str, List[str]]:
    """Each id in one part. Every part has at least one where there are enough; training has what is left."""
    order = [ids[number] for number in rng.permutation(len(ids))]
    parts = {}
    for name in reversed(list(shares)[1:]):
        count = min(max(1, round(shares[name] * len(ids))), len(order) - 1)
        parts[name], order = sorted(order[:count]), order[count:]
    return {name: sorted(order) if name not in parts else parts[name] for name in shares}
