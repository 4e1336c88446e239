"""LiDAR segmentation on nuScenes with the cameras' view of each point."""

from __future__ import annotations

from os import path as osp
from typing import Any, Callable, Optional, Sequence, Union

import numpy as np
from mmdet3d.datasets import Seg3DDataset
from mmdet3d.registry import DATASETS

from ..converters.nuscenes_taxonomy import CLASSES, FINE_NAMES, FINE_TO_CLASS, IGNORE_INDEX, PALETTE
from .damage import CorruptDataError, DamageLedger
from .info_files import load_info_file


@DATASETS.register_module()
class NuScenesLidarSegDataset(Seg3DDataset):
    """nuScenes-lidarseg: 16 classes 0..15, ignored points 16.

    Reads the files of ``tools/create_data.py nuscenes`` and, without 2D boxes, MMDetection3D's own v2 files. A damaged
    sweep, label file or image is skipped, counted and logged in training, where the run fails when more than
    ``max_corrupt_fraction`` of an epoch is damaged; in evaluation it is an error that names the file.

    Args:
        data_root: Root of the data.
        ann_file: Info file, relative to ``data_root``.
        data_prefix: Folders of the files, relative to ``data_root``: ``pts``, one per camera (``CAM_FRONT=...``) or
            ``img`` for all cameras, ``pts_semantic_mask`` (without it ``lidarseg/<version>``, with the version that
            the info file names), and ``sweeps`` (without it ``sweeps/LIDAR_TOP``).
        pipeline: Transforms.
        metainfo: ``dict(classes=[...])`` to train on some of the classes; the others are ignored.
        modality: ``use_camera`` adds the 2D boxes of the info file to the samples. Images are opened by the pipeline's
            ``LoadCameraImages`` alone.
        test_mode: Evaluation: no sample is ever skipped, and ``eval_ann_info`` carries the labels where there are any.
        serialize_data: Keep the entries as one block of bytes that data loading workers share.
        max_corrupt_fraction: Share of the samples that training may skip.
        earlier_sweeps: Add ``lidar_sweeps``, the paths of the sweeps before the key frame, latest first.
        kwargs: Further arguments of ``mmdet3d.datasets.Seg3DDataset``.
    """

    METAINFO = {
        'classes': CLASSES,
        'palette': [list(colour) for colour in PALETTE],
        'seg_valid_class_ids': tuple(range(len(CLASSES))),
        'seg_all_class_ids': tuple(range(len(FINE_NAMES))),
    }

    def __init__(
        self,
        data_root: Optional[str] = None,
        ann_file: str = '',
        data_prefix: Optional[dict] = None,
        pipeline: Sequence[Union[dict, Callable]] = (),
        metainfo: Optional[dict] = None,
        modality: Optional[dict] = None,
        test_mode: bool = False,
        serialize_data: bool = True,
        max_corrupt_fraction: float = 0.001,
        earlier_sweeps: bool = False,
        **kwargs: Any,
    ) -> None:
        self.max_corrupt_fraction, self.earlier_sweeps = max_corrupt_fraction, earlier_sweeps
        lazy = kwargs.get('lazy_init', False)
        # Seg3DDataset indexes data_list after loading, which serialising during loading would have emptied.
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            data_prefix=dict(data_prefix or {}),
            pipeline=list(pipeline),
            metainfo={'classes': CLASSES, **(metainfo or {})},
            modality={'use_lidar': True, 'use_camera': False, **(modality or {})},
            test_mode=test_mode,
            serialize_data=serialize_data and lazy,
            **kwargs,
        )
        if serialize_data and not lazy and self.data_list:
            self.data_bytes, self.data_address = self._serialize_data()
            self.serialize_data = True
        if not lazy:
            self._start_ledger()

    def full_init(self) -> None:
        """Read the info file and start the account of damaged samples."""
        if not self._fully_initialized:
            super().full_init()
            self._start_ledger()

    def get_subset_(self, indices: Union[Sequence[int], int]) -> None:
        """Keep some of the samples, as ``BaseDataset.get_subset_``; their damage is counted anew."""
        super().get_subset_(indices)
        self._start_ledger()

    def get_subset(self, indices: Union[Sequence[int], int]) -> NuScenesLidarSegDataset:
        """Some of the samples, as ``BaseDataset.get_subset``, with an account of their damage."""
        subset = super().get_subset(indices)
        subset._start_ledger()
        return subset

    def _start_ledger(self) -> None:
        self.damage = DamageLedger(len(self), self.max_corrupt_fraction)

    def get_label_mapping(self, new_classes: Optional[Sequence[str]] = None) -> tuple[dict, dict, list[int]]:
        """Mapping from fine ids 0..31 to the classes in use, their names, and the classes' positions among all 16."""
        classes = list(CLASSES if new_classes is None else new_classes)
        strangers = sorted(set(classes) - set(CLASSES))
        if strangers:
            raise ValueError(f'classes {strangers} are not among those of nuScenes-lidarseg: {", ".join(CLASSES)}')
        mapping = {
            fine: classes.index(CLASSES[label])
            if label != IGNORE_INDEX and CLASSES[label] in classes
            else self.ignore_index
            for fine, label in enumerate(FINE_TO_CLASS)
        }
        return mapping, dict(enumerate(classes)), [CLASSES.index(name) for name in classes]

    def get_seg_label_mapping(self, metainfo: Optional[dict] = None) -> np.ndarray:
        """``(32,)`` int64 class, or ``ignore_index``, of each fine id."""
        return np.array([self.label_mapping[fine] for fine in range(len(FINE_NAMES))], dtype=np.int64)

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file``; pickles pass through the restricted reader.

        Raises:
            ValueError: The folder of the labels is neither in ``data_prefix`` nor follows from the info file.
        """
        metainfo, data_list = load_info_file(self.ann_file, self.parse_data_info, self.backend_args)
        if 'pts_semantic_mask' not in self.data_prefix:
            self._derive_label_folder(metainfo.get('version'), data_list)
        for key, value in metainfo.items():
            self._metainfo.setdefault(key, value)
        return data_list

    def parse_data_info(self, info: dict) -> dict:
        """Keep what segmentation needs of an entry and complete its paths.

        3D boxes and, if not asked for, earlier sweeps are left behind: they make up most of the file.

        Raises:
            ValueError: ``data_prefix`` lacks the folder of a file.
        """
        lidar = info['lidar_points']
        data = {key: info[key] for key in ('sample_idx', 'token', 'timestamp', 'scene_name') if key in info}
        data['lidar_path'] = self._path('pts', lidar['lidar_path'])
        data['num_pts_feats'] = lidar.get('num_pts_feats', 5)
        data['images'] = {camera: self._parse_image(camera, image) for camera, image in info.get('images', {}).items()}
        token = lidar.get('sample_data_token')
        if 'pts_semantic_mask_path' in info:
            # Without a folder, load_data_list adds the one of the info file's version.
            folder = self.data_prefix.get('pts_semantic_mask', '')
            data['pts_semantic_mask_path'] = osp.join(folder, info['pts_semantic_mask_path'])
            # Files of MMDetection3D lack the token, which names the label file.
            token = token or osp.basename(data['pts_semantic_mask_path']).split('_lidarseg')[0]
        if token:
            data['lidar_sample_data_token'] = token
        if self.earlier_sweeps:
            data['lidar_sweeps'] = [self._sweep_path(sweep) for sweep in info.get('lidar_sweeps', [])]
        return data

    def get_data_info(self, idx: int) -> dict:
        """Entry of a sample as the pipeline receives it."""
        data = super().get_data_info(idx)
        data['seg_label_mapping'], data['test_mode'] = self.seg_label_mapping, self.test_mode
        if self.test_mode and self.load_eval_anns:
            data['eval_ann_info'] = {}
        return data

    def prepare_data(self, idx: int) -> Optional[dict]:
        """Run the pipeline; None in training when the sample is damaged, for which another is drawn."""
        try:
            sample = super().prepare_data(idx)
        except CorruptDataError as error:
            if self.test_mode:
                raise
            self.damage.record(idx, error)
            return None
        self.damage.record_sound(idx)
        return sample

    def _parse_image(self, camera: str, image: dict) -> dict:
        keys = ('cam2img', 'lidar2cam', 'width', 'height', 'sample_data_token', 'timestamp')
        data = {key: image[key] for key in keys if key in image}
        data['img_path'] = self._path('img' if 'img' in self.data_prefix else camera, image['img_path'])
        if self.modality['use_camera'] and 'boxes_2d' in image:
            data['boxes_2d'] = image['boxes_2d']
        return data

    def _path(self, prefix: str, name: str) -> str:
        if prefix not in self.data_prefix:
            raise ValueError(
                f'data_prefix has no {prefix!r}, the folder of {name} below data_root={self.data_root!r}: add it, '
                f"or '' when files lie in data_root itself; it has {sorted(self.data_prefix)}"
            )
        return osp.join(self.data_prefix[prefix], name)

    def _sweep_path(self, sweep: dict) -> str:
        """Key frames lie with the others, whatever folder an info file names; so does MMDetection3D read them."""
        folder, name = osp.split(sweep['lidar_points']['lidar_path'])
        if 'samples' in folder.split('/'):
            return self._path('pts', name)
        return osp.join(self.data_prefix.get('sweeps', osp.join(self.data_root or '', 'sweeps/LIDAR_TOP')), name)

    def _derive_label_folder(self, version: Optional[str], data_list: list[dict]) -> None:
        labelled = [data for data in data_list if 'pts_semantic_mask_path' in data]
        if labelled and not version:
            raise ValueError(
                f"data_prefix has no 'pts_semantic_mask', and {self.ann_file} names no version to derive the folder "
                "of the labels from: add it, for instance 'lidarseg/v1.0-trainval'"
            )
        for data in labelled:
            folder = osp.join(self.data_root or '', 'lidarseg', version)
            data['pts_semantic_mask_path'] = osp.join(folder, data['pts_semantic_mask_path'])
