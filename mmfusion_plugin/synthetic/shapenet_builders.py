"""Who builds the shapes of each of ShapeNet's categories."""

from __future__ import annotations

from typing import Callable, Dict, List

from mmfusion_plugin.synthetic.meshes import Mesh
from mmfusion_plugin.synthetic.shapenet_aircraft import airplane
from mmfusion_plugin.synthetic.shapenet_cars import car
from mmfusion_plugin.synthetic.shapenet_devices import loudspeaker, monitor, rifle, telephone
from mmfusion_plugin.synthetic.shapenet_household import cabinet, lamp, table
from mmfusion_plugin.synthetic.shapenet_seats import bench, chair, sofa
from mmfusion_plugin.synthetic.shapenet_solids import Dice
from mmfusion_plugin.synthetic.shapenet_vessels import vessel

#: By the category's name: draws a shape as convex solids, x forward and z up, of any size.
BUILDERS: Dict[str, Callable[[Dice], List[Mesh]]] = {
    'aeroplane': airplane,
    'bench': bench,
    'cabinet': cabinet,
    'car': car,
    'chair': chair,
    'display': monitor,
    'lamp': lamp,
    'loudspeaker': loudspeaker,
    'rifle': rifle,
    'sofa': sofa,
    'table': table,
    'telephone': telephone,
    'watercraft': vessel,
}
