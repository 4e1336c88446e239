"""Retrieval against a plain argsort, and RetrievalMetric on samples."""

from __future__ import annotations

import csv
import pickle

import numpy as np
import pytest
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import Evaluator

from mmfusion_plugin.evaluation.retrieval_scores import recall_at, retrieval_ranks
from mmfusion_plugin.structures import ShapeSample


def numpy_ranks(queries, gallery, query_labels, gallery_labels) -> list[int]:
    """First place of a right entry in the list sorted by cosine."""
    cosine = (queries @ gallery.T) / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(gallery, axis=1)
    order = np.argsort(-cosine, axis=1)
    return [int(np.flatnonzero(gallery_labels[row] == label)[0]) for row, label in zip(order, query_labels)]


@pytest.mark.parametrize('chunk', [3, 1000])
def test_ranks_equal_a_plain_argsort(chunk):
    queries, gallery = torch.randn(40, 6), torch.randn(25, 6) * torch.rand(25, 1)
    wanted, labels = torch.randint(0, 7, (40,)), torch.arange(25) % 7
    expected = numpy_ranks(queries.numpy(), gallery.numpy(), wanted.numpy(), labels.numpy())
    ranks = retrieval_ranks(queries, gallery, wanted, labels, chunk)
    assert ranks.tolist() == expected and max(expected) > 3
    for k in (1, 5):
        assert recall_at(ranks, k) == np.mean(np.array(expected) < k)


def test_known_answers():
    own = torch.arange(6)
    embeddings = torch.eye(6) * 3
    assert not retrieval_ranks(embeddings, embeddings / 7, own, own).any()
    assert retrieval_ranks(embeddings, -embeddings, own, own).tolist() == [5] * 6
    # Nothing is told apart: everything wrong stands first. Zeros have no direction.
    for same in (torch.rand(1, 4).expand(6, 4), torch.zeros(6, 4)):
        assert retrieval_ranks(same, same, own, own).tolist() == [5] * 6
    assert retrieval_ranks(embeddings[:0], embeddings, own[:0], own).tolist() == []


def test_wrong_embeddings_are_refused():
    own, embeddings = torch.arange(3), torch.eye(3)
    with pytest.raises(ValueError, match='1 of 3 queries have no partner in the gallery, the first is in row 2'):
        retrieval_ranks(embeddings, embeddings[:2], own, own[:2])
    with pytest.raises(ValueError, match='queries must be embeddings .rows, 3'):
        retrieval_ranks(torch.eye(2), embeddings, own[:2], own)
    with pytest.raises(ValueError, match='gallery holds NaN'):
        retrieval_ranks(embeddings, embeddings * torch.nan, own, own)


CATEGORIES = [('03001627', 'chair'), ('02691156', 'airplane')]


def sample(number: int, image: list, shape: list, model: str = '') -> ShapeSample:
    synset, category = CATEGORIES[number % 2]
    one = ShapeSample(metainfo=dict(synset=synset, category=category, model_id=model or f'm{number}', view=0))
    one.set_field(torch.tensor(image, dtype=torch.float32), 'pred_image_embedding')
    one.set_field(torch.tensor(shape, dtype=torch.float32), 'pred_shape_embedding')
    return one


def evaluate(samples: list, **options) -> dict[str, float]:
    evaluator = Evaluator([METRICS.build(dict(type='RetrievalMetric', **options))])
    evaluator.process(samples, None)
    return evaluator.evaluate(len(samples))


def test_metric_by_hand(tmp_path):
    # Images 0 and 2 find their shape, 1 finds it second (after shape 2); shapes 0 and 2 find theirs, and shape 1 its
    # own before image 2, which is less like it.
    samples = [sample(0, [1, 0, 0], [1, 0.1, 0]), sample(1, [0, 0.5, 1], [0, 1, 0.5]), sample(2, [0, 0, 1], [0, 0, 1])]
    metrics = evaluate(samples, topk=(1, 2), out_dir=str(tmp_path))
    expected = dict(i2s_top1_airplane=0, i2s_top1_chair=100, i2s_top1=50, i2s_top1_overall=200 / 3, i2s_top2=100,
                    i2s_top2_overall=100, s2i_top1_overall=100, s2i_top2=100)  # fmt: skip
    assert {key: metrics[key] for key in expected} == pytest.approx(expected)
    assert len(metrics) == 16
    text = (tmp_path / 'categories.md').read_text()
    assert 'i2s top1' in text and 'among 3;' in text and 'ties count as wrong' in text
    rows = list(csv.DictReader((tmp_path / 'samples.csv').open()))
    assert [float(row['i2s_top1']) for row in rows] == [100, 0, 100]


def test_several_views_of_a_model(tmp_path):
    # The second view of m0 looks like m2; shape m0 stands in the gallery once, and finds its first image.
    samples = [sample(0, [1, 0], [1, 0]), sample(2, [0, 1], [0, 1]), sample(0, [0.1, 1], [1, 0])]
    metrics = evaluate(samples, topk=(1,), out_dir=str(tmp_path))
    assert metrics['i2s_top1'] == pytest.approx(200 / 3) and metrics['s2i_top1'] == 100
    assert 'among 2;' in (tmp_path / 'categories.md').read_text()
    rows = list(csv.DictReader((tmp_path / 'samples.csv').open()))
    assert [row['s2i_top1'] for row in rows] == ['100.0', '100.0', '']


def test_random_embeddings_and_several_processes():
    image, shape = np.random.default_rng(0).standard_normal((2, 30, 8)).astype(np.float32)
    samples = [sample(number, image[number].tolist(), shape[number].tolist()) for number in range(30)]
    metrics, own = evaluate(samples), np.arange(30)
    for way, pair in (('i2s', (image, shape)), ('s2i', (shape, image))):
        ranks = np.array(numpy_ranks(*pair, own, own))
        found = [metrics[f'{way}_top{k}_overall'] for k in (1, 5, 10)]
        assert found == pytest.approx([100 * (ranks < k).mean() for k in (1, 5, 10)])
    parts = [METRICS.build(dict(type='RetrievalMetric')) for _ in range(2)]
    for row, one in enumerate(samples):
        parts[row % 2].process(None, [one.to_dict()])
    joined = pickle.loads(pickle.dumps(parts[0].results + parts[1].results))
    assert parts[0].compute_metrics(joined) == pytest.approx(metrics)


def test_faults_name_the_sample():
    with pytest.raises(ValueError, match='chair/m0/0: it has no pred_image_embedding .*use RetrievalMetric with'):
        evaluate([ShapeSample(metainfo=dict(category='chair', model_id='m0', view=0))])
    with pytest.raises(ValueError, match='it has no model_id .*which image belongs to which shape'):
        evaluate([ShapeSample(metainfo=dict(category='chair'))])
    with pytest.raises(ValueError, match='chair/m0/0: pred_shape_embedding must be a finite vector .* 1 values NaN'):
        evaluate([sample(0, [1, 0], [np.nan, 0])])
    with pytest.raises(ValueError, match='pred_image_embedding must have shape .D,., got .1, 2'):
        evaluate([sample(0, [[1, 0]], [1, 0])])  # ShapeSample says so before the metric is asked
    with pytest.raises(ValueError, match='need topk and chunk from 1'):
        METRICS.build(dict(type='RetrievalMetric', topk=(0,)))
    with pytest.raises(ValueError, match='no sample was processed'):
        METRICS.build(dict(type='RetrievalMetric')).compute_metrics([])
