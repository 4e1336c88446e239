"""One model: a shape and the files that come of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import cv2
import numpy as np

from mmfusion_plugin.converters.binvox import write_binvox
from mmfusion_plugin.converters.shapenet_taxonomy import Category, chosen_categories
from mmfusion_plugin.files import write_text
from mmfusion_plugin.synthetic.shapenet_camera import Studio, draw_viewpoint
from mmfusion_plugin.synthetic.shapenet_shape import draw_shape, sample_cloud, voxelise

#: Points of the clouds; a smaller one is the beginning of a larger one.
CLOUD_SIZES = (1024, 2048)


@dataclass(frozen=True)
class ModelPlan:
    """What to record.

    Attributes:
        synset: Of its category.
        seed: Of the world.
        index: Among the models of its category.
        views: Number of pictures.
    """

    synset: str
    seed: int
    index: int
    views: int

    @property
    def model_id(self) -> str:
        """32 hexadecimal digits, as ShapeNet's ids."""
        return hashlib.md5(f'{self.seed}/{self.synset}/{self.index}'.encode()).hexdigest()

    @property
    def category(self) -> Category:
        """Of the model."""
        return chosen_categories([self.synset])[0]

    def rng(self, purpose: int) -> np.random.Generator:
        """Its own stream for each purpose: more views leave the shape and its cloud as they are."""
        return np.random.default_rng([self.seed, int(self.synset), self.index, purpose])

    def rendering(self, root: Path) -> Path:
        """Folder of its pictures."""
        return root / 'ShapeNetRendering' / self.synset / self.model_id / 'rendering'

    def voxels(self, root: Path) -> Path:
        """File of its voxels."""
        return root / 'ShapeNetVox32' / self.synset / self.model_id / 'model.binvox'

    def cloud(self, root: Path, size: int) -> Path:
        """File of its cloud of ``size`` points."""
        return root / 'ShapeNet_pointclouds' / self.synset / self.model_id / f'pointcloud_{size}.npy'

    def finished(self, root: Path) -> bool:
        """Whether the model is complete: the list of its pictures is written last, as 3D-R2N2 does."""
        return (self.rendering(root) / 'renderings.txt').is_file()


def record_model(root: Path, plan: ModelPlan, advance: Callable[[], None]) -> None:
    """Records a model. Only the list of its pictures, written after all, says that its files are whole.

    Args:
        root: Folder of the world.
        plan: What to record.
        advance: Called after each picture.
    """
    shape = draw_shape(plan.category, plan.rng(0))
    cloud = sample_cloud(shape, max(CLOUD_SIZES), plan.rng(1))
    write_binvox(plan.voxels(root), voxelise(shape, cloud, plan.rng(2)))
    plan.cloud(root, 0).parent.mkdir(parents=True, exist_ok=True)
    for size in CLOUD_SIZES:
        np.save(plan.cloud(root, size), cloud[:size])
    record_views(plan.rendering(root), Studio(shape.mesh), plan.views, plan.rng(3), advance)


def record_views(
    folder: Path, studio: Studio, views: int, rng: np.random.Generator, advance: Callable[[], None]
) -> None:
    """Takes pictures of a shape as 3D-R2N2 does, with ``rendering_metadata.txt`` and, last of all, ``renderings.txt``.

    Args:
        folder: Of the pictures.
        studio: With the shape in ShapeNet's pose and size, see ``shapenet_shape.Shape``.
        views: Number of pictures.
        rng: Draws the viewpoints.
        advance: Called after each picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names, lines = [f'{number:02d}.png' for number in range(views)], []
    for name in names:
        view = draw_viewpoint(rng)
        image = cv2.cvtColor(studio.picture(view), cv2.COLOR_RGBA2BGRA)
        (folder / name).write_bytes(cv2.imencode('.png', image)[1].tobytes())
        lines.append(view.line)
        advance()
    write_text(folder / 'rendering_metadata.txt', ''.join(f'{line}\n' for line in lines))
    write_text(folder / 'renderings.txt', ''.join(f'{name}\n' for name in names))
