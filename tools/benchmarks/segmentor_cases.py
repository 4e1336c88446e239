"""Segmentors at reference size and one real training sample for them, for ``segmentors.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from stopwatch import Stopwatch

from mmfusion_plugin.apis.box_agreement import points_in_box
from mmfusion_plugin.apis.keyframe import Keyframe, load_keyframe
from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES, FINE_TO_CLASS, IGNORE_INDEX
from mmfusion_plugin.models.layers.sparse_modules import SubmanifoldConv3d
from mmfusion_plugin.models.layers.voxel_pyramid import VoxelPyramid
from mmfusion_plugin.ops import sparse_conv
from mmfusion_plugin.structures import Boxes2D, PointPixelMatch

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = {'lidar': 'point_voxel_segmentor', '2dpass': 'two_d_pass', '2ddata': 'two_d_data'}
CAMERA, IMAGE_SIZE = 'CAM_FRONT', (400, 240)  # 2DPASS's width and height on nuScenes
# Stand-ins for labels the keyframe lacks, by height above the sensor in metres: only their number matters for speed.
STUFF = (
    (-1.8, 'driveable_surface'), (-1.5, 'sidewalk'), (-1.0, 'terrain'), (1.0, 'vegetation'), (np.inf, 'manmade')
)  # fmt: skip


def build_model(kind: str, hidden: int, device: str) -> BaseModel:
    """The model of ``configs/_base_/models``, from scratch; another width for a quick look."""
    torch.manual_seed(0)
    cfg = Config.fromfile(ROOT / f'configs/_base_/models/{CONFIGS[kind]}.py')
    cfg.model.backbone.hidden = hidden
    return MODELS.build(cfg.model).to(device)


def build_optimiser(model: BaseModel, amp: bool) -> OptimWrapper:
    """SGD of the published schedule, at a rate that leaves random weights finite."""
    cfg = Config.fromfile(ROOT / 'configs/_base_/schedules/sgd_cosine_80e.py').optim_wrapper
    cfg.optimizer.lr = 1e-3
    if amp:
        cfg.type = 'AmpOptimWrapper' if next(model.parameters()).is_cuda else 'BFloat16OptimWrapper'
    return build_optim_wrapper(model, cfg)


def keyframe_batch(info_file: str) -> dict[str, Any]:
    """A collated batch of one sweep and one camera, unaugmented, with stand-in labels and 2D boxes."""
    keyframe = load_keyframe(info_file)
    points = keyframe.points()
    view = list(keyframe.images).index(CAMERA)
    image = keyframe.load_images()[view][..., ::-1]
    scale = IMAGE_SIZE[0] / image.shape[1], IMAGE_SIZE[1] / image.shape[0]
    small = np.ascontiguousarray(mmcv.imresize(image, IMAGE_SIZE, interpolation='area').transpose(2, 0, 1))
    match = PointPixelMatch(keyframe.match(points[:, :3])).select_views([view]).resize(*scale)
    labels = torch.from_numpy(stand_in_labels(points, keyframe))
    sample = Det3DDataSample(gt_pts_seg=PointData(pts_semantic_mask=labels))
    sample.gt_boxes_2d = stand_in_boxes(points, keyframe, match).to('cpu')
    inputs = {
        'points': [torch.from_numpy(points[:, :4].copy())],
        'imgs': [torch.from_numpy(small)[None]],
        'pixels': [match.to('cpu').pixels],
    }
    return {'inputs': inputs, 'data_samples': [sample]}


def stand_in_labels(points: np.ndarray, keyframe: Keyframe) -> np.ndarray:
    """(N,) int64: a box's class inside it, a class by height elsewhere."""
    band = np.searchsorted([height for height, _ in STUFF], points[:, 2])
    labels = np.array([CLASSES.index(name) for _, name in STUFF])[band]
    for box, label in zip(keyframe.boxes, keyframe.box_classes):
        labels[points_in_box(points, box)] = label
    return labels


def stand_in_boxes(points: np.ndarray, keyframe: Keyframe, match: PointPixelMatch) -> Boxes2D:
    """2D boxes around the seen points of each 3D box."""
    rows = []
    for box, label in zip(keyframe.boxes, keyframe.box_classes):
        inside = points_in_box(points, box) & match.visible[:, 0]
        if label != IGNORE_INDEX and inside.any():
            pixels = match.pixels[inside, 0]
            rows.append((*pixels.min(0), *pixels.max(0), FINE_TO_CLASS.index(label), label))
    table = np.array(rows).reshape(-1, 6)
    ints, zeros = table[:, 4:].astype(np.int64), np.zeros(len(table))
    return Boxes2D(
        table[:, :4].astype(np.float32), ints[:, 0], ints[:, 1], zeros.astype(np.int64), zeros.astype(np.float32),
        zeros.astype(np.int64), zeros.astype(np.float32),
    )  # fmt: skip


def charge_parts(watch: Stopwatch, model: BaseModel, optimiser: OptimWrapper) -> None:
    """Name the parts of a training step and of a prediction; what belongs to none stays with the caller's part."""
    for function in ('__init__', 'point_mean', 'voxel_mean', 'halved_mean'):
        watch.charge(VoxelPyramid, function, 'voxelise')
    watch.charge(sparse_conv, 'build_submanifold', 'voxelise')
    for module in model.modules():
        if isinstance(module, SubmanifoldConv3d):
            watch.charge(module, 'forward', 'sparse conv')
        elif type(module).__name__.endswith('Loss'):
            watch.charge(module, 'forward', 'loss')
    watch.charge(model.backbone, 'forward', 'other encoder')
    watch.charge(model.decode_head, 'forward', 'head')
    if getattr(model, 'image_backbone', None) is not None:
        watch.charge(model.image_backbone, 'forward', '2D branch')
    for name in ('fusion', 'object_branch'):
        if getattr(model, name, None) is not None:
            watch.charge(getattr(model, name), 'loss', 'fusion')
    watch.charge(optimiser, 'backward', 'backward, other')
    watch.charge(sparse_conv._GatherMatmulSum, 'backward', 'backward, sparse conv')
    for function in ('step', 'zero_grad'):
        watch.charge(optimiser, function, 'optimiser')
