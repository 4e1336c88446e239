"""The official label ids, names and colours of ScanNet, and the file names of a scan, in one place.

ScanNet knows three numberings: raw ids (1..1357; 2D label images), NYU40 ids (1..40; meshes, submissions) and the 20
classes of the benchmark. Here, as everywhere in MMDetection3D, classes are 0..19 and ignored vertices carry 20. NYU40
ids are in converted files; only datasets, the submission writer and its checker need the table.

Sources: ScanNet, ``BenchmarkScripts/3d_evaluation/evaluate_semantic_label.py`` and ``BenchmarkScripts/util.py``.
"""

from __future__ import annotations

CLASSES: tuple[str, ...] = (
    'wall',
    'floor',
    'cabinet',
    'bed',
    'chair',
    'sofa',
    'table',
    'door',
    'window',
    'bookshelf',
    'picture',
    'counter',
    'desk',
    'curtain',
    'refrigerator',
    'shower curtain',
    'toilet',
    'sink',
    'bathtub',
    'otherfurniture',
)
"""The 20 classes of the benchmark, in its order."""

NYU40_IDS: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)
"""NYU40 id of each class: what ground truth and submissions hold."""

IGNORE_INDEX = len(CLASSES)
UNLABELLED = 0
"""NYU40 id of what nobody annotated."""

NYU40_TO_CLASS: tuple[int, ...] = tuple(
    NYU40_IDS.index(number) if number in NYU40_IDS else IGNORE_INDEX for number in range(41)
)
"""Class 0..19, or 20 (ignored), of each NYU40 id 0..40."""

PALETTE: tuple[tuple[int, int, int], ...] = (
    (174, 199, 232),
    (152, 223, 138),
    (31, 119, 180),
    (255, 187, 120),
    (188, 189, 34),
    (140, 86, 75),
    (255, 152, 150),
    (214, 39, 40),
    (197, 176, 213),
    (148, 103, 189),
    (196, 156, 148),
    (23, 190, 207),
    (247, 182, 210),
    (219, 219, 141),
    (255, 127, 14),
    (158, 218, 229),
    (44, 160, 44),
    (112, 128, 144),
    (227, 119, 194),
    (82, 84, 163),
)
"""RGB colour of each class, the benchmark's own."""

SPLITS: tuple[str, ...] = ('train', 'val', 'test')
LABELLED_SPLITS: tuple[str, ...] = ('train', 'val')

LABEL_KINDS: tuple[str, ...] = ('label', 'label-filt')
"""2D label images, raw and filtered: the name of their zip, of the folder in it, and of the converted folder."""

LABEL_TABLE = 'scannetv2-labels.combined.tsv'

SCAN_FILES: dict[str, str] = {
    'sens': '{scan}.sens',
    'mesh': '{scan}_vh_clean_2.ply',
    'segments': '{scan}_vh_clean_2.0.010000.segs.json',
    'aggregation': '{scan}.aggregation.json',
    'info': '{scan}.txt',
    'label': '{scan}_2d-label.zip',
    'label-filt': '{scan}_2d-label-filt.zip',
}
"""Names of a scan's raw files."""

BAD_FRAMES: dict[str, frozenset[int]] = {
    'scene0243_00': frozenset(range(1175, 1185)),
    'scene0538_00': frozenset({1925, 1928, 1929, 1931, 1932, 1933}),
    'scene0639_00': frozenset({442, 443, 444}),
    'scene0299_01': frozenset({1512}),
}
"""Frames of the release that cannot be used. Source: MVPNet, ``mvpnet/data/preprocess/resize_scannet_images.py``."""
