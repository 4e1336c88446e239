"""Depth beside an image: what SIM-Net's paper leaves open is to take it in the place of brightness."""

from __future__ import annotations

import io
from typing import Any, Optional

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..damage import CorruptDataError, read_bytes
from ..tally import sample_name
from .followed_flips import check_unmoved


@TRANSFORMS.register_module()
class LoadDepthMap(BaseTransform):
    """Load the depth of each pixel of ``img`` from ``depth_path``: ``.npy``, or an image of one channel (16-bit PNG,
    floating TIFF, EXR where OpenCV reads it), as any monocular estimator writes it.

    It belongs right behind the loading of the image: the file lies as the photograph does, and what flips, crops or
    turns the image later takes the map along (``TransformImageAndMask``, ``CropToMask``).

    Args:
        scale: Values of the file are multiplied by it, for example 0.001 for millimetres.
        resize: Stretch a map of another size to the image's by linear interpolation, as estimators work on small
            images; False makes it an error.
        backend_args: File backend of mmengine.
    """

    def __init__(self, scale: float = 1.0, resize: bool = True, backend_args: Optional[dict[str, Any]] = None) -> None:
        self.scale, self.resize, self.backend_args = scale, resize, backend_args

    def transform(self, results: dict) -> dict:
        """Add ``depth_map`` ``(H, W)`` float32.

        Raises:
            CorruptDataError: The file is missing or damaged, has several channels, or another size.
            KeyError: The sample names no ``depth_path``.
            ValueError: The image was flipped or cropped before.
        """
        check_unmoved(results, 'LoadDepthMap')
        if 'depth_path' not in results:
            raise KeyError(f'{sample_name(results)} has no depth_path: let the dataset name one for each image')
        path, shape = results['depth_path'], results['img'].shape[:2]
        depth = self._read(path)
        if depth.ndim != 2 or not depth.size or depth.dtype.kind not in 'uif':
            raise CorruptDataError(f'{path} must hold one number for each pixel, got {depth.dtype} {depth.shape}')
        depth = depth.astype(np.float32) * np.float32(self.scale)
        if depth.shape != shape:
            if not self.resize:
                raise CorruptDataError(f'{path} is {depth.shape}, not {shape} as its image: set resize=True')
            depth = mmcv.imresize(depth, shape[::-1], interpolation='bilinear')
        results['depth_map'] = depth
        return results

    def _read(self, path: str) -> np.ndarray:
        content = read_bytes(path, self.backend_args)
        if not path.lower().endswith('.npy'):
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
            if image is None:
                raise CorruptDataError(f'{path} is no readable image ({len(content)} bytes)')
            return image
        try:
            return np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise CorruptDataError(f'{path} is no complete array file ({error})') from error
