"""PASCAL VOC 2012 as a dataset of one object an image: by a rule for images, or object by object."""

from __future__ import annotations

from os import path as osp
from typing import Any, Iterator, Optional, Sequence

import numpy as np
from mmdet3d.registry import DATASETS
from PIL import Image
from tqdm import tqdm

from .damage import CorruptDataError
from .masked_base_dataset import MaskedDataset

#: Index 1 to 20 of the segmentation's palette; 0 is background.
CLASSES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow', 'diningtable', 'dog',
    'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
#: Index of the seam around objects and of what is unclear.
VOID = 255
_ANY_CLASS = {'background': [0, VOID]}


@DATASETS.register_module()
class MaskedVOC(MaskedDataset):
    """PASCAL VOC 2012's segmentation images with a single label each. The rule is this package's: the images have many.

    With ``per='image'`` a sample is an image whose ``SegmentationClass`` holds exactly one class besides background and
    void, its mask all that is of this class; the others are left out and counted. With ``per='object'`` each object of
    ``SegmentationObject`` is a sample, its class the one that most of its pixels have; ``CropToMask`` in the pipeline
    cuts it out. Void is background in both.

    Args:
        data_root: ``VOCdevkit/VOC2012``, with ``JPEGImages``, ``SegmentationClass``, ``SegmentationObject`` and
            ``ImageSets/Segmentation``.
        split: ``'train'``, ``'val'`` or ``'trainval'``.
        per: ``'image'`` or ``'object'``.
        min_pixels: Objects (or, with ``per='image'``, masks) of fewer pixels are left out and counted.
        kwargs: Of :class:`MaskedDataset`.
    """

    REMEDY = 'unpack VOCtrainval_11-May-2012.tar, which holds SegmentationClass and SegmentationObject'

    def __init__(
        self, data_root: str, split: str = 'train', per: str = 'image', min_pixels: int = 1, **kwargs: Any
    ) -> None:
        if per not in ('image', 'object'):
            raise ValueError(f"per must be 'image' or 'object', got {per!r}")
        self.split, self.per, self.min_pixels = split, per, min_pixels
        super().__init__(data_root=data_root, ann_file=f'ImageSets/Segmentation/{split}.txt', **kwargs)

    def find_samples(self) -> tuple[Sequence[str], list[dict]]:
        """Entries of the images or objects that fit the rule; reads all segmentations.

        Raises:
            FileNotFoundError: The list of the split is missing.
            CorruptDataError: A segmentation is damaged or has no palette.
        """
        if not osp.isfile(self.ann_file):
            raise FileNotFoundError(
                f'{self.ann_file} is missing: {self.REMEDY}; data_root={self.data_root!r} is the folder VOC2012, the '
                "splits are 'train', 'val' and 'trainval'"
            )
        with open(self.ann_file, encoding='utf-8') as file:
            names = file.read().split()
        bar = tqdm(names, unit='image', desc='Reading segmentations', disable=len(names) < 200)
        return CLASSES, [entry for name in bar for entry in self._entries(name)]

    def _entries(self, name: str) -> Iterator[dict]:
        folder = 'SegmentationClass' if self.per == 'image' else 'SegmentationObject'
        entry = {'img_path': osp.join(self.data_root, 'JPEGImages', f'{name}.jpg'),
                 'mask_path': osp.join(self.data_root, folder, f'{name}.png')}  # fmt: skip
        classes = self._segmentation('SegmentationClass', name)
        if classes is None:  # whether that is an error is said by missing_mask, but there is no label to give
            if self.missing_mask in ('error', 'keep'):
                path = osp.join(self.data_root, 'SegmentationClass', f'{name}.png')
                yield {**entry, 'mask_path': path, 'mask_rule': _ANY_CLASS}
            else:
                self.left_out['no SegmentationClass, so no label'] += 1
            return
        if self.per == 'image':
            yield from self._single(entry, classes)
        else:
            yield from self._objects(entry, classes, name)

    def _single(self, entry: dict, classes: np.ndarray) -> Iterator[dict]:
        counts = np.bincount(classes.ravel(), minlength=VOID + 1)
        found = [label for label in range(len(CLASSES)) if counts[label + 1]]
        if len(found) != 1:
            self.left_out['several classes in the image' if found else 'no class in the image'] += 1
        elif counts[found[0] + 1] < self.min_pixels:
            self.left_out[f'fewer than {self.min_pixels} pixels'] += 1
        else:
            yield {**entry, 'mask_rule': {'values': [found[0] + 1]}, 'gt_label': found[0]}

    def _objects(self, entry: dict, classes: np.ndarray, name: str) -> Iterator[dict]:
        objects = self._segmentation('SegmentationObject', name)
        if objects is None:
            if self.missing_mask in ('error', 'keep'):
                yield {**entry, 'mask_rule': _ANY_CLASS}
            else:
                self.left_out['no SegmentationObject, so no objects'] += 1
            return
        if objects.shape != classes.shape:
            raise CorruptDataError(
                f'{entry["mask_path"]} is {objects.shape}, but SegmentationClass {classes.shape}: {self.REMEDY} again'
            )
        for number in np.setdiff1d(np.unique(objects), [0, VOID]).tolist():
            votes = np.bincount(classes[objects == number], minlength=VOID + 1)
            if votes.sum() < self.min_pixels:
                self.left_out[f'fewer than {self.min_pixels} pixels'] += 1
            elif not votes[1 : len(CLASSES) + 1].any():
                self.left_out['objects without a class'] += 1
            else:
                label = int(votes[1 : len(CLASSES) + 1].argmax())
                yield {**entry, 'mask_rule': {'values': [number]}, 'gt_label': label}

    def _segmentation(self, folder: str, name: str) -> Optional[np.ndarray]:
        """``(H, W)`` uint8 indices of the palette; None when there is no file, or none but one to keep unseen."""
        path = osp.join(self.data_root, folder, f'{name}.png')
        try:
            return _indices(path)
        except FileNotFoundError:
            return None
        except CorruptDataError as error:
            if self.missing_mask == 'keep':
                return None
            raise CorruptDataError(f'{error}: {self.REMEDY} again') from error


def _indices(path: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            if image.mode not in ('P', 'L'):
                raise CorruptDataError(f'{path} has colours ({image.mode}), not the indices of a palette')
            return np.asarray(image)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:
        raise CorruptDataError(f'{path} is no complete image ({error})') from error
