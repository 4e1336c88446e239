"""One mesh: which model of which category it is, and the files that come of it."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from mmfusion_plugin.converters.binvox import write_binvox
from mmfusion_plugin.converters.cloud_axes import turned
from mmfusion_plugin.converters.cloud_sampling import MESH_SUFFIXES, sample_file
from mmfusion_plugin.converters.shapenet_files import ShapeNetTree
from mmfusion_plugin.converters.shapenet_splits import ModelKey
from mmfusion_plugin.converters.shapenet_taxonomy import synset_of
from mmfusion_plugin.files import whole_file, write_text
from mmfusion_plugin.synthetic.shapenet_camera import Studio
from mmfusion_plugin.synthetic.shapenet_mesh import read_mesh, shapenet_pose
from mmfusion_plugin.synthetic.shapenet_model import CLOUD_SIZES, record_views
from mmfusion_plugin.synthetic.shapenet_shape import Shape, voxelise

#: Beside the folder of a model's pictures: what it was made of, or the fault of its mesh. Written last.
NOTE = 'mesh.json'
# Points that find the voxels of a surface, of which the first are the clouds: a cube of 32 has 6,000 on its faces.
_PROBES = 200_000


@dataclass(frozen=True)
class MeshPlan:
    """What to record.

    Attributes:
        path: Of the mesh.
        model: Its category and id.
        turn: From the mesh's axes to ShapeNet's, see ``converters/cloud_axes.py``.
        seed: Of the tree.
        views: Number of pictures.
    """

    path: Path
    model: ModelKey
    turn: str
    seed: int
    views: int

    def rng(self, purpose: int) -> np.random.Generator:
        """Its own stream for each purpose, whatever else is in the tree."""
        return np.random.default_rng([self.seed, zlib.crc32(str(self.model).encode()), purpose])

    def note(self, root: Path) -> Path:
        """File of its note."""
        return ShapeNetTree.below(root).viewpoints(self.model).parents[1] / NOTE

    def content(self) -> Dict[str, Any]:
        """What the note of the finished model says."""
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        return {'mesh': self.path.name, 'sha256': digest, 'turn': self.turn, 'seed': self.seed, 'views': self.views}

    def finished(self, root: Path) -> bool:
        """Whether the model is complete and the mesh the same as then."""
        return read_note(self.note(root)) == self.content()

    def fault(self, root: Path) -> Optional[str]:
        """What is wrong with the mesh, as far as is known."""
        return (read_note(self.note(root)) or {}).get('fault')


def read_note(path: Path) -> Optional[Dict[str, Any]]:
    """What a note says; None where it is missing or damaged, so that its model counts as unfinished."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def find_meshes(sources: Sequence[Path], out_dir: Path, category: Optional[str] = None) -> Dict[ModelKey, Path]:
    """Meshes among files and folders, at any depth, and the models that they become.

    A folder called like a category (``chair``, ``airplane``, ``03001627``) says of which the meshes in it are. The id
    of a model is the mesh's path below that folder, or below the source, with other characters than letters, digits,
    dots and dashes made underscores: ``chair/ikea/stool 3.obj`` is ``ikea-stool_3``.

    Args:
        sources: Files and folders. Names in folders that begin with a dot are passed over.
        out_dir: A folder below the sources of which no file is taken.
        category: Synset id, name or alias for meshes in no such folder.

    Raises:
        FileNotFoundError: A source does not exist.
        ValueError: There is no mesh, one has no category, or two would have one id.
    """
    default = None if category is None else synset_of(category)
    found: Dict[ModelKey, Path] = {}
    for source in sources:
        for path in _files(source, out_dir):
            model = _model_of(path, source, default)
            if model in found:
                raise ValueError(f'{found[model]} and {path} would both be model {model}: rename one of them')
            found[model] = path
    if not found:
        listed = ', '.join(map(str, sources))
        raise ValueError(f'no mesh ({" ".join(MESH_SUFFIXES)}) in {listed or "nothing"}: name another folder')
    return found


def record_mesh(root: Path, plan: MeshPlan, advance: Callable[[], None]) -> None:
    """Records a model. Only its note, written after all, says that its files are whole; a faulty mesh gets one too.

    Args:
        root: Folder of the tree.
        plan: What to record.
        advance: Called after each picture.
    """
    tree = ShapeNetTree.below(root)
    content = plan.content()
    try:
        points = turned(sample_file(plan.path, _PROBES, plan.rng(1)), plan.turn)
        mesh = shapenet_pose(read_mesh(plan.path), plan.turn)
    except (OSError, ValueError) as error:
        write_text(plan.note(root), json.dumps({'fault': str(error)}))
        for _ in range(plan.views):
            advance()
        return
    # The solids that a shape is made of are not known, and not asked for.
    write_binvox(tree.binvox(plan.model), voxelise(Shape([], mesh), points, plan.rng(2)))
    for size in CLOUD_SIZES:
        with whole_file(tree.cloud(plan.model, size)) as partial, open(partial, 'wb') as file:
            np.save(file, points[:size])
    studio = Studio(mesh, two_sided=True)
    record_views(tree.viewpoints(plan.model).parent, studio, plan.views, plan.rng(3), advance)
    write_text(plan.note(root), json.dumps(content))


def _files(source: Path, out_dir: Path) -> List[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise FileNotFoundError(f'{source} is neither a mesh nor a folder of meshes')
    files, closed = [], out_dir.resolve()
    below = source.resolve() in closed.parents
    for path in sorted(source.rglob('*')):
        hidden = any(part.startswith('.') for part in path.relative_to(source).parts)
        ours = below and closed in path.resolve().parents
        if path.suffix.lower() in MESH_SUFFIXES and path.is_file() and not hidden and not ours:
            files.append(path)
    return files


def _model_of(path: Path, source: Path, default: Optional[str]) -> ModelKey:
    """The innermost folder that names a category decides."""
    folders = (path.parent.name,) if path == source else (source.name, *path.relative_to(source).parts[:-1])
    synset, below = default, folders[1:]
    for depth in reversed(range(len(folders))):
        named = _synset(folders[depth])
        if named is not None:
            synset, below = named, folders[depth + 1 :]
            break
    if synset is None:
        raise ValueError(f'{path} lies in no folder that is called like a category of ShapeNet, such as chair: name '
                         'its category (--category), or put it into such a folder')  # fmt: skip
    name = re.sub(r'[^A-Za-z0-9.-]', '_', '-'.join((*below, path.stem))).lstrip('.-')
    return ModelKey(synset, name or 'mesh')


def _synset(name: str) -> Optional[str]:
    try:
        return synset_of(name.lower())
    except ValueError:
        return None
