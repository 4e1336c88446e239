"""Registration: known motions are found again, mirrors are not, and the way back is the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from mmfusion_plugin.ops.icp import RigidTransform, align, fit_rigid, icp

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')


def chair(points: int = 600) -> Tensor:
    """Points (N, 3) on a seat, a back and an arm, so that no turn of it looks the same; about one unit high."""
    generator = np.random.default_rng(0)
    boxes = np.array([[[-0.3, -0.3, 0], [0.3, 0.3, 0.05]], [[-0.3, 0.25, 0], [0.3, 0.3, 0.6]],
                      [[0.25, -0.3, 0], [0.3, 0.3, 0.25]], [[-0.3, -0.3, -0.4], [-0.25, -0.25, 0]]])
    which = generator.integers(0, len(boxes), points)
    low, high = boxes[which, 0], boxes[which, 1]
    return torch.from_numpy(generator.uniform(low, high))


def motion(degrees: float, seed: int) -> RigidTransform:
    """A turn by so much about a random axis, and a small shift."""
    generator = np.random.default_rng(seed)
    axis = generator.normal(size=3)
    turn = Rotation.from_rotvec(np.deg2rad(degrees) * axis / np.linalg.norm(axis)).as_matrix()
    return RigidTransform(torch.from_numpy(turn), torch.from_numpy(generator.uniform(-0.05, 0.05, 3)))


def test_transform_and_its_inverse() -> None:
    points, move = chair(20), motion(70, 0)
    moved = move.apply(points)
    expected = points.numpy() @ move.rotation.numpy().T + move.translation.numpy()
    np.testing.assert_allclose(moved, expected, rtol=1e-12)
    torch.testing.assert_close(move.inverse().apply(moved), points)
    torch.testing.assert_close(move.inverse().inverse().translation, move.translation)
    assert move.apply(points.float()).dtype == torch.float32


@pytest.mark.parametrize('seed', range(3))
def test_fit_equals_scipy(seed: int) -> None:
    source = torch.randn(30, 3).double()
    target = motion(170, seed).apply(source) + 0.1 * torch.randn(30, 3)
    found = fit_rigid(source, target)
    expected, _ = Rotation.align_vectors(*(cloud - cloud.mean(0) for cloud in (target, source)))
    np.testing.assert_allclose(found.rotation, expected.as_matrix(), atol=1e-9)
    np.testing.assert_allclose(found.translation, target.mean(0) - found.rotation @ source.mean(0), atol=1e-12)


@pytest.mark.parametrize('points', [0, 1, 2, 3, 30])
def test_fit_never_mirrors(points: int) -> None:
    source = torch.randn(4, points, 3).double()
    found = fit_rigid(source, source * torch.tensor([1.0, 1, -1]).double())
    assert bool(found.rotation.isfinite().all()) and bool(found.translation.isfinite().all())
    torch.testing.assert_close(torch.det(found.rotation), torch.ones(4).double())
    if points <= 1:
        torch.testing.assert_close(found.apply(source), source * torch.tensor([1.0, 1, -1]).double())


def test_finds_random_turns_of_up_to_thirty_degrees() -> None:
    source = chair()
    moves = [motion(degrees, seed) for seed, degrees in enumerate((0.0, 5.0, 10.0, 20.0, 25.0, 30.0))]
    target = torch.stack([move.apply(source)[torch.randperm(len(source))] for move in moves])
    found = icp(source.expand_as(target), target)
    assert found.rotation.dtype == torch.float64
    for row, move in enumerate(moves):
        np.testing.assert_allclose(found.rotation[row], move.rotation, atol=1e-6)
        np.testing.assert_allclose(found.translation[row], move.translation, atol=1e-6)


def test_clouds_of_a_batch_are_independent() -> None:
    source, target = torch.stack([chair(80)] * 2), torch.stack([motion(d, 1).apply(chair(90)) for d in (3.0, 25.0)])
    both = icp(source, target)
    for row in range(2):
        alone = icp(source[row], target[row])
        assert alone.rotation.shape == (3, 3) and alone.translation.shape == (3,)
        assert torch.equal(alone.rotation, both.rotation[row])
        assert torch.equal(alone.translation, both.translation[row])


def test_each_step_brings_the_clouds_nearer() -> None:
    source, target = chair(100), motion(20, 2).apply(chair(150))
    errors = []
    for steps in range(1, 8):
        moved = icp(source, target, max_iterations=steps).apply(source)
        errors.append(float(((moved[:, None] - target) ** 2).sum(2).min(1).values.mean()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < errors[0]


def test_alignments_as_published_and_as_meant() -> None:
    target, move = chair(), motion(20, 3)
    prediction = move.apply(target).float().requires_grad_()
    back = align(prediction, target.float())
    assert back.dtype == torch.float32
    np.testing.assert_allclose(back.detach(), target, atol=1e-6)
    rotation, translation = move.rotation.numpy(), move.translation.numpy()
    legacy = align(prediction, target.float(), 'icp_legacy').detach()
    np.testing.assert_allclose(legacy, prediction.detach().numpy() @ rotation - translation, atol=1e-5)
    # It takes off a shift that should have been turned, too.
    wrong = translation @ rotation - translation
    np.testing.assert_allclose(legacy - target, np.tile(wrong, (len(target), 1)), atol=1e-5)
    assert np.linalg.norm(wrong) > 0.005
    assert align(prediction, target.float(), 'none') is prediction
    (slope,) = torch.autograd.grad(back[0, 0], prediction)
    np.testing.assert_allclose(slope[0], rotation[:, 0], atol=1e-5)


def test_empty_clouds_and_single_points() -> None:
    for pair in ((torch.zeros(2, 0, 3), torch.rand(2, 4, 3)), (torch.rand(2, 4, 3), torch.zeros(2, 0, 3))):
        found = icp(*pair)
        assert torch.equal(found.rotation, torch.eye(3).double().expand(2, 3, 3)) and not found.translation.any()
        assert align(*pair).shape == pair[0].shape
    found = icp(torch.zeros(1, 3), torch.ones(1, 3))
    assert torch.equal(found.rotation, torch.eye(3).double()) and found.translation.tolist() == [1, 1, 1]
    assert icp(torch.zeros(0, 4, 3), torch.zeros(0, 4, 3)).rotation.shape == (0, 3, 3)


@pytest.mark.parametrize(
    ('source', 'target', 'options', 'error'),
    [
        (torch.zeros(4, 2), torch.zeros(4, 2), {}, ValueError),
        (torch.zeros(4, 3), torch.zeros(1, 4, 3), {}, ValueError),
        (torch.zeros(2, 4, 3), torch.zeros(1, 4, 3), {}, ValueError),
        (torch.zeros(4, 3), torch.full((4, 3), torch.nan), {}, ValueError),
        (torch.zeros(4, 3), torch.zeros(4, 3).double(), {}, TypeError),
        (torch.zeros(4, 3), torch.zeros(4, 3), dict(max_iterations=0), ValueError),
        (torch.zeros(4, 3), torch.zeros(4, 3), dict(tolerance=-1.0), ValueError),
    ],
)
def test_what_does_not_fit_is_refused(source, target, options, error) -> None:
    with pytest.raises(error):
        icp(source, target, **options)


def test_unknown_alignment_and_unequal_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="'icp_legacy'"):
        align(torch.zeros(1, 3), torch.zeros(1, 3), 'legacy')
    with pytest.raises(ValueError, match='alike'):
        fit_rigid(torch.zeros(4, 3), torch.zeros(5, 3))


@cuda
def test_cuda_equals_cpu() -> None:
    source, target = chair(200), motion(15, 4).apply(chair(200))
    expected, found = icp(source, target), icp(source.cuda(), target.cuda())
    torch.testing.assert_close(found.rotation.cpu(), expected.rotation, atol=1e-8, rtol=0)
