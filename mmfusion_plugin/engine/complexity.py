"""Parameters and arithmetic of a model, sparse convolutions included."""

from __future__ import annotations

import math
from typing import Any, Dict, NamedTuple, Tuple

import torch
from torch import Tensor, nn
from torch.utils import flop_counter


class Complexity(NamedTuple):
    """Cost of one forward pass.

    Attributes:
        parameters: Number of parameters, and of those that are trained.
        macs: Multiply-accumulate operations of all matrix products and convolutions (2 FLOPs each). Additions,
            normalisations and activations are not counted, as is usual.
        macs_by_module: The same per direct child, and per child of a child (``backbone.stages``).
    """

    parameters: Tuple[int, int]
    macs: int
    macs_by_module: Dict[str, int]


def count_complexity(model: nn.Module, data: Dict[str, Any]) -> Complexity:
    """Predict ``data`` once and count.

    torch counts each matrix product as it is dispatched. Our sparse convolutions are matrix products of the voxel pairs
    that exist (``backend='torch'``, which this function selects for the pass), so that their count is exact for the
    given points and differs from one sweep to the next.

    Args:
        model: An mmengine model on any device.
        data: One batch as the data loader gives it, for ``model.test_step``.
    """
    backends = [
        (module, module.backend) for module in model.modules() if isinstance(getattr(module, 'backend', 0), str)
    ]
    aten = torch.ops.aten
    # Later versions of torch find the modules themselves, and warn where they are named.
    mods = None if hasattr(flop_counter, 'ModuleTracker') else model
    mapping = {aten.addmm_: _addmm_flops, aten.addmv: _addmm_flops}
    counter = flop_counter.FlopCounterMode(mods, display=False, custom_mapping=mapping)
    training = model.training
    model.eval()
    try:
        for module, _ in backends:
            module.backend = 'torch'
        with torch.no_grad(), counter:
            model.test_step(data)
    finally:
        for module, backend in backends:
            module.backend = backend
        model.train(training)
    root = type(model).__name__
    by_module = {
        name.split('.', 1)[1]: sum(ops.values()) // 2
        for name, ops in counter.get_flop_counts().items()
        if name.startswith(f'{root}.') and name.count('.') <= 2 and ops
    }
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    total = sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)
    return Complexity(total, counter.get_total_flops() // 2, by_module)


def _addmm_flops(self_shape: Any, a_shape: Any, b_shape: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """FLOPs of ``self + a @ b``, which torch's own table lists for the out-of-place spelling only."""
    return 2 * math.prod(a_shape) * (b_shape[1] if len(b_shape) > 1 else 1)


def simulated_sweep(num_points: int, num_features: int = 4, beams: int = 32) -> Tensor:
    """A sweep as dense as a real one, without a dataset: a LiDAR over flat ground inside a ring of walls.

    Uniform random points would leave nearly every voxel without a neighbour and make sparse convolutions look cheap.

    Args:
        num_points: N.
        num_features: C; columns beyond x, y, z are uniform in [0, 1].
        beams: Beams from -30 to 10 degrees, the elevation range of nuScenes's 32-beam sensor.

    Returns:
        (N, C) float32 in metres, sensor frame, 1.84 m above the ground (nuScenes's mounting height), at most 50 m away.
    """
    generator = torch.Generator().manual_seed(0)
    beam = torch.arange(num_points) % beams
    elevation = torch.deg2rad(-30 + 40 * beam / max(beams - 1, 1))
    azimuth = torch.arange(num_points) * (2 * math.pi / num_points)
    walls = 15 + 10 * torch.sin(3 * azimuth) + torch.randn(num_points, generator=generator) * 0.02
    ground = torch.where(elevation < 0, 1.84 / torch.tan(-elevation).clamp(min=1e-3), torch.full_like(elevation, 50))
    distance = torch.minimum(walls, ground)
    height = torch.where(ground < walls, torch.full_like(distance, -1.84), distance * torch.tan(elevation))
    xyz = torch.stack([distance * azimuth.cos(), distance * azimuth.sin(), height], dim=1)
    rest = torch.rand(num_points, num_features - 3, generator=generator)
    return torch.cat([xyz, rest], dim=1)
