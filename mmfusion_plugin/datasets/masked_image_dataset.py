"""Images with masks in a folder for each class, or listed in a CSV table."""

from __future__ import annotations

import os
from os import path as osp
from pathlib import PurePath
from typing import Any, Optional, Sequence

from mmdet3d.registry import DATASETS

from .csv_tables import read_table, whole_numbers
from .depth_files import add_depth_paths
from .masked_base_dataset import MaskedDataset

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


@DATASETS.register_module()
class MaskedImageDataset(MaskedDataset):
    """Images and masks in two trees, or in one with other endings; a mask is named as its image, but for its ending.

    Without ``ann_file`` each folder of the images is a class. With it, a table with a header lists ``file`` (below the
    images) and, at will, ``mask`` (below ``mask_root``), ``split``, and columns of traits, one of which is the class:

    - 0 and 1 alone are a binary trait, as of herbarium sheets: the classes are ``no <trait>`` and ``<trait>``. In
      columns of whole numbers, 1.0 is 1;
    - anything else is the name of a class; the classes are the names in the whole table, sorted, whatever the split;
    - ``metainfo=dict(classes=[...])`` gives the classes; then a number is a position among them, a word a name.

    Rows whose cell is empty have not been looked at by anyone: they are left out and counted.

    Args:
        data_root: Root of the data.
        ann_file: The table, relative to ``data_root``; '' for a folder for each class.
        data_prefix: ``dict(img_path=...)``: folder of the images, relative to ``data_root``.
        mask_root: Folder of the masks, relative to ``data_root``; None for images without masks.
        mask_suffix: What stands in a mask's name instead of the image's extension: ``'.png'``, ``'_mask.png'``.
        trait: Column of the table that is the class; None for unlabelled data.
        split: Rows to keep, by the column ``split``; None keeps all.
        mask_rule: What is foreground in the masks, see ``LoadImageAndMask``; None is its own rule.
        depth_root: Folder of depth maps for ``LoadDepthMap``, relative to ``data_root``: one of each image, of its name
            but for the ending (``.npy``, ``.png``, ``.tif``, ``.tiff``, ``.exr``); None for none.
        kwargs: Of :class:`MaskedDataset`.
    """

    REMEDY = 'make them (tools/make_masks.py), correct mask_root or mask_suffix'

    def __init__(
        self,
        data_root: str = '',
        ann_file: str = '',
        data_prefix: Optional[dict] = None,
        mask_root: Optional[str] = 'masks',
        mask_suffix: str = '.png',
        trait: Optional[str] = None,
        split: Optional[str] = None,
        mask_rule: Optional[dict[str, Any]] = None,
        depth_root: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        if not ann_file and (trait or split):
            raise ValueError(f'trait={trait!r} and split={split!r} are columns of a table: name it in ann_file')
        self.mask_suffix, self.trait, self.split, self.mask_rule = mask_suffix, trait, split, mask_rule
        prefix = {'img_path': 'images', **(data_prefix or {})}
        if mask_root is not None:
            prefix['mask_path'] = mask_root
        if depth_root is not None:
            prefix['depth_path'] = depth_root
        super().__init__(data_root=data_root, ann_file=ann_file, data_prefix=prefix, **kwargs)

    def find_samples(self) -> tuple[Sequence[str], list[dict]]:
        """Classes and entries from the table or the folders.

        Raises:
            FileNotFoundError: There is no table, no folder of images, or an image has no depth map.
            ValueError: The table is not in UTF-8 or lacks a column, or a cell is none of the classes.
        """
        if not osp.isdir(self.data_prefix['img_path']):
            raise FileNotFoundError(
                f'there is no folder {self.data_prefix["img_path"]} of images: correct data_root={self.data_root!r} or '
                "data_prefix=dict(img_path='...')"
            )
        classes, entries = self._from_table() if self.ann_file else self._from_folders()
        if 'depth_path' in self.data_prefix:
            add_depth_paths(entries, self.data_prefix['img_path'], self.data_prefix['depth_path'])
        return classes, entries

    def _entry(self, name: str, label: Optional[int], mask: Optional[str] = None) -> dict:
        entry: dict[str, Any] = {'img_path': osp.join(self.data_prefix['img_path'], name)}
        if label is not None:
            entry['gt_label'] = label
        if 'mask_path' in self.data_prefix:
            mask = mask or str(PurePath(name).with_suffix('')) + self.mask_suffix
            entry['mask_path'] = osp.join(self.data_prefix['mask_path'], mask)
            if self.mask_rule:
                entry['mask_rule'] = dict(self.mask_rule)
        return entry

    def _from_folders(self) -> tuple[Sequence[str], list[dict]]:
        root = self.data_prefix['img_path']
        found = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith('.'))
        classes = list(self._metainfo.get('classes', found))
        strangers = sorted(set(found) - set(classes))
        if strangers:
            self.left_out[f'folders of no class: {", ".join(strangers)}'] = sum(
                len(self._images(folder)) for folder in strangers
            )
        entries = [self._entry(name, label) for label, folder in enumerate(classes) for name in self._images(folder)]
        if not entries:
            raise ValueError(f'{root} has no folders with images ({", ".join(EXTENSIONS)}), one for each class')
        return classes, entries

    def _images(self, folder: str) -> list[str]:
        """Images of a class, relative to the root, sorted; not the masks that may lie beside them."""
        root = self.data_prefix['img_path']
        beside = self.data_prefix.get('mask_path') == root
        names = [
            osp.relpath(osp.join(where, name), root)
            for where, _, files in os.walk(osp.join(root, folder))
            for name in files
            if name.lower().endswith(EXTENSIONS) and not (beside and name.endswith(self.mask_suffix))
        ]
        return sorted(names)

    def _from_table(self) -> tuple[Sequence[str], list[dict]]:
        rows = self._rows()
        kept = [row for row in rows if self.split is None or row['split'] == self.split]
        if not kept:
            raise ValueError(f'{self.ann_file} has no row with split={self.split!r}, but '
                             f'{sorted({row.get("split") for row in rows}, key=str)}')  # fmt: skip
        if self.trait is None:
            return self._metainfo.get('classes', ()), [self._entry(row['file'], None, row.get('mask')) for row in kept]
        classes = self._classes([row[self.trait] for row in rows])
        known = [row for row in kept if row[self.trait]]
        if len(known) < len(kept):
            self.left_out[f'nothing in column {self.trait}'] = len(kept) - len(known)
        return classes, [
            self._entry(row['file'], self._label(row, classes), row.get('mask')) for row in known
        ]  # fmt: skip

    def _rows(self) -> list[dict[str, str]]:
        needed = ['file', *([self.trait] if self.trait else []), *(['split'] if self.split is not None else [])]
        rows = read_table(self.ann_file, needed)
        if self.trait:
            cells = [row[self.trait] for row in rows]
            if not set(cells) & set(self._metainfo.get('classes', ())):
                cells = whole_numbers(cells)
            for row, cell in zip(rows, cells):
                row[self.trait] = cell
        return rows

    def _classes(self, cells: Sequence[str]) -> list[str]:
        if 'classes' in self._metainfo:
            return list(self._metainfo['classes'])
        values = sorted(set(cells) - {''})
        return [f'no {self.trait}', str(self.trait)] if set(values) <= {'0', '1'} else values

    def _label(self, row: dict[str, str], classes: Sequence[str]) -> int:
        cell = row[self.trait]
        if cell in classes:
            return classes.index(cell)
        if cell.isdecimal() and int(cell) < len(classes):
            return int(cell)
        raise ValueError(f'{self.ann_file}: {cell!r} in column {self.trait!r} of {row["file"]} is none of the classes '
                         f'{", ".join(classes)}: correct the cell or metainfo')  # fmt: skip
