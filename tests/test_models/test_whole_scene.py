"""Whole scenes against the plain protocol: each chunk alone, its images encoded anew, votes counted by numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.model import BaseModule
from torch import nn

from mmfusion_plugin.models.segmentors.chunk_votes import ChunkVotes
from mmfusion_plugin.ops.chunks import chunk_grid

from .small_views import CLASSES, HEIGHT, WIDTH, build, logits_of

KINDS = ('PointSetSegmentor', 'MVPNet', 'SAFNet')
AREA = HEIGHT * WIDTH


def small(kind, **options):
    return build(kind, test_cfg=dict(dict(chunks_per_batch=3, images_per_batch=2, progress=False), **options)).eval()


def scene_batch(kind, sizes=(220, 150), pixels=400, views=6, per_chunk=3, extent=(2.6, 1.9, 1.0)):
    """Scenes of random points and pixels, of which each chunk sees some views."""
    inputs = {key: [] for key in ('points', 'chunk_boxes', 'imgs', 'pixel_xyz', 'pixel_index', 'chunk_views')}
    extent = torch.tensor(extent)
    for size in sizes:
        points = torch.rand(size, 3) * extent - 1
        inputs['points'].append(points)
        inputs['chunk_boxes'].append(torch.from_numpy(chunk_grid(points.numpy(), min_points=20)).float())
        inputs['imgs'].append(torch.rand(views, 3, HEIGHT, WIDTH))
        inputs['pixel_xyz'].append(torch.rand(pixels, 3) * extent - 1)
        inputs['pixel_index'].append(torch.randperm(views * AREA)[:pixels].sort().values)
        inputs['chunk_views'].append(torch.rand(len(inputs['chunk_boxes'][-1]), views).argsort(1)[:, :per_chunk])
        inputs['chunk_views'][-1][1::3, 1:] = -1
        inputs['chunk_views'][-1][2::5] = -1
    if kind == 'PointSetSegmentor':
        inputs = {key: inputs[key] for key in ('points', 'chunk_boxes')}
    return dict(inputs=inputs, data_samples=[Det3DDataSample() for _ in sizes])


def chunk_alone(model, scene, number):
    """Rows of the points of a chunk and their logits, from a batch that holds nothing else."""
    x0, y0, x1, y1 = scene['chunk_boxes'][number].tolist()

    def rows(cloud, margin):
        x, y = cloud[:, 0].double(), cloud[:, 1].double()
        return (x >= x0 - margin) & (x <= x1 + margin) & (y >= y0 - margin) & (y <= y1 + margin)

    inside = rows(scene['points'], 0).nonzero()[:, 0]
    batch = dict(points=[scene['points'][inside]])
    if 'imgs' in scene:
        views = sorted({*scene['chunk_views'][number].tolist()} - {-1})
        batch['imgs'] = scene['imgs'][views][None]
        picked = [torch.nonzero(rows(scene['pixel_xyz'], 0.1) & (scene['pixel_index'] // AREA == view))[:, 0]
                  for view in views]
        positions = [scene['pixel_index'][pixel] % AREA + place * AREA for place, pixel in enumerate(picked)]
        batch['pixel_xyz'] = [scene['pixel_xyz'][torch.cat(picked or [torch.zeros(0, dtype=torch.long)])]]
        batch['pixel_index'] = [torch.cat(positions or [torch.zeros(0, dtype=torch.long)])]
    with torch.no_grad():
        return inside.numpy(), model.encode_decode(batch, None)[0].numpy()


def plain_protocol(model, data, vote='mean'):
    """(C, N) logits or shares of votes of each scene."""
    inputs, results = model.data_preprocessor(data, False)['inputs'], []
    for number, points in enumerate(inputs['points']):
        scene = {key: values[number] for key, values in inputs.items()}
        total, count = np.zeros((len(points), CLASSES)), np.zeros((len(points), 1))
        for chunk in range(len(scene['chunk_boxes'])):
            rows, logits = chunk_alone(model, scene, chunk)
            total[rows] += logits if vote == 'mean' else np.eye(CLASSES)[logits.argmax(1)]
            count[rows] += 1
        assert count.min() >= 1 and count.max() >= 3
        results.append((total / count).T)
    return results


@pytest.mark.parametrize('vote', ['mean', 'majority'])
@pytest.mark.parametrize('kind', KINDS)
def test_equal_to_the_plain_protocol(kind, vote):
    data = scene_batch(kind)
    assert all(len(boxes) > 6 for boxes in data['inputs']['chunk_boxes'])
    model = small(kind, vote=vote)
    for ours, theirs in zip(logits_of(model, data), plain_protocol(model, data, vote)):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('chunks, images', [(1, 1), (2, 4), (50, 50), (None, 16)])
def test_batches_change_nothing(chunks, images):
    data = scene_batch('SAFNet')
    expected = logits_of(small('SAFNet'), data)
    model = small('SAFNet', chunks_per_batch=chunks, images_per_batch=images)
    for ours, theirs in zip(logits_of(model, data), expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('order', ['as loaded', 'shuffled'])
def test_each_view_is_encoded_once_when_needed_and_forgotten(order, monkeypatch):
    """Eight views along a corridor, each seen by the chunks at its place; the last two by none."""
    from mmfusion_plugin.models.segmentors.scene_views import SceneViews

    points = torch.rand(800, 3) * torch.tensor([8.0, 1.0, 1.0])
    view = torch.arange(10).repeat_interleave(40)
    xyz = torch.rand(400, 3) + torch.stack([view.clamp(max=7), 0 * view, 0 * view], 1)
    index = view * AREA + torch.arange(400)
    if order == 'shuffled':
        shuffle = torch.randperm(400)
        xyz, index = xyz[shuffle], index[shuffle]
    boxes = torch.from_numpy(chunk_grid(points.numpy(), min_points=20)).float()
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    seen = torch.stack([(middle - 0.5).long(), (middle + 0.5).long().clamp(max=7)], 1)
    inputs = dict(points=[points], chunk_boxes=[boxes], chunk_views=[seen], imgs=[torch.rand(10, 3, HEIGHT, WIDTH)],
                  pixel_xyz=[xyz], pixel_index=[index])
    data = dict(inputs=inputs, data_samples=[Det3DDataSample()])
    model = small('MVPNet', chunks_per_batch=2, images_per_batch=2)
    expected = plain_protocol(model, data)
    encoded, kept = [], []
    model.image_backbone.register_forward_pre_hook(lambda module, images: encoded.append(len(images[0])))
    pixels = SceneViews.pixels

    def counted(views, box, needed):
        found = pixels(views, box, needed)
        kept.append(len(views.kept))
        return found

    monkeypatch.setattr(SceneViews, 'pixels', counted)
    (ours,) = logits_of(model, data)
    np.testing.assert_allclose(ours.numpy(), expected[0], rtol=1e-5, atol=1e-5)
    assert encoded == [2, 2, 2, 2]
    assert len(kept) == len(boxes) and max(kept) <= 4 and kept[-1] == 0


def test_views_that_show_no_pixel_of_the_chunk_are_not_encoded():
    data = scene_batch('MVPNet', sizes=(150,))
    data['inputs']['pixel_xyz'][0] += 20
    model, encoded = small('MVPNet'), []
    model.image_backbone.register_forward_pre_hook(lambda module, images: encoded.append(len(images[0])))
    assert logits_of(model, data)[0].isfinite().all() and not any(encoded)


class PerPoint(BaseModule):
    """A backbone whose result does not depend on the order of the points, as that of PointNet++ does."""

    def __init__(self, in_channels):
        super().__init__()
        self.in_channels, self.out_channels = in_channels, 6
        self.linear = nn.Linear(in_channels + 3, 6)

    def forward(self, clouds, features=None):
        centred = torch.cat([cloud - cloud.mean(0) for cloud in clouds])
        return self.linear(centred if features is None else torch.cat([centred, features], 1)).tanh()


@pytest.mark.parametrize('kind', ['PointSetSegmentor', 'MVPNet'])
def test_permutation_of_points(kind):
    data = scene_batch(kind, sizes=(200,))
    backbone = PerPoint(0 if kind == 'PointSetSegmentor' else 6)
    model = build(kind, backbone=backbone, test_cfg=dict(progress=False)).eval()
    (before,) = logits_of(model, data)
    order = torch.randperm(200)
    data['inputs']['points'][0] = data['inputs']['points'][0][order]
    torch.testing.assert_close(logits_of(model, data)[0], before[:, order], rtol=1e-5, atol=1e-5)
    assert before.std(1).min() > 1e-3


def votes_of(vote, *chunks):
    """Of five points on a line, from pairs of rows and logits."""
    votes = ChunkVotes(torch.arange(5.0)[:, None].expand(-1, 3), 3, vote)
    for rows, logits in chunks:
        votes.add(torch.tensor(rows), torch.tensor(logits))
    return votes.result()


CHUNKS = (([0, 1], [[4.0, 1.0, 0.0], [0.0, 2.0, 1.0]]), ([1, 2], [[3.0, 0.0, 1.0], [0.0, 1.0, 9.0]]),
          ([2, 1], [[2.0, 1.0, 0.0], [0.0, 5.0, 6.0]]))  # fmt: skip


def test_mean_by_hand():
    """Point 1 has three votes, points 3 and 4 have none and take the answer of point 2."""
    last = [1.0, 1.0, 4.5]
    expected = [[4.0, 1.0, 0.0], [1.0, 7 / 3, 8 / 3], last, last, last]
    torch.testing.assert_close(votes_of('mean', *CHUNKS), torch.tensor(expected))


def test_majority_by_hand():
    """All classes draw at point 1, classes 0 and 2 at point 2: the lowest wins."""
    shares = votes_of('majority', *CHUNKS)
    draw = [0.5, 0.0, 0.5]
    torch.testing.assert_close(shares, torch.tensor([[1.0, 0.0, 0.0], [1 / 3] * 3, draw, draw, draw]))
    assert shares.argmax(1).tolist() == [0, 0, 0, 0, 0]


def test_half_precision_votes_are_summed_in_full():
    votes = ChunkVotes(torch.zeros(1, 3), 2, 'mean')
    for _ in range(300):
        votes.add(torch.tensor([0]), torch.tensor([[0.1, 300.0]], dtype=torch.bfloat16))
    assert votes.result().dtype == torch.float32
    torch.testing.assert_close(votes.result(), torch.tensor([[0.1, 300.0]], dtype=torch.bfloat16).float())


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('case', ['small scene', 'one point', 'no points', 'no boxes', 'points in no box', 'empty box'])
def test_every_point_gets_an_answer(kind, case):
    sizes = {'one point': (1, 30), 'no points': (0, 40)}.get(case, (90, 30))
    data = scene_batch(kind, sizes, extent=(0.7, 0.4, 1.0) if case == 'small scene' else (2.6, 1.9, 1.0))
    inputs = data['inputs']
    if case == 'no boxes':
        inputs['chunk_boxes'][0] = torch.zeros(0, 4)
        if 'chunk_views' in inputs:
            inputs['chunk_views'][0] = torch.zeros(0, 3, dtype=torch.long)
    elif case == 'points in no box':
        inputs['points'][0][::7, 0] += 30
        inputs['chunk_boxes'][1] = inputs['chunk_boxes'][1] + 70
    elif case == 'empty box':
        inputs['chunk_boxes'][0][0] += 50
    logits = logits_of(small(kind), data)
    assert all(scene.isfinite().all() for scene in logits)
    if case == 'points in no box':
        lost = inputs['points'][0][::7]
        rest = [row for row in range(90) if row % 7]
        nearest = torch.cdist(lost, inputs['points'][0][rest]).argmin(1)
        torch.testing.assert_close(logits[0][:, ::7], logits[0][:, rest][:, nearest])


@pytest.mark.parametrize('kind', ['MVPNet', 'SAFNet'])
@pytest.mark.parametrize('case', ['no views', 'no images', 'no pixels', 'no view for any chunk', 'no pixels given'])
def test_without_views(kind, case):
    data = scene_batch(kind, pixels=0 if case == 'no pixels' else 300)
    inputs = data['inputs']
    if case == 'no views':
        inputs.update(imgs=[torch.zeros(0, 3, HEIGHT, WIDTH)] * 2, pixel_xyz=[torch.zeros(0, 3)] * 2)
        inputs.update(pixel_index=[torch.zeros(0, dtype=torch.long)] * 2)
        inputs['chunk_views'] = [torch.full_like(views, -1) for views in inputs['chunk_views']]
    elif case == 'no images':
        data['inputs'] = {key: inputs[key] for key in ('points', 'chunk_boxes')}
    elif case == 'no view for any chunk':
        inputs['chunk_views'] = [torch.full_like(views, -1) for views in inputs['chunk_views']]
    elif case == 'no pixels given':
        del inputs['pixel_xyz'], inputs['pixel_index']
    model = small(kind)
    blind = dict(data, inputs={key: data['inputs'][key] for key in ('points', 'chunk_boxes')})
    for ours, theirs in zip(logits_of(model, data), plain_protocol(model, blind)):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-5)


def test_one_box_that_holds_all_is_the_plain_answer():
    data = scene_batch('SAFNet', sizes=(150,))
    inputs = data['inputs']
    inputs.update(chunk_boxes=[torch.tensor([[-9.0, -9.0, 9.0, 9.0]])], chunk_views=[torch.arange(6)[None]])
    model = small('SAFNet')
    (whole,) = logits_of(model, data)
    del inputs['chunk_boxes'], inputs['chunk_views']
    torch.testing.assert_close(whole, logits_of(model, data)[0], rtol=1e-5, atol=1e-5)


def test_bar_only_where_there_is_something_to_wait_for(capsys):
    data = scene_batch('PointSetSegmentor', sizes=(90,))
    logits_of(small('PointSetSegmentor', progress=True), data)
    assert 'chunk' in capsys.readouterr().err
    data['inputs']['chunk_boxes'][0] = data['inputs']['chunk_boxes'][0][:1]
    logits_of(small('PointSetSegmentor', progress=True), data)
    logits_of(small('PointSetSegmentor'), scene_batch('PointSetSegmentor', sizes=(90,)))
    assert not capsys.readouterr().err


def test_clear_errors():
    for options, text in ((dict(vote='max'), r"vote must be one of \('mean', 'majority'\), got 'max'"),
                          (dict(chunks_per_batch=0), 'chunks_per_batch must be a whole number of at least 1, got 0'),
                          (dict(images_per_batch=2.5), 'images_per_batch must be a whole number .* got 2.5'),
                          (dict(pixel_margin=-1), 'pixel_margin must be at least 0 and finite, got -1'),
                          (dict(mode='slide'), r"test_cfg has no options \['mode'\]; there are \['vote'")):  # fmt: skip
        with pytest.raises(ValueError, match=text):
            build('SAFNet', test_cfg=options)
    model, data = small('MVPNet'), scene_batch('MVPNet', sizes=(90,))
    changes = (dict(chunk_views=None), 'a whole scene with 6 images needs chunk_views'), \
        (dict(chunk_boxes=[torch.zeros(3, 3)]), r'need chunk_boxes \(K, 4\) and chunk_views \(K, V\) of one K, got'), \
        (dict(chunk_views=[data['inputs']['chunk_views'][0] + 9]), 'chunk_views names view 14, .* 6 images'), \
        (dict(pixel_index=[data['inputs']['pixel_index'][0] + 6 * AREA]), f'have pixels 0 to {6 * AREA - 1}')
    for change, text in changes:
        with pytest.raises(ValueError, match=text):
            logits_of(model, dict(data, inputs={**data['inputs'], **change}))
