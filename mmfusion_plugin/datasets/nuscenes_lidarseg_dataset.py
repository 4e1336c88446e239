"""LiDAR segmentation on nuScenes with the cameras' view of each point."""

from __future__ import annotations

from os import path as osp
from typing import Any, Callable, Optional, Sequence, Union

from mmdet3d.registry import DATASETS

from ..converters.nuscenes_taxonomy import CLASSES, FINE_NAMES, FINE_TO_CLASS, PALETTE
from .damage_tolerant_dataset import DamageTolerantSegDataset


@DATASETS.register_module()
class NuScenesLidarSegDataset(DamageTolerantSegDataset):
    """nuScenes-lidarseg: 16 classes 0..15, ignored points 16.

    Reads the files of ``tools/create_data.py nuscenes`` and, without 2D boxes, MMDetection3D's own v2 files. Damaged
    sweeps, label files and images are dealt with as :class:`DamageTolerantSegDataset` says.

    Args:
        data_root: Root of the data.
        ann_file: Info file, relative to ``data_root``.
        data_prefix: Folders of the files, relative to ``data_root``: ``pts``, one per camera (``CAM_FRONT=...``) or
            ``img`` for all cameras, ``pts_semantic_mask`` (without it ``lidarseg/<version>``, with the version that
            the info file names), and ``sweeps`` (without it ``sweeps/LIDAR_TOP``).
        pipeline: Transforms.
        earlier_sweeps: Add ``lidar_sweeps``, the paths of the sweeps before the key frame, latest first.
        kwargs: Of :class:`DamageTolerantSegDataset`; of its ``modality``, ``use_camera`` adds the 2D boxes of the
            info file to the samples. Images are opened by the pipeline's ``LoadCameraImages`` alone.
    """

    METAINFO = {
        'classes': CLASSES,
        'palette': [list(colour) for colour in PALETTE],
        'seg_valid_class_ids': tuple(range(len(CLASSES))),
        'seg_all_class_ids': tuple(range(len(FINE_NAMES))),
    }
    RAW_TO_CLASS = FINE_TO_CLASS

    def __init__(
        self,
        data_root: Optional[str] = None,
        ann_file: str = '',
        data_prefix: Optional[dict] = None,
        pipeline: Sequence[Union[dict, Callable]] = (),
        earlier_sweeps: bool = False,
        **kwargs: Any,
    ) -> None:
        self.earlier_sweeps = earlier_sweeps
        super().__init__(data_root, ann_file, data_prefix, pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file``; pickles pass through the restricted reader.

        Raises:
            ValueError: The folder of the labels is neither in ``data_prefix`` nor follows from the info file.
        """
        data_list = super().load_data_list()
        if 'pts_semantic_mask' not in self.data_prefix:
            self._derive_label_folder(self._metainfo.get('version'), data_list)
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

    def _parse_image(self, camera: str, image: dict) -> dict:
        keys = ('cam2img', 'lidar2cam', 'width', 'height', 'sample_data_token', 'timestamp')
        data = {key: image[key] for key in keys if key in image}
        data['img_path'] = self._path('img' if 'img' in self.data_prefix else camera, image['img_path'])
        if self.modality['use_camera'] and 'boxes_2d' in image:
            data['boxes_2d'] = image['boxes_2d']
        return data

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
