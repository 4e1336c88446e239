"""Loading an image and the mask of what it shows."""

from __future__ import annotations

from typing import Any, Optional

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..damage import CorruptDataError, read_bytes
from ..mask_files import check_mask_rule, read_mask
from ..tally import Tally, sample_name
from .loading import check_jpeg_ends


@TRANSFORMS.register_module()
class LoadImageAndMask(BaseTransform):
    """Load ``img_path`` and ``mask_path``. An ``img`` or ``mask`` that is already there stays.

    Samples without a sound mask are errors unless a rule says otherwise; each use of a rule is counted, logged at the
    1st, 10th, 100th, ... time, and noted in ``mask_state``.

    Args:
        missing: Of a mask that is not named or not there: ``'error'``, or ``'whole'``: all of the image is foreground.
        mis_sized: Of a mask with another size than the image: ``'error'``, or ``'resize'`` to the image's size, each
            pixel taking the nearest one of the mask.
        empty: Of a mask without foreground: ``'keep'`` it (no points come of it), ``'whole'`` or ``'error'``.
        mask_rule: What is foreground in the file, see :func:`~mmfusion_plugin.datasets.mask_files.read_mask`; a
            sample's own ``mask_rule`` comes first.
        backend_args: File backend of mmengine.
    """

    def __init__(
        self,
        missing: str = 'error',
        mis_sized: str = 'error',
        empty: str = 'keep',
        mask_rule: Optional[dict[str, Any]] = None,
        backend_args: Optional[dict[str, Any]] = None,
    ) -> None:
        for name, value, known in (
            ('missing', missing, ('error', 'whole')),
            ('mis_sized', mis_sized, ('error', 'resize')),
            ('empty', empty, ('keep', 'whole', 'error')),
        ):
            if value not in known:
                raise ValueError(f'{name} must be one of {", ".join(known)}, got {value!r}')
        check_mask_rule(mask_rule or {})
        self.missing, self.mis_sized, self.empty = missing, mis_sized, empty
        self.mask_rule, self.backend_args = mask_rule or {}, backend_args
        self.tally = Tally()

    def transform(self, results: dict) -> dict:
        """Add ``img`` ``(H, W, 3)`` uint8 BGR, ``ori_shape``, ``img_shape``, ``mask`` ``(H, W)`` uint8 (1: foreground,
        0: background) and ``mask_state``: ``'given'``, ``'missing'``, ``'resized'`` or ``'empty'``.

        Raises:
            CorruptDataError: A file is missing or damaged, or a mask breaks a rule that is ``'error'``.
        """
        if 'img' not in results:
            results['img'] = self._image(results['img_path'])
        shape = results['img'].shape[:2]
        results.setdefault('ori_shape', shape)
        results['img_shape'] = shape
        mask, state = self._mask(results)
        if mask.shape != shape:
            mask, state = self._resized(mask, shape, results), 'resized'
        if not mask.any():
            mask, state = self._empty(mask, results), 'empty'
        results['mask'], results['mask_state'] = mask, state
        return results

    def _image(self, path: str) -> np.ndarray:
        content = read_bytes(path, self.backend_args)
        check_jpeg_ends(content, path)
        image = mmcv.imfrombytes(content, flag='color', backend='cv2')
        if image is None:
            raise CorruptDataError(f'{path} is not a readable image ({len(content)} bytes), unpack it again')
        return image

    def _mask(self, results: dict) -> tuple[np.ndarray, str]:
        path = results.get('mask_path')
        if 'mask' in results:
            return (np.asarray(results['mask']) != 0).astype(np.uint8), 'given'
        if path is not None:
            try:
                rule = results.get('mask_rule') or self.mask_rule
                return read_mask(path, backend_args=self.backend_args, **rule), 'given'
            except CorruptDataError as error:
                if self.missing == 'error' or not isinstance(error.__cause__, FileNotFoundError):
                    raise
        if self.missing == 'error':
            raise CorruptDataError(f"{sample_name(results)} has no mask_path: name its mask, or set missing='whole'")
        self.tally.add('masks are missing: the whole image is foreground', sample_name(results))
        return np.ones(results['img'].shape[:2], np.uint8), 'missing'

    def _resized(self, mask: np.ndarray, shape: tuple[int, int], results: dict) -> np.ndarray:
        sizes = f'{mask.shape[1]}x{mask.shape[0]}, not {shape[1]}x{shape[0]} as its image'
        if self.mis_sized == 'error':
            path, image = results.get('mask_path'), sample_name(results)
            raise CorruptDataError(f"mask {path} is {sizes} {image}: make it anew, or set mis_sized='resize'")
        self.tally.add('masks have another size than their image and are resized', sample_name(results))
        return mmcv.imresize(mask, shape[::-1], interpolation='nearest')

    def _empty(self, mask: np.ndarray, results: dict) -> np.ndarray:
        if self.empty == 'error':
            raise CorruptDataError(
                f'mask {results.get("mask_path")} has no foreground: make it anew, set mask_rule to what is foreground '
                "in it, or set empty='keep' or 'whole'"
            )
        rule = 'kept' if self.empty == 'keep' else 'taken for the whole image'
        self.tally.add(f'masks have no foreground and are {rule}', sample_name(results))
        return mask if self.empty == 'keep' else np.ones_like(mask)
