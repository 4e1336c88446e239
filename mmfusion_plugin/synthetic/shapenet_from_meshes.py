"""People's own meshes in the layouts of 3D-R2N2, 3D-LMNet and CISP: pictures, voxels, clouds and splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from tqdm import tqdm

from mmfusion_plugin.converters.shapenet_files import RENDERINGS
from mmfusion_plugin.converters.shapenet_splits import ModelKey
from mmfusion_plugin.converters.shapenet_taxonomy import category_name
from mmfusion_plugin.files import write_text
from mmfusion_plugin.synthetic.recording import claim_folder, record_all
from mmfusion_plugin.synthetic.shapenet import CISP_SPLIT, LMNET_SPLITS
from mmfusion_plugin.synthetic.shapenet_mesh import upright_turn
from mmfusion_plugin.synthetic.shapenet_mesh_model import NOTE, MeshPlan, find_meshes, read_note, record_mesh

# Raised whenever the same mesh gives other bytes than before.
GENERATION = 1
STAMP = 'shapenet_of_meshes.json'


class MadeTree(NamedTuple):
    """What became of the meshes.

    Attributes:
        models: All that the tree holds, those of earlier runs too.
        faults: By mesh, what is wrong with it; by note, that it is damaged and of a model whose mesh was not given.
    """

    models: List[ModelKey]
    faults: Dict[Path, str]


def shapenet_from_meshes(
    sources: Sequence[Union[str, Path]],
    out_dir: Union[str, Path],
    category: Optional[str] = None,
    up: str = '+y',
    front: str = '+x',
    views: int = 24,
    held_out: float = 0.2,
    seed: int = 0,
    workers: int = 1,
    progress: bool = True,
) -> MadeTree:
    """Renders, voxelises and samples meshes into the folders that readers of ShapeNet expect.

    The layout is that of :func:`~mmfusion_plugin.synthetic.shapenet.make_shapenet`. Beside a model's pictures lies
    ``mesh.json`` with what it was made of. A mesh that is changed, and one that is new, is made when the function is
    called again; the others stay. A model is the same for any number of ``workers`` and whatever else is in the tree.

    Args:
        sources: Meshes and folders of meshes, see ``find_meshes``.
        out_dir: Folder to write; empty, or one that this function has begun with the same settings.
        category: Of meshes in no folder that is called like one: synset id, name or alias.
        up: Where the top of the meshes is: '+x', '-x', '+y', '-y', '+z' or '-z'.
        front: Where their front is, which is seen at azimuth 0.
        views: Pictures of each model.
        held_out: Share of each category that is not trained on, 0..1: ``val`` of 3D-LMNet's split; ``val`` and ``test``
            of CISP's. One model at least where there are two.
        seed: Of viewpoints, clouds and splits.
        workers: Processes; models are spread over them.
        progress: Show a bar with the time left.

    Raises:
        FileNotFoundError: A source does not exist.
        FileExistsError: ``out_dir`` holds something else, or a tree of other settings.
        ValueError: Impossible settings, no mesh, one without a category, or two that would have one id.
        RuntimeError: A worker process was killed; called again, the run goes on.
    """
    if not 1 <= views <= 100 or not 0 <= held_out <= 1 or seed < 0:
        raise ValueError(f'views={views} must be 1 to 100, held_out={held_out} 0 to 1, seed={seed} not negative')
    turn, root = upright_turn(up, front), Path(out_dir)
    meshes = find_meshes([Path(source) for source in sources], root, category)
    settings = {'generator': 'mmfusion_plugin.synthetic.shapenet_from_meshes', 'generation': GENERATION, 'seed': seed,
                'views': views, 'up': up, 'front': front}  # fmt: skip
    claim_folder(root, STAMP, STAMP, settings, 'mesh')
    plans = [MeshPlan(path, model, turn, seed, views) for model, path in meshes.items()]
    missing = [plan for plan in plans if not plan.finished(root)]
    with tqdm(total=len(plans) * views, unit='view', desc='meshes', disable=not progress) as bar:
        bar.update((len(plans) - len(missing)) * views)
        record_all(record_mesh, root, missing, workers, bar)
    models, faults = _sound_models(root)
    faults.update({plan.path: plan.fault(root) for plan in plans})
    _write_splits(root, models, held_out, seed)
    return MadeTree(models, {path: reason for path, reason in faults.items() if reason})


def _sound_models(root: Path) -> Tuple[List[ModelKey], Dict[Path, Optional[str]]]:
    """Models of a tree that are complete, by their notes, and the notes that are damaged."""
    models, faults = [], {}
    for path in sorted((root / RENDERINGS).glob(f'*/*/{NOTE}')):
        note = read_note(path)
        if note is None:
            faults[path] = f'{path} is damaged, and its model in no split: delete it, or name its mesh again'
        elif 'fault' not in note:
            models.append(ModelKey(*path.parts[-3:-1]))
    return models, faults


def _write_splits(root: Path, models: Sequence[ModelKey], held_out: float, seed: int) -> None:
    """Writes both splits; of CISP's held-out models every other one is for validation, the first for testing."""
    lmnet: Dict[str, Dict[str, List[str]]] = {name: {} for name in LMNET_SPLITS}
    cisp = []
    for synset in sorted({model.synset for model in models}):
        ids = [model.model_id for model in models if model.synset == synset]
        order = [ids[number] for number in np.random.default_rng([seed, int(synset)]).permutation(len(ids))]
        count = round(held_out * len(ids))
        if 0 < held_out < 1:
            count = min(max(count, 1), len(ids) - 1)
        held, train = order[:count], sorted(order[count:])
        for name, members in (('train', train), ('val', sorted(held))):
            lmnet[name][synset] = [f'{synset}/{model_id}' for model_id in members]
        cisp.append({'taxonomy_id': synset, 'taxonomy_name': category_name(synset), 'train': train,
                     'val': sorted(held[1::2]), 'test': sorted(held[::2])})  # fmt: skip
    for name, path in LMNET_SPLITS.items():
        write_text(root / path, json.dumps(lmnet[name], indent=1))
    write_text(root / CISP_SPLIT, json.dumps(cisp, indent=1))
