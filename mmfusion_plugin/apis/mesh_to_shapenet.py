"""A folder of meshes as a ShapeNet of one's own, with a sheet that shows whether they stand upright."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from mmfusion_plugin.converters.binvox import read_binvox
from mmfusion_plugin.converters.shapenet_files import ShapeNetTree, read_cloud, read_viewpoints
from mmfusion_plugin.converters.shapenet_splits import ModelKey
from mmfusion_plugin.converters.shapenet_taxonomy import category_name
from mmfusion_plugin.synthetic.shapenet_from_meshes import shapenet_from_meshes
from mmfusion_plugin.visualization.model_sheet import ModelFiles, model_sheet

SHEET = 'models.png'
_PICTURES = 3  # of each model on the sheet


def mesh_to_shapenet(
    sources: Sequence[Path], out_dir: Path, shown: int = 8, **options: Any
) -> Tuple[List[ModelKey], Dict[Path, str], Optional[Path]]:
    """Make the tree, see :func:`~mmfusion_plugin.synthetic.shapenet_from_meshes.shapenet_from_meshes`, and the sheet.

    Args:
        sources: Meshes and folders of meshes.
        out_dir: Folder to write.
        shown: Models on the sheet, spread evenly over all; 0 draws none.
        options: Of that function.

    Returns:
        All models of the tree, meshes that could not be used with the reasons, and the sheet, if there is one.

    Raises:
        FileNotFoundError: A source does not exist.
        FileExistsError: ``out_dir`` holds something else.
        ValueError: An option is wrong, or there is no mesh.
        RuntimeError: A worker process was killed; called again, the run goes on.
    """
    made = shapenet_from_meshes(sources, out_dir, **options)
    chosen = np.linspace(0, len(made.models) - 1, min(shown, len(made.models))).round().astype(int)
    if not len(chosen):
        return made.models, made.faults, None
    tree, sheet = ShapeNetTree.below(Path(out_dir)), Path(out_dir) / SHEET
    rows = [files_of(tree, made.models[number]) for number in chosen]
    model_sheet(sheet, rows, f'{len(rows)} of {len(made.models)} models: pictures, voxels and points')
    return made.models, made.faults, sheet


def files_of(tree: ShapeNetTree, model: ModelKey) -> ModelFiles:
    """What is drawn of a model of a tree.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is damaged.
    """
    viewpoints = read_viewpoints(tree.viewpoints(model))[:_PICTURES, :2]
    pictures = [np.asarray(Image.open(tree.picture(model, view)).convert('RGBA')) for view in range(len(viewpoints))]
    grid = read_binvox(tree.binvox(model))
    return ModelFiles(
        f'{category_name(model.synset)}: {model.model_id}', pictures, [tuple(view) for view in viewpoints],
        read_cloud(tree.cloud(model, 2048)), grid.occupied, np.asarray(grid.translate),
        grid.scale / grid.occupied.shape[0],
    )  # fmt: skip
