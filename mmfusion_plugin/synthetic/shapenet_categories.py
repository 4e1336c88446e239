"""The 13 categories of ShapeNet that 3D-R2N2 rendered: ids, names in use, and who builds their shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

from mmfusion_plugin.synthetic.meshes import Mesh
from mmfusion_plugin.synthetic.shapenet_aircraft import airplane
from mmfusion_plugin.synthetic.shapenet_cars import car
from mmfusion_plugin.synthetic.shapenet_devices import loudspeaker, monitor, rifle, telephone
from mmfusion_plugin.synthetic.shapenet_household import cabinet, lamp, table
from mmfusion_plugin.synthetic.shapenet_seats import bench, chair, sofa
from mmfusion_plugin.synthetic.shapenet_solids import Dice
from mmfusion_plugin.synthetic.shapenet_vessels import vessel


@dataclass(frozen=True)
class Category:
    """A category.

    Attributes:
        synset: WordNet's id, the name of its folders.
        name: As ``ShapeNet.json`` has it.
        aliases: As other projects have it.
        build: Draws a shape as convex solids, x forward and z up, of any size.
    """

    synset: str
    name: str
    aliases: Tuple[str, ...]
    build: Callable[[Dice], List[Mesh]]


CATEGORIES = (
    Category('02691156', 'aeroplane', ('airplane', 'plane'), airplane),
    Category('02828884', 'bench', (), bench),
    Category('02933112', 'cabinet', (), cabinet),
    Category('02958343', 'car', (), car),
    Category('03001627', 'chair', (), chair),
    Category('03211117', 'display', ('monitor',), monitor),
    Category('03636649', 'lamp', (), lamp),
    Category('03691459', 'loudspeaker', ('speaker',), loudspeaker),
    Category('04090263', 'rifle', (), rifle),
    Category('04256520', 'sofa', ('couch',), sofa),
    Category('04379243', 'table', (), table),
    Category('04401088', 'telephone', ('cellphone',), telephone),
    Category('04530566', 'watercraft', ('vessel', 'boat'), vessel),
)


def chosen(names: Optional[Sequence[str]] = None) -> List[Category]:
    """Categories by synset id, name or alias, in the order of ``CATEGORIES``; all of them when None.

    Raises:
        ValueError: A name is unknown, or there is none.
    """
    if names is None:
        return list(CATEGORIES)
    known = {key: category for category in CATEGORIES for key in (category.synset, category.name, *category.aliases)}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(f'categories {unknown or names} are unknown; choose among {", ".join(sorted(known))}')
    wanted = {known[name].synset for name in names}
    return [category for category in CATEGORIES if category.synset in wanted]
