"""ScanNet for segmentation from points and the frames of their scan."""

from __future__ import annotations

from mmdet3d.registry import DATASETS

from ..converters.scannet_taxonomy import CLASSES, NYU40_IDS, NYU40_TO_CLASS, PALETTE
from .damage_tolerant_dataset import DamageTolerantSegDataset


@DATASETS.register_module()
class ScanNetRGBDDataset(DamageTolerantSegDataset):
    """Scans of ScanNet: 20 classes 0..19, ignored points 20.

    Reads the files of ``tools/create_data.py scannet``. A sample is a scan; its pipeline cuts a random chunk out of it
    (``RandomChunk``) or covers it with chunks (``CutIntoChunks``), chooses views (``SelectViews``) and opens them
    (``LoadViews``). Without these last two no image is opened.

    Entries have ``scan_id``, ``lidar_path``, ``num_points``, ``pts_semantic_mask_path`` (not in the test split),
    ``axis_align_matrix`` and ``rgbd``, whose ``path`` is the folder of the frames and whose ``frames`` are their
    original numbers.

    Args:
        args: Of :class:`DamageTolerantSegDataset`, with ``data_prefix`` for ``pts``, ``pts_semantic_mask`` and
            ``frames``.
        kwargs: The same.
    """

    METAINFO = {
        'classes': CLASSES,
        'palette': [list(colour) for colour in PALETTE],
        'seg_valid_class_ids': NYU40_IDS,
        'seg_all_class_ids': tuple(range(1, len(NYU40_TO_CLASS))),
    }
    RAW_TO_CLASS = NYU40_TO_CLASS

    def parse_data_info(self, info: dict) -> dict:
        """Keep what segmentation needs of an entry and complete its paths.

        Raises:
            KeyError: The entry is not one of ``tools/create_data.py scannet``.
            ValueError: ``data_prefix`` lacks the folder of a file.
        """
        missing = [key for key in ('scan_id', 'num_points', 'rgbd') if key not in info]
        if missing:
            raise KeyError(
                f'{self.ann_file}: sample {info.get("sample_idx")} has no {missing[0]}: generate the file with '
                'tools/create_data.py scannet'
            )
        data = {key: info[key] for key in ('sample_idx', 'scan_id', 'num_points', 'axis_align_matrix') if key in info}
        data['lidar_path'] = self._path('pts', info['lidar_points']['lidar_path'])
        data['rgbd'] = {**info['rgbd'], 'path': self._path('frames', info['rgbd']['path'])}
        if 'pts_semantic_mask_path' in info:
            data['pts_semantic_mask_path'] = self._path('pts_semantic_mask', info['pts_semantic_mask_path'])
        return data
