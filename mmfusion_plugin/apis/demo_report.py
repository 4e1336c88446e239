"""What the demo shows at its end: scores beside baselines, and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmdet3d.registry import DATASETS
from mmengine.config import Config

from mmfusion_plugin.datasets import read_labels, read_sweep
from mmfusion_plugin.evaluation.baselines import HeightBaseline, MajorityBaseline
from mmfusion_plugin.evaluation.confusion import confusion_matrix, segmentation_scores
from mmfusion_plugin.evaluation.submission_check import evaluate_submission
from mmfusion_plugin.visualization import training_curve

from .keyframe import load_keyframe
from .lidar_seg_inferencer import LidarSegInferencer
from .segment_frame import draw_frame

HEIGHT = 2  # z of a sweep in the LiDAR's frame


@dataclass(frozen=True)
class DemoScores:
    """Scores of one run on the validation split.

    Attributes:
        taught: ``miou`` and ``iou_<class>`` of 2DDATA as ``LidarSegMetric`` returns them.
        devkit: What the official evaluator says of its submission.
        lidar_only: As ``taught``, of the same network trained on points alone.
        baselines: Per baseline ``miou`` and ``iou`` (class name to IoU).
    """

    taught: dict
    devkit: dict
    lidar_only: dict
    baselines: dict[str, dict]

    @property
    def miou(self) -> float:
        """Mean IoU by ``LidarSegMetric``."""
        return self.taught['miou']

    @property
    def devkit_miou(self) -> float:
        """Mean IoU by the official evaluator."""
        return self.devkit['miou']

    def check(self) -> None:
        """Hold the two evaluators against each other.

        Raises:
            RuntimeError: An IoU differs by more than 1e-6. (The devkit divides by float32 unions: equal counts differ
                by less.)
        """
        names = next(iter(self.baselines.values()))['iou']
        pairs = [(self.miou, self.devkit_miou)]
        pairs += [(self.taught[f'iou_{name}'], self.devkit['iou_per_class'][name]) for name in names]
        if not np.allclose(*zip(*pairs), rtol=0, atol=1e-6, equal_nan=True):
            raise RuntimeError(f'our metric and the devkit disagree on the same predictions:\n{self.table()}')

    def table(self) -> str:
        """Per class: 2DDATA and the devkit on its submission, LiDAR only, the other baselines; IoU in percent."""
        names = list(next(iter(self.baselines.values()))['iou'])
        columns = {
            '2DDATA': [*(self.taught[f'iou_{name}'] for name in names), self.miou],
            'devkit': [*(self.devkit['iou_per_class'][name] for name in names), self.devkit_miou],
            'LiDAR only': [*(self.lidar_only[f'iou_{name}'] for name in names), self.lidar_only['miou']],
        }
        for title, score in self.baselines.items():
            columns[title] = [*(score['iou'][name] for name in names), score['miou']]
        width = max(map(len, names))
        lines = [f'{"IoU (%)":<{width}} ' + ' '.join(f'{title:>10}' for title in columns)]
        for name, *row in zip([*names, 'mean'], *columns.values()):
            lines.append(f'{name:<{width}} ' + ' '.join(f'{100 * value:10.2f}' for value in row))
        return '\n'.join(lines)


def labelled_sweeps(dataset_cfg: dict) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Height ``(N,)`` in metres and class ``(N,)`` of each sweep of a ``NuScenesLidarSegDataset``."""
    dataset = DATASETS.build(dict(dataset_cfg, pipeline=[]))
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        sweep = read_sweep(info['lidar_path'], info['num_pts_feats'])
        fine = read_labels(info['pts_semantic_mask_path'], len(sweep))
        yield sweep[:, HEIGHT], np.asarray(info['seg_label_mapping'])[fine]


def score_baselines(cfg: Config) -> dict[str, dict]:
    """Fit both baselines on the training split and score them on the validation split."""
    classes = DATASETS.get(cfg.val_dataloader.dataset.type).METAINFO['classes']
    num_classes = len(classes)
    baselines = dict(majority=MajorityBaseline(num_classes), height=HeightBaseline(num_classes))
    for sweep in labelled_sweeps(cfg.train_dataloader.dataset):
        for baseline in baselines.values():
            baseline.fit([sweep])
    matrices = {name: np.zeros((num_classes + 1, num_classes), np.int64) for name in baselines}
    for height, label in labelled_sweeps(cfg.val_dataloader.dataset):
        for name, baseline in baselines.items():
            matrices[name] += confusion_matrix(label, baseline.predict(height), num_classes, num_classes)
    scores = {name: segmentation_scores(matrix) for name, matrix in matrices.items()}
    return {name: dict(miou=s.miou, iou=dict(zip(classes, s.iou.tolist()))) for name, s in scores.items()}


def score_submission(data_root: Path, submission: Path) -> dict:
    """The official evaluator's scores of the submission for the validation split."""
    return evaluate_submission(submission, data_root, 'v1.0-trainval', 'val')


def draw_pictures(cfg: Config, weights: Path, out_dir: Path, log_dir: Path, frames: int = 2) -> list[Path]:
    """The training curve, and for some validation keyframes prediction beside truth from above and in the cameras.

    Args:
        cfg: Config of the network.
        weights: Its checkpoint.
        out_dir: Folder of the pictures.
        log_dir: Work directory of the training.
        frames: Keyframes, spread evenly over the validation split.
    """
    pictures = [training_curve(out_dir / 'training_curve.png', log_dir)]
    inferencer = LidarSegInferencer(cfg, str(weights))
    dataset = cfg.val_dataloader.dataset
    info_file = Path(dataset.data_root) / dataset.ann_file
    count = len(DATASETS.build(dict(dataset, pipeline=[])))
    for index in np.unique(np.linspace(0, count - 1, frames).astype(int)):
        frame = load_keyframe(info_file, int(index))
        folder = out_dir / f'val_{index:03d}'
        pictures += draw_frame(frame, inferencer(frame).labels, frame.truth(), inferencer, folder)
    return pictures
