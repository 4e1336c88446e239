"""Segment one keyframe and show the result: labels, pictures, and the agreement with its annotated boxes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Callable, Optional, Union

import numpy as np

from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES
from mmfusion_plugin.evaluation.confusion import confusion_matrix, segmentation_scores
from mmfusion_plugin.evaluation.nuscenes_submission import official_ids
from mmfusion_plugin.files import whole_file
from mmfusion_plugin.visualization import bird_eye_view, camera_overlay

from .box_agreement import agreement_table, box_agreement, summarise
from .keyframe import Keyframe, load_keyframe
from .lidar_seg_inferencer import LidarSegInferencer

PathLike = Union[str, Path]


def segment_frame(
    config: PathLike,
    checkpoint: Optional[PathLike],
    info_file: PathLike,
    out_dir: PathLike,
    index: int = 0,
    tta: bool = False,
    device: Optional[str] = None,
) -> dict:
    """Segment one entry of an info file, write everything to ``out_dir`` and print a table.

    Writes ``labels.npy`` (int64, positions in the model's classes), ``<sweep>_lidarseg.bin`` (uint8, 1..16 as in a
    submission),
    ``bird_eye_view.png``, ``cameras.png`` (where the entry has images) and ``segmentation.json``.

    Returns:
        The content of ``segmentation.json``: number of ``points``, points per class, agreement with the boxes
        (:func:`~mmfusion_plugin.apis.box_agreement.summarise`), ``miou`` where the entry has labels, ``seconds``.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is damaged, or config, checkpoint and entry do not fit each other.
    """
    frame = load_keyframe(info_file, index)
    inferencer = LidarSegInferencer(config, checkpoint, device, tta)
    classes = list(inferencer.classes)
    ids = official_ids(classes)
    # From the 16 classes (and 16, ignored) to the model's, which may be some of them.
    own = np.array([classes.index(name) if name in classes else len(classes) for name in (*CLASSES, 'ignored')])
    begin = time.perf_counter()
    labels = inferencer(frame).labels
    seconds = time.perf_counter() - begin

    points, truth = frame.points(), frame.truth()
    truth = None if truth is None else own[truth]
    out_dir = Path(out_dir)
    shares = box_agreement(points[:, :3], labels, frame.boxes, own[frame.box_classes], classes)
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    summary = dict(
        frame=frame.name, checkpoint=str(checkpoint), points=len(labels), seconds=round(seconds, 3),
        points_per_class=dict(zip(classes, counts)),
        boxes_without_class=len(frame.boxes) - len(shares), box_agreement=summarise(shares),
    )
    if truth is not None:
        scores = segmentation_scores(confusion_matrix(truth, labels, len(classes), len(classes)))
        summary.update(miou=scores.miou, acc=scores.acc)
    name = frame.token or frame.lidar_path.name.split('.')[0]
    files = [
        _write(out_dir / 'labels.npy', lambda stream: np.save(stream, labels)),
        _write(out_dir / f'{name}_lidarseg.bin', lambda stream: stream.write(ids[labels].tobytes())),
        *draw_frame(frame, labels, truth, inferencer, out_dir),
        _write(out_dir / 'segmentation.json', lambda stream: stream.write(json.dumps(summary, indent=1).encode())),
    ]
    if shares:
        print(agreement_table(shares))
    if len(shares) < len(frame.boxes):
        print(f'{len(frame.boxes) - len(shares)} of {len(frame.boxes)} boxes belong to no class')
    print(f'{len(labels):,} of {len(points):,} points labelled in {seconds:.2f} s')
    if truth is not None:
        print(f'mIoU {100 * summary["miou"]:.2f}, accuracy {100 * summary["acc"]:.2f}')
    for path in files:
        print(f'  {path}')
    return summary


def draw_frame(
    frame: Keyframe, labels: np.ndarray, truth: Optional[np.ndarray], inferencer: LidarSegInferencer, out_dir: Path
) -> list[Path]:
    """Bird's-eye view with box outlines, and the cameras' views where there are images; returns the PNGs."""
    points = frame.points()
    colours = dict(classes=inferencer.classes, palette=inferencer.palette, truth=truth)
    title = f'keyframe {frame.name}'
    boxes = frame.boxes if len(frame.boxes) else None
    pictures = [
        bird_eye_view(out_dir / 'bird_eye_view.png', points, labels, boxes=boxes, title=title, **colours)
    ]
    if frame.images:
        distance = np.linalg.norm(points[:, :3], axis=1)
        pixels = frame.match(points[:, :3])
        pictures.append(camera_overlay(
            out_dir / 'cameras.png', frame.load_images(), pixels, distance, labels, cameras=list(frame.images),
            title=title, **colours,
        ))
    return pictures


def _write(path: Path, write: Callable) -> Path:
    with whole_file(path) as partial, open(partial, 'wb') as stream:
        write(stream)
    return path
