"""GeometricSimilarity against loops written from the formulas, and what it must not depend on."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from mmfusion_plugin.models.fusion import Neighbourhoods
from mmfusion_plugin.models.fusion import geometric_similarity as module
from mmfusion_plugin.models.layers.learned_scalar import FLOOR, LearnedScalar


def build(dtype: torch.dtype = torch.float64, **options) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(dict(type='GeometricSimilarity', **options)).to(dtype)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


def clouds(*sizes: int) -> list[Tensor]:
    return [torch.rand(size, 3, dtype=torch.float64) for size in sizes]


def plain(model: nn.Module, points: Tensor, others: Tensor, k: int, **options) -> Tensor:
    """Equations 3 to 5 and the published code's variants, point by point."""
    distance, target = options.get('distance', 'squared'), options.get('target', 'neighbourhood')
    radius, search = options.get('radius'), options.get('search', 'both')

    def measured(a: Tensor, b: Tensor) -> Tensor:
        squared = ((a[:, None] - b[None]) ** 2).sum(2)
        return squared if distance == 'squared' else squared.sqrt()

    def neighbours(centre: Tensor, cloud: Tensor) -> Tensor:
        squared = ((cloud - centre) ** 2).sum(1)
        order = squared.argsort(stable=True)[:k]
        near = order[squared[order] <= radius**2] if radius else order
        return cloud[near if len(near) else order[:1]]

    def similarity(name: str, mean: Tensor) -> Tensor:
        numbers = model.searches[f'{name}_search']
        return numbers.weight() * (torch.exp(-mean / numbers.alpha()) + numbers.beta())

    result = []
    for centre in points:
        own, theirs = neighbours(centre, points), neighbours(centre, others)
        total = model.shift()
        if search in ('both', 'forward'):
            total = total + similarity('forward', measured(own, others if target == 'all' else theirs).amin(1).mean())
        if search in ('both', 'backward'):
            total = total + similarity('backward', measured(theirs, own).amin(1).mean())
        result.append(total)
    return torch.stack(result)


@pytest.mark.parametrize('options', [
    {}, dict(distance='euclidean'), dict(target='all'), dict(radius=0.3), dict(search='forward'),
    dict(search='backward'), dict(positive=False), dict(distance='euclidean', target='all', radius=0.2),
], ids=str)  # fmt: skip
def test_parity_with_the_formulas(options):
    model, (points,), (others,) = build(**options), clouds(40), clouds(60)
    others = others + torch.tensor([0.3, 0, 0])
    for tensor in (points, others):
        tensor.requires_grad_()
    ours = model(Neighbourhoods.of_batch([points], [others], 9, 9))
    theirs = plain(model, points, others, 9, **options)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    weight, wanted = torch.randn(40, dtype=torch.float64), [*model.parameters(), points, others]
    gradients = [torch.autograd.grad((out * weight).sum(), wanted) for out in (ours, theirs)]
    for ours, theirs in zip(*gradients):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_published_start():
    """exp(-4 backward) + 0.1 exp(-4 forward) of mean squared distances; positive shifts cannot start at 0."""
    points, others = clouds(20, 30)
    pair = Neighbourhoods.of_batch([points], [others], 5, 5)
    free = MODELS.build(dict(type='GeometricSimilarity', positive=False)).double()
    forward, backward = free.mean_distances(pair)
    torch.testing.assert_close(free(pair), (-4 * backward).exp() + 0.1 * (-4 * forward).exp(), rtol=1e-5, atol=1e-5)
    positive = MODELS.build(dict(type='GeometricSimilarity')).double()
    higher = torch.full_like(forward, (1 + 0.1 + 1) * module.SMALLEST_SHIFT)
    torch.testing.assert_close(positive(pair) - free(pair), higher, rtol=1e-5, atol=1e-5)


def test_gradcheck():
    model = build(distance='euclidean')
    own, theirs = torch.tensor([[0, 1], [1, 2], [2, -1]]), torch.tensor([[0, 1, 3], [2, -1, -1], [-1, -1, -1]])
    inputs = [tensor.requires_grad_() for tensor in clouds(3, 4)]
    assert torch.autograd.gradcheck(lambda p, q: model(Neighbourhoods(p, q, own, theirs, (3,))), inputs)


def test_alike_sets_are_most_alike():
    model, (points,) = MODELS.build(dict(type='GeometricSimilarity')).double(), clouds(80)
    values = []
    for shift in (0.0, 0.1, 0.5, 2.0):
        others = points + torch.tensor([shift, 0, 0])
        values.append(float(model(Neighbourhoods.of_batch([points], [others], 8, 8)).mean()))
    assert values == sorted(values, reverse=True) and values[0] > values[-1] + 0.5


def test_translation_far_from_the_origin_in_float32():
    """Coordinates on a grid that float32 holds exactly at 1 km: the result must not change in a single bit."""
    points, others = (torch.randint(0, 256, (size, 3)) / 256 for size in (50, 70))
    model = build(torch.float32)
    near = model(Neighbourhoods.of_batch([points], [others], 8, 8))
    far = model(Neighbourhoods.of_batch([points + 1024], [others + 1024], 8, 8))
    assert torch.equal(near, far)


def test_permutation_of_points_and_of_others():
    model, (points,), (others,) = build(), clouds(40), clouds(50)
    result = model(Neighbourhoods.of_batch([points], [others], 8, 8))
    rows, columns = torch.randperm(40), torch.randperm(50)
    shuffled = Neighbourhoods.of_batch([points[rows]], [others[columns]], 8, 8)
    torch.testing.assert_close(model(shuffled), result[rows])


def test_samples_are_independent_and_chunks_change_nothing(monkeypatch):
    model, points, others = build(), clouds(30, 7, 0), clouds(40, 0, 5)
    pair = Neighbourhoods.of_batch(points, others, 8, 8)
    whole = model(pair)
    alone = [model(Neighbourhoods.of_batch([p], [q], 8, 8)) for p, q in zip(points, others)]
    torch.testing.assert_close(whole, torch.cat(alone))
    monkeypatch.setattr(module, 'PAIRS_AT_ONCE', 200)
    torch.testing.assert_close(model(pair), whole)


@pytest.mark.parametrize('num_points, num_others', [(6, 0), (6, 1), (1, 1), (0, 4), (0, 0), (1, 5)])
@pytest.mark.parametrize('distance', ['squared', 'euclidean'])
@pytest.mark.parametrize('target', ['neighbourhood', 'all'])
def test_few_points(num_points, num_others, distance, target):
    model = build(distance=distance, target=target)
    (points,), (others,) = clouds(num_points), clouds(num_others)
    points.requires_grad_()
    values = model(Neighbourhoods.of_batch([points], [others], 8, 8))
    assert values.shape == (num_points,) and values.isfinite().all()
    assert num_others or not values.any(), 'without pixels nothing is alike'
    values.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert points.grad is None or points.grad.isfinite().all()


def test_one_other_is_the_formula():
    model, (points,), (others,) = build(), clouds(6), clouds(1)
    values = model(Neighbourhoods.of_batch([points], [others], 4, 4))
    torch.testing.assert_close(values, plain(model, points, others, 4))


def test_positive_numbers_stay_positive():
    model = build()
    for parameter in model.parameters():
        nn.init.constant_(parameter, -40)
    scalars = [part for part in model.modules() if isinstance(part, LearnedScalar)]
    assert len(scalars) == 7 and all(part() >= FLOOR for part in scalars)
    free = build(positive=False)
    kept = [name for name, part in free.named_modules() if isinstance(part, LearnedScalar) and part.positive]
    assert kept == ['searches.forward_search.alpha', 'searches.backward_search.alpha']


@pytest.mark.parametrize('value', [2 * FLOOR, 0.02, 0.25, 1.0, 60.0])
def test_learned_scalar_starts_where_it_is_told(value):
    assert math.isclose(LearnedScalar(value, positive=True)(), value, rel_tol=1e-3)
    assert math.isclose(LearnedScalar(-value)(), -value, rel_tol=1e-6)


MEMORY = """
import torch
from mmfusion_plugin.models.fusion import GeometricSimilarity, Neighbourhoods

def peak():
    # Not ru_maxrss, which a new process takes over from the one that started it.
    lines = open('/proc/self/status').read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) / 1024

torch.manual_seed(0)
pair = Neighbourhoods(torch.rand(SIZE, 3), torch.rand(60_000, 3), torch.randint(0, SIZE, (SIZE, 64)),
                      torch.randint(0, 60_000, (SIZE, 64)), (SIZE,))
before = peak()
GeometricSimilarity()(pair).sum().backward()
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='the peak is read from /proc')
def test_memory_of_a_whole_chunk():
    """25,000 points with 64 neighbours, forward and backward: the matrices alone would be 2 x 390 MiB."""
    done = subprocess.run([sys.executable, '-c', MEMORY.replace('SIZE', '25_000')], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < 400, f'{done.stdout} MiB'


def test_clear_errors():
    with pytest.raises(ValueError, match=r"search must be one of \('both', 'forward', 'backward'\), got 'up'"):
        build(search='up')
    with pytest.raises(ValueError, match='need neighbours in both sets, got 0 own and 3 of the others'):
        build()(Neighbourhoods.of_batch(clouds(4), clouds(5), 0, 3))
    with pytest.raises(ValueError, match='a positive number must start above 0.0001, got 0'):
        LearnedScalar(0, positive=True)
