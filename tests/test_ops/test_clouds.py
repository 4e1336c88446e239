"""Padding of clouds, and the cutting of pairs into blocks."""

from __future__ import annotations

import pytest
import torch

from mmfusion_plugin.ops.clouds import pair_blocks, pair_clouds


def test_list_equals_padded_tensor() -> None:
    clouds = [torch.randn(3, 3), torch.randn(0, 3), torch.randn(5, 3)]
    padded = torch.full((3, 5, 3), torch.nan)
    for row, cloud in enumerate(clouds):
        padded[row, : len(cloud)] = cloud
    one, other = pair_clouds(clouds, padded, target_lengths=[3, 0, 5])
    assert torch.equal(one.points, other.points) and torch.equal(one.lengths, other.lengths)
    assert one.lengths.tolist() == one.mask.sum(dim=1).tolist() == [3, 0, 5]
    expected = [float(cloud[:, 0].mean()) if len(cloud) else 0.0 for cloud in clouds]
    assert one.mean(one.points[..., 0]).tolist() == pytest.approx(expected)


def test_single_cloud_is_a_batch_of_one_and_half_precision_is_widened() -> None:
    one, other = pair_clouds(torch.randn(4, 3).half(), torch.randn(1, 2, 3).half())
    assert one.points.shape == (1, 4, 3) and one.points.dtype == torch.float32
    assert other.lengths.tolist() == [2]


def test_a_row_where_there_is_none() -> None:
    one, other = pair_clouds(torch.randn(2, 0, 3), torch.randn(2, 4, 3))
    assert one.with_a_row().points.shape == (2, 1, 3) and one.with_a_row().lengths.tolist() == [0, 0]
    assert other.with_a_row() is other


@pytest.mark.parametrize(
    ('source', 'target', 'lengths', 'error', 'match'),
    [
        (torch.zeros(2, 3, 3), torch.zeros(3, 3, 3), None, ValueError, 'as many sources'),
        (torch.zeros(2, 3, 3), torch.zeros(2, 3, 2), None, ValueError, 'as many axes'),
        (torch.zeros(3), torch.zeros(3, 3), None, ValueError, 'source must be'),
        (torch.zeros(3, 3), torch.zeros(3, 3).double(), None, TypeError, 'float64'),
        (torch.zeros(3, 3).long(), torch.zeros(3, 3).long(), None, TypeError, 'int64'),
        (torch.zeros(3, 3), torch.full((3, 3), torch.inf), None, ValueError, 'target holds NaN or infinite'),
        (torch.zeros(2, 3, 3), torch.zeros(2, 3, 3), [3, 4], ValueError, 'must be 2 numbers from 0 to 3'),
        (torch.zeros(2, 3, 3), torch.zeros(2, 3, 3), [3], ValueError, 'source_lengths'),
        ([torch.zeros(3, 3)], torch.zeros(1, 3, 3), [3], ValueError, 'leave them out'),
        ([], torch.zeros(1, 3, 3), None, ValueError, 'at least one cloud'),
        ([torch.zeros(3, 3), torch.zeros(3, 2)], torch.zeros(2, 3, 3), None, ValueError, 'as many axes'),
    ],
)
def test_what_does_not_fit_is_refused(source, target, lengths, error, match) -> None:
    with pytest.raises(error, match=match):
        pair_clouds(source, target, lengths)


@pytest.mark.parametrize('at_once', [1, 7, 20, 50, 1000])
@pytest.mark.parametrize(('batch', 'rows', 'columns'), [(3, 5, 4), (1, 1, 1), (4, 0, 3), (2, 3, 0), (0, 3, 3)])
def test_blocks_cover_all_pairs_once(batch: int, rows: int, columns: int, at_once: int) -> None:
    seen = torch.zeros(batch, rows)
    for sample, part in pair_blocks(batch, rows, columns, at_once):
        seen[sample, part] += 1
        assert seen[sample, part].numel() * columns <= max(at_once, columns)
    assert bool((seen == 1).all())
