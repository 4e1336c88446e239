"""What the segmentation datasets of this package share: safe info files, and damaged samples that are counted."""

from __future__ import annotations

from os import path as osp
from typing import Any, Callable, Optional, Sequence, Union

import numpy as np
from mmdet3d.datasets import Seg3DDataset

from .damage_tolerant import DamageTolerant
from .info_files import load_info_file


class DamageTolerantSegDataset(DamageTolerant, Seg3DDataset):
    """``Seg3DDataset`` that skips damaged samples in training, see :class:`DamageTolerant`.

    Args:
        data_root: Root of the data.
        ann_file: Info file, relative to ``data_root``.
        data_prefix: Folders of the files, relative to ``data_root``.
        pipeline: Transforms.
        metainfo: ``dict(classes=[...])`` to train on some of the classes; the others are ignored.
        modality: As in ``Seg3DDataset``.
        test_mode: Evaluation: no sample is ever skipped, and ``eval_ann_info`` carries the labels where there are any.
        serialize_data: Keep the entries as one block of bytes that data loading workers share.
        max_corrupt_fraction: Share of the samples that training may skip.
        kwargs: Further arguments of ``mmdet3d.datasets.Seg3DDataset``.

    Attributes:
        RAW_TO_CLASS: Class 0..C-1, or C (ignored), of each id in the label files.
    """

    RAW_TO_CLASS: Sequence[int] = ()

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
        **kwargs: Any,
    ) -> None:
        self.max_corrupt_fraction = max_corrupt_fraction
        lazy = kwargs.get('lazy_init', False)
        # Seg3DDataset indexes data_list after loading, which serialising during loading would have emptied.
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            data_prefix=dict(data_prefix or {}),
            pipeline=list(pipeline),
            metainfo={'classes': self.METAINFO['classes'], **(metainfo or {})},
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

    def get_label_mapping(self, new_classes: Optional[Sequence[str]] = None) -> tuple[dict, dict, list[int]]:
        """Mapping from ids in files to the classes in use, their names, and the classes' positions among all.

        Raises:
            ValueError: A class is none of the dataset's.
        """
        known = list(self.METAINFO['classes'])
        classes = list(known if new_classes is None else new_classes)
        strangers = sorted(set(classes) - set(known))
        if strangers:
            raise ValueError(f'classes {strangers} are not among those of {type(self).__name__}: {", ".join(known)}')
        position = {known.index(name): number for number, name in enumerate(classes)}
        mapping = {raw: position.get(label, self.ignore_index) for raw, label in enumerate(self.RAW_TO_CLASS)}
        return mapping, dict(enumerate(classes)), [known.index(name) for name in classes]

    def get_seg_label_mapping(self, metainfo: Optional[dict] = None) -> np.ndarray:
        """``(len(RAW_TO_CLASS),)`` int64 class, or ``ignore_index``, of each id in files."""
        return np.array([self.label_mapping[raw] for raw in range(len(self.RAW_TO_CLASS))], dtype=np.int64)

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file``; pickles pass through the restricted reader."""
        metainfo, data_list = load_info_file(self.ann_file, self.parse_data_info, self.backend_args)
        for key, value in metainfo.items():
            self._metainfo.setdefault(key, value)
        return data_list

    def get_data_info(self, idx: int) -> dict:
        """Entry of a sample as the pipeline receives it."""
        data = super().get_data_info(idx)
        data['seg_label_mapping'], data['test_mode'] = self.seg_label_mapping, self.test_mode
        if self.test_mode and self.load_eval_anns:
            data['eval_ann_info'] = {}
        return data

    def _path(self, prefix: str, name: str) -> str:
        """A file below the folder of ``data_prefix``."""
        if prefix not in self.data_prefix:
            raise ValueError(
                f'data_prefix has no {prefix!r}, the folder of {name} below data_root={self.data_root!r}: add it, '
                f"or '' when files lie in data_root itself; it has {sorted(self.data_prefix)}"
            )
        return osp.join(self.data_prefix[prefix], name)
