from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from mmfusion_plugin.visualization import read_log, training_curve


def write_log(folder, epochs=range(1, 4), miou=0.1, **extra):
    """A log as mmengine writes it: train lines by iteration, validation lines by epoch."""
    rows = []
    for epoch in epochs:
        for iteration in range(10 * epoch - 9, 10 * epoch + 1):
            rows.append(dict(lr=0.1, loss=3 / iteration, loss_ce=1 / iteration, time=0.5, epoch=epoch, iter=iteration,
                             step=iteration))
        rows.append(dict(miou=miou * epoch, acc=0.5, **extra, step=epoch))
    target = folder / 'vis_data' / 'scalars.json'
    target.parent.mkdir(parents=True)
    target.write_text('\n'.join(json.dumps(row) for row in rows) + '\n')
    return target


def test_validation_is_placed_at_the_iteration_it_was_measured_at(tmp_path):
    log = read_log(write_log(tmp_path))
    np.testing.assert_array_equal(log.val['miou'][0], [10, 20, 30])
    np.testing.assert_allclose(log.val['miou'][1], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(log.train['loss'][0], np.arange(1, 31))
    assert 'epoch' not in log.train


def test_iteration_based_validation_stays_where_it_is(tmp_path):
    path = tmp_path / 'scalars.json'
    path.write_text('{"loss": 1.0, "lr": 0.1, "step": 50}\n{"val/miou": 0.4, "step": 50}\n')
    np.testing.assert_array_equal(read_log(path).val['val/miou'][0], [50])


def test_resumed_run_is_one_curve_and_the_later_values_win(tmp_path):
    write_log(tmp_path / '20260101_000000', range(1, 3), miou=0.1)
    write_log(tmp_path / '20260102_000000', range(2, 5), miou=0.2)
    log = read_log(tmp_path)
    np.testing.assert_array_equal(log.train['loss'][0], np.arange(1, 41))
    np.testing.assert_allclose(log.val['miou'][1], [0.1, 0.4, 0.6, 0.8])


def test_line_cut_off_by_a_killed_run_is_left_out(tmp_path):
    path = write_log(tmp_path)
    whole = path.read_text()
    for length in range(1, 12):
        path.write_text(f'{whole}{{"loss": 0.1, "step": 31}}'[: len(whole) + length])
        np.testing.assert_array_equal(read_log(path).train['loss'][0], np.arange(1, 31))
    path.write_text(f'{whole}{{"loss": 0.1, "step": 31}}')  # only the end of the line is missing
    assert read_log(path).train['loss'][0][-1] == 31
    path.write_text(f'{{"loss": 0.\n{whole}')
    with pytest.raises(ValueError, match='scalars.json:1'):
        read_log(path)


def test_picture_has_two_panels_only_with_validation(tmp_path):
    write_log(tmp_path / 'a', iou_bus=float('nan'))
    both = Image.open(training_curve(tmp_path / 'both.png', tmp_path / 'a')).size
    only = Image.open(training_curve(tmp_path / 'one.png', tmp_path / 'a', keys=['loss'])).size
    assert both[0] == only[0] and both[1] > 1.5 * only[1]
    assert training_curve(tmp_path / 'nan.png', tmp_path / 'a', keys=['iou_bus']).is_file()


def test_several_runs_in_one_picture(tmp_path):
    write_log(tmp_path / 'a')
    write_log(tmp_path / 'b', miou=0.2)
    runs = [tmp_path / 'a', tmp_path / 'b']
    alone = training_curve(tmp_path / 'alone.png', runs[0]).read_bytes()
    assert training_curve(tmp_path / 'together.png', runs, names=['one', 'two']).read_bytes() != alone
    with pytest.raises(ValueError, match='1 names for 2 logs'):
        training_curve(tmp_path / 'x.png', runs, names=['one'])


def test_faults_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='scalars.json'):
        read_log(tmp_path)
    path = write_log(tmp_path)
    with pytest.raises(ValueError, match="no 'mIoU'; it has acc, loss"):
        training_curve(tmp_path / 'x.png', path, keys=['mIoU'])
    path.write_text('{"loss": 1, "step": 1}\nnot json\n')
    with pytest.raises(ValueError, match='scalars.json:2'):
        read_log(path)
    path.write_text('')
    with pytest.raises(ValueError, match='nothing was logged'):
        read_log(path)
