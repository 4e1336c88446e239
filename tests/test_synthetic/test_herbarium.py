"""Generated herbarium sheets: layout, traits in the outline and in colours, masks, determinism."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmfusion_plugin.synthetic import herbarium
from mmfusion_plugin.synthetic.herbarium_canvas import Canvas, coverage, ellipse
from mmfusion_plugin.synthetic.herbarium_plant import TRAITS
from mmfusion_plugin.synthetic.herbarium_scene import Sheet, SheetPlan, draw_sheet

SMALL = {'sheets': 40, 'size': (96, 144), 'seed': 3, 'progress': False}


def digests(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): hashlib.md5(p.read_bytes()).hexdigest() for p in root.rglob('*') if p.is_file()}


def rows(root: Path) -> list[dict[str, str]]:
    with open(root / 'herbarium.csv', newline='') as file:
        return list(csv.DictReader(file))


def sheet(number: int, *present: str, difficulty: str = 'medium', **options) -> Sheet:
    traits = tuple(trait in present for trait in TRAITS)
    plan = dict(size=(280, 420), difficulty=difficulty, **options)
    return draw_sheet(SheetPlan('x', 'train', (5, 0, number), traits, **plan))


def iou(one: np.ndarray, two: np.ndarray) -> float:
    return ((one > 0) & (two > 0)).sum() / ((one > 0) | (two > 0)).sum()


@pytest.fixture(scope='module')
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return herbarium.make_herbarium(tmp_path_factory.mktemp('world') / 'herbarium', **SMALL)


def test_layout(world: Path) -> None:
    table = rows(world)
    assert list(table[0]) == ['file', 'split', 'thorns', 'lobed', 'fruit']
    assert [row['split'] for row in table] == ['train'] * 24 + ['val'] * 8 + ['test'] * 8
    for folder, ending in (('images', '.jpg'), ('masks_selected', '.png'), ('masks_complete', '.png')):
        assert sorted(p.name for p in (world / folder).iterdir()) == sorted(r['file'][:-4] + ending for r in table)
    for row in table[::7]:
        assert cv2.imread(str(world / 'images' / row['file'])).shape == (144, 96, 3)
        for folder in ('masks_selected', 'masks_complete'):
            mask = cv2.imread(str(world / folder / row['file'].replace('.jpg', '.png')), cv2.IMREAD_UNCHANGED)
            assert mask.shape == (144, 96) and set(np.unique(mask)) == {0, 255}


def test_traits_are_independent_in_each_split(world: Path) -> None:
    for split, times in (('train', 3), ('val', 1), ('test', 1)):
        found = [tuple(row[trait] for trait in TRAITS) for row in rows(world) if row['split'] == split]
        assert sorted(found) == sorted(list(itertools.product('01', repeat=3)) * times)


@pytest.mark.parametrize(('trait', 'least', 'usual'), [('thorns', 20, 80), ('fruit', 80, 400)])
def test_thorns_and_fruits_add_to_the_outline(trait: str, least: int, usual: int) -> None:
    """In square millimetres, at a pixel per mm; most thorns and fruits stand before leaves or between them."""
    gains = []
    for number in range(8):
        bare, with_it = sheet(number).selected > 0, sheet(number, trait).selected > 0
        gains.append((with_it & ~bare).sum())
        # Fruits take the place of flowers.
        assert (bare & ~with_it).sum() < (30 if trait == 'thorns' else 30 + 0.1 * bare.sum())
    assert min(gains) > least and np.mean(gains) > usual, gains


def test_lobes_roughen_the_outline() -> None:
    """Contour length over the square root of the area, of the same plants with entire and with lobed leaves."""

    def roughness(mask: np.ndarray) -> float:
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        return sum(cv2.arcLength(contour, True) for contour in contours) / (mask > 0).sum() ** 0.5

    pairs = [(roughness(sheet(k).selected), roughness(sheet(k, 'lobed').selected)) for k in range(6)]
    assert all(lobed > entire for entire, lobed in pairs)
    assert np.mean([lobed / entire for entire, lobed in pairs]) > 1.1


@pytest.mark.parametrize('trait', TRAITS)
def test_nothing_but_the_plant_tells_the_trait(trait: str) -> None:
    """Away from what the outline gained or lost, and its shadow, both pictures are the same; so are labels and card."""
    with_it, bare = sheet(1, trait), sheet(1)
    plant = cv2.dilate(with_it.selected | bare.selected, np.ones((25, 25), np.uint8)) > 0
    assert 0.2 < plant.mean() < 0.9
    assert (with_it.image == bare.image)[~plant].all() and not (with_it.image == bare.image)[plant].all()


def told_by_colours(plain_fruit: bool) -> dict[str, float]:
    """Accuracy of ridge regression on colour histograms of the masks' pixels, each sheet by all others.

    Of 144 sheets with all combinations of traits: the standard error at chance is 0.042.
    """
    traits = np.array(list(itertools.product((False, True), repeat=len(TRAITS))) * 18)
    rows = []
    for number, present in enumerate(traits):
        drawn = draw_sheet(SheetPlan('x', 'train', (9, 0, number), tuple(present), (140, 210), 'medium', plain_fruit))
        bins = (drawn.image[drawn.selected > 0] // 64) @ [1, 4, 16]
        rows.append(np.sqrt(np.bincount(bins, minlength=64) / len(bins)))
    x, y = np.array(rows) - np.mean(rows, axis=0), np.where(traits, 1.0, -1.0)
    hat = x @ np.linalg.solve(x.T @ x + 0.03 * np.eye(64), x.T) + 1 / len(x)
    own = np.diag(hat)[:, None]
    left_out = (hat @ y - own * y) / (1 - own)
    return dict(zip(TRAITS, ((left_out > 0) == traits).mean(axis=0)))


def test_colours_tell_fruit_unless_it_is_plain() -> None:
    own, plain = told_by_colours(False), told_by_colours(True)
    assert own['fruit'] > 0.85, own
    assert max(plain.values()) < 0.67 and plain['fruit'] < 0.65, plain


def test_plain_fruit_is_of_the_same_outline_and_changes_nothing_else() -> None:
    """Where no fruit is and no thorn, both are the same plant, and fruits do not move what else there is."""
    for number in range(3):
        plain = sheet(number, 'fruit', plain_fruit=True)
        assert iou(sheet(number, 'fruit').selected, plain.selected) > 0.85, 'but for flowers and straps'
        assert (sheet(number).image == sheet(number, plain_fruit=True).image).all()
        bare = sheet(number)
        plant = cv2.dilate(plain.selected | bare.selected, np.ones((25, 25), np.uint8)) > 0
        assert (plain.image == bare.image)[~plant].all() and not (plain.image == bare.image).all()


def test_foreground_is_the_plant() -> None:
    """The mask's pixels are darker than the paper around, but for what is pale on a plant."""
    for number in range(4):
        drawn = sheet(number, 'thorns')
        grey = cv2.cvtColor(drawn.image, cv2.COLOR_BGR2GRAY)
        near = (cv2.dilate(drawn.selected, np.ones((9, 9), np.uint8)) > 0) & (drawn.selected == 0)
        assert np.median(grey[drawn.selected > 0]) < np.median(grey[near]) - 40
        assert 0.03 < (drawn.selected > 0).mean() < 0.5


def test_complete_masks_are_of_mixed_quality() -> None:
    sheets = [sheet(number, 'fruit') for number in range(24)]
    quality = np.array([iou(drawn.selected, drawn.complete) for drawn in sheets])
    assert quality.min() > 0.1 and quality.max() > 0.93 and (quality < 0.85).mean() > 0.15
    assert any(((d.complete > 0) & (d.selected == 0)).sum() > 100 for d in sheets), 'background taken for plant'
    assert any(((d.complete == 0) & (d.selected > 0)).sum() > 500 for d in sheets), 'parts that are lost'
    assert all(d.complete.any() and set(np.unique(d.complete)) == {0, 255} for d in sheets)


def test_difficulty_is_in_the_traits_size() -> None:
    def gain(difficulty: str) -> float:
        pairs = [(sheet(k, difficulty=difficulty), sheet(k, 'thorns', difficulty=difficulty)) for k in range(4)]
        return np.mean([((w.selected > 0) & (b.selected == 0)).sum() for b, w in pairs])

    assert gain('easy') > 2 * gain('hard') > 0


def test_canvas_is_in_millimetres() -> None:
    """Areas in closed form: a circle and a box, at two scales, with 255 where a pixel is covered."""
    for scale in (2.0, 7.5):
        pixels = np.zeros((int(40 * scale), int(60 * scale)), np.uint8)
        Canvas(pixels, scale).fill(ellipse((30.0, 20.0), (15.0, 10.0), 0.4, 400), (255, 0, 0))
        assert 0 <= (pixels / 255).sum() / scale**2 - np.pi * 150 < 79.3 / scale  # its circumference, a pixel wide
        pixels[:] = 0
        Canvas(pixels, scale).box((10, 10), (20, 8), (255, 0, 0))
        y, x = np.nonzero(pixels > 127)
        for found, low, high in ((x, 10, 30), (y, 10, 18)):
            assert abs(found.min() / scale - low) <= 1 / scale and abs((found.max() + 1) / scale - high) <= 1 / scale
    assert coverage([], (4, 5), 1.0).shape == (4, 5)


def test_workers_do_not_change_bytes_and_an_interrupted_run_goes_on(world: Path, tmp_path: Path) -> None:
    again = herbarium.make_herbarium(tmp_path / 'two', workers=2, **SMALL)
    assert digests(again) == digests(world)
    for name in ('herbarium.csv', 'images/train_00003.jpg', 'images/val_00001.jpg', 'masks_complete/val_00001.png'):
        (again / name).unlink()  # as a run that was killed leaves it
    herbarium.make_herbarium(tmp_path / 'two', **SMALL)
    assert digests(again) == digests(world)
    with pytest.raises(FileExistsError, match="difficulty: 'medium' there, 'easy' asked"):
        herbarium.make_herbarium(tmp_path / 'two', difficulty='easy', **SMALL)


def test_the_world_says_whether_its_fruit_is_plain(world: Path, tmp_path: Path) -> None:
    few = {**SMALL, 'sheets': 5}
    plain = herbarium.make_herbarium(tmp_path / 'plain', plain_fruit=True, **few)
    stamps = [json.loads((root / herbarium.STAMP).read_text()) for root in (world, plain)]
    assert stamps[1] == {**stamps[0], 'sheets': 5, 'plain_fruit': True}, 'worlds older than the option do not name it'
    assert rows(plain)[:3] == rows(world)[:3]
    with pytest.raises(FileExistsError, match='plain_fruit: True there, None asked'):
        herbarium.make_herbarium(plain, **few)
    with pytest.raises(FileExistsError, match='plain_fruit: None there, True asked'):
        herbarium.make_herbarium(world, plain_fruit=True, **SMALL)
    assert herbarium.make_herbarium(plain, plain_fruit=True, **few) == plain


def test_more_sheets_leave_the_first_ones_as_they_are(world: Path, tmp_path: Path) -> None:
    few = herbarium.make_herbarium(tmp_path / 'few', **{**SMALL, 'sheets': 5})
    for name in ('images/train_00002.jpg', 'masks_complete/test_00000.png'):
        assert (few / name).read_bytes() == (world / name).read_bytes()
    assert [row['split'] for row in rows(few)] == ['train'] * 3 + ['val', 'test']


@pytest.mark.parametrize(('wrong', 'message'), [
    ({'sheets': 2}, 'sheets=2 must be at least 3'), ({'size': (40, 400)}, 'at least 64 pixels'),
    ({'difficulty': 'odd'}, "difficulty='odd' is none of easy, medium, hard")])  # fmt: skip
def test_impossible_settings(wrong: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        herbarium.make_herbarium(tmp_path / 'world', **{**SMALL, **wrong})
    assert not (tmp_path / 'world').exists()
