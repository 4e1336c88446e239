"""The frames of ScanNet one by one, to train an image network."""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import DATASETS

from .scannet_rgbd_dataset import ScanNetRGBDDataset


@DATASETS.register_module()
class ScanNetViewDataset(ScanNetRGBDDataset):
    """Frames of the scans of :class:`ScanNetRGBDDataset`: each sample has one view, for ``LoadViews(geometry=False)``.

    Args:
        args: Of :class:`ScanNetRGBDDataset`.
        every: Take every so-manieth kept frame of each scan. Neighbouring frames of a video show almost the same.
        kwargs: Of :class:`ScanNetRGBDDataset`.
    """

    def __init__(self, *args: Any, every: int = 1, **kwargs: Any) -> None:
        if every < 1:
            raise ValueError(f'every must be at least 1, got {every}')
        self.every = every
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Scan and position of each frame: two numbers, as ScanNet has 2.5 million."""
        self._scans = super().load_data_list()
        return [{'scan': number, 'position': position} for number, scan in enumerate(self._scans)
                for position in range(0, len(scan['rgbd']['frames']), self.every)]

    def get_data_info(self, idx: int) -> dict:
        """Entry of a frame as the pipeline receives it, of its scan with this frame alone."""
        data = super().get_data_info(idx)
        scan, position = self._scans[data.pop('scan')], data.pop('position')
        rgbd = {**scan['rgbd'], 'frames': [scan['rgbd']['frames'][position]]}
        return {**data, 'scan_id': scan['scan_id'], 'rgbd': rgbd, 'views': [0]}
