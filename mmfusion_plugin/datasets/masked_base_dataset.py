"""What datasets of images with masks share: rules for missing and damaged files, few-shot subsets, a count of all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from os import path as osp
from typing import Any, Optional, Sequence

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from .damage_tolerant import DamageTolerant

_MISSING_IMAGE = ('error', 'skip', 'keep')
_MISSING_MASK = ('error', 'skip', 'whole', 'keep')


class MaskedDataset(DamageTolerant, BaseDataset, ABC):
    """Images of one object each, with a mask of the object and a class.

    An entry has ``img_path``, ``mask_path`` (absent where there is no mask and the whole image is the object),
    ``gt_label`` (absent in unlabelled data), ``sample_idx``, and ``mask_rule`` where the mask's file needs one: what
    ``LoadImageAndMask`` is to take for foreground. What was left out is counted in ``left_out`` and logged.

    Args:
        missing_image: Of a sample whose image is not there: ``'error'``, ``'skip'`` it, or ``'keep'`` it without
            looking: it is an error when it is loaded.
        missing_mask: Of an image whose mask's file is not there: ``'error'``, ``'skip'`` it, ``'keep'`` it as above, or
            ``'whole'``: the whole image is the object, for which the pipeline needs
            ``LoadImageAndMask(missing='whole')``.
        few_shot: Keep so many samples of each class, chosen at random; None keeps all. The samples of a smaller number
            are among those of a larger one.
        few_shot_seed: Of the choice.
        max_corrupt_fraction: Share of the samples that training may skip as their files are damaged; in evaluation a
            damaged sample is an error that names the file.
        kwargs: Of ``mmengine.dataset.BaseDataset``.

    Attributes:
        left_out: Number of samples that are not in the dataset, by reason.
        damage: Account of the damaged samples.
    """

    REMEDY = 'complete the masks'

    def __init__(
        self,
        *,
        missing_image: str = 'error',
        missing_mask: str = 'error',
        few_shot: Optional[int] = None,
        few_shot_seed: int = 0,
        max_corrupt_fraction: float = 0.001,
        **kwargs: Any,
    ) -> None:
        if missing_image not in _MISSING_IMAGE:
            raise ValueError(f'missing_image must be one of {", ".join(_MISSING_IMAGE)}, got {missing_image!r}')
        if missing_mask not in _MISSING_MASK:
            raise ValueError(f'missing_mask must be one of {", ".join(_MISSING_MASK)}, got {missing_mask!r}')
        if few_shot is not None and few_shot < 1:
            raise ValueError(f'few_shot must be at least 1, or None for all samples, got {few_shot}')
        self.missing_image, self.missing_mask = missing_image, missing_mask
        self.few_shot, self.few_shot_seed = few_shot, few_shot_seed
        self.max_corrupt_fraction = max_corrupt_fraction
        self.left_out: Counter[str] = Counter()
        super().__init__(**kwargs)

    @abstractmethod
    def find_samples(self) -> tuple[Sequence[str], list[dict]]:
        """Names of the classes, and the entries of all samples of the split, to be given by each dataset.

        The files that entries name are looked for afterwards.
        """

    def load_data_list(self) -> list[dict]:
        """Entries of the samples that are kept.

        Raises:
            FileNotFoundError: An image or a mask is missing, with ``missing_image='error'``, ``missing_mask='error'``.
            ValueError: No sample is left, or a class has fewer than ``few_shot``.
        """
        self.left_out.clear()
        classes, entries = self.find_samples()
        self._metainfo['classes'] = tuple(classes)
        entries = self._with_masks(self._with_images(entries))
        if not entries:
            raise ValueError(f'{self._source()} has no sample to use; left out: {dict(self.left_out) or "none"}')
        if self.few_shot is not None:
            entries = self._few(entries, tuple(classes))
        without = sum('mask_path' not in entry for entry in entries)
        lines = [f'{len(entries)} samples of {len(classes)} classes']
        lines += [f'{without} without a mask'] if without else []
        lines += [f'{count} left out: {reason}' for reason, count in self.left_out.items()]
        print_log(f'{type(self).__name__} {self._source()}: ' + '; '.join(lines), 'current')
        return entries

    def get_cat_ids(self, idx: int) -> list[int]:
        """Class of a sample in a list, for samplers and wrappers that balance classes."""
        return [int(self.get_data_info(idx)['gt_label'])]

    def _with_images(self, entries: list[dict]) -> list[dict]:
        if self.missing_image == 'keep':
            return entries
        missing = [entry['img_path'] for entry in entries if not osp.isfile(entry['img_path'])]
        if missing and self.missing_image == 'error':
            raise FileNotFoundError(
                f'{len(missing)} of {len(entries)} images that {self._source()} names are not there, the first being '
                f"{missing[0]}: correct their names or data_root={self.data_root!r}, or set missing_image='skip'"
            )
        if missing:
            self.left_out['the image is missing'] = len(missing)
        lost = set(missing)
        return [entry for entry in entries if entry['img_path'] not in lost]

    def _with_masks(self, entries: list[dict]) -> list[dict]:
        if self.missing_mask == 'keep':
            return entries
        missing = [entry for entry in entries if 'mask_path' in entry and not osp.isfile(entry['mask_path'])]
        if missing and self.missing_mask == 'error':
            raise FileNotFoundError(
                f'{len(missing)} of {len(entries)} masks are not there, the first being {missing[0]["mask_path"]} of '
                f"{missing[0]['img_path']}: {self.REMEDY}, or set missing_mask='skip' or 'whole'"
            )
        lost = {id(entry) for entry in missing}
        if self.missing_mask == 'skip':
            self.left_out['the mask is missing'] += len(missing)
            self.left_out += Counter()  # drops what is zero
            return [entry for entry in entries if id(entry) not in lost]
        bare = ('mask_path', 'mask_rule')
        return [{k: v for k, v in entry.items() if k not in bare} if id(entry) in lost else entry for entry in entries]

    def _few(self, entries: list[dict], classes: Sequence[str]) -> list[dict]:
        """So many of each class, in their old order."""
        if any('gt_label' not in entry for entry in entries):
            raise ValueError(f'few_shot={self.few_shot} needs labels, which {self._source()} has not: name its trait')
        labels = np.array([entry['gt_label'] for entry in entries])
        kept: list[int] = []
        for label, name in enumerate(classes):
            members = np.flatnonzero(labels == label)
            if len(members) < self.few_shot:
                raise ValueError(
                    f'{self._source()} has {len(members)} samples of class {name!r}, fewer than few_shot='
                    f'{self.few_shot}: choose a smaller number'
                )
            order = np.random.default_rng([self.few_shot_seed, label]).permutation(len(members))
            kept += members[order[: self.few_shot]].tolist()
        self.left_out['few_shot keeps others'] = len(entries) - len(kept)
        return [entries[place] for place in sorted(kept)]

    def _source(self) -> str:
        """Where the samples come from, for messages."""
        return str(self.ann_file or self.data_root)
