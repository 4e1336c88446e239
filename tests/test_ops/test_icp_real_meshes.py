"""Registration of clouds of real meshes: random turns of up to 30 degrees are found again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from real_meshes import MESHES, mesh_folder
from scipy.spatial.transform import Rotation

from mmfusion_plugin.converters.cloud_sampling import sample_file
from mmfusion_plugin.ops.icp import align, icp

TURNS = 6


@pytest.mark.parametrize('name', MESHES)
def test_random_turns_are_found_again(name):
    rng = np.random.default_rng(7)
    cloud = sample_file(mesh_folder() / name, 1024, rng).astype(np.float64)
    angles = np.deg2rad(np.append(rng.uniform(0, 30, TURNS - 1), 30.0))
    axes = rng.normal(size=(TURNS, 3))
    turns = Rotation.from_rotvec(angles[:, None] * axes / np.linalg.norm(axes, axis=1, keepdims=True))
    moved = np.stack([rng.permutation(cloud @ turn.T) for turn in turns.as_matrix()])
    source, target = torch.from_numpy(cloud).expand(TURNS, -1, -1), torch.from_numpy(moved)
    found = icp(source, target)
    difference = Rotation.from_matrix(found.rotation.numpy()) * turns.inv()
    assert difference.magnitude().max() < 1e-6
    np.testing.assert_allclose(found.rotation, turns.as_matrix(), atol=1e-6)
    np.testing.assert_allclose(found.translation, 0, atol=1e-6)
    # The same as evaluation uses it: a turned prediction is laid back onto the truth.
    back = align(target, source)
    order = torch.cdist(back, source).argmin(dim=2)
    assert all(len(set(row.tolist())) == len(cloud) for row in order)
    assert float((back - source.gather(1, order[..., None].expand(-1, -1, 3))).norm(dim=2).max()) < 1e-6
