"""What inferencers of single images share: a model, and the test pipeline of its config."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Type, Union

import cv2
import numpy as np
import torch
from mmdet3d.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import nn

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.wrapped import innermost_dataset_cfgs
from mmfusion_plugin.engine.config_files import build_model, config_faults, read_config_file

from .device import choose_device
from .weights import load_weights


class ImageInferencer:
    """A trained model of images, and the transforms that lead to it.

    Args:
        config: Path of a config whose ``test_dataloader`` ends in ``PACKER``, or such a config.
        checkpoint: Path or URL of the weights, read without running any code in it.
        device: 'cpu', 'cuda', 'cuda:1', ... None takes CUDA where there is one.
        kind: Class that the model must be of.

    Attributes:
        steps: Configs of the test pipeline's transforms.
        meta: What the checkpoint says about its training's data, for example ``classes``.

    Raises:
        FileNotFoundError: Config or checkpoint do not exist.
        ValueError: There is no checkpoint, it is of another model, the config is for something else, or there is no
            such device.
    """

    #: The transform that pipelines must end in.
    PACKER = 'PackImageInputs'
    #: Transforms that are left out, as images come as arrays; LoadImageAndMask lets those be.
    READERS = ('LoadImageFromFile',)

    def __init__(
        self,
        config: Union[str, Path, Config],
        checkpoint: Union[str, Path, None],
        device: Optional[str] = None,
        kind: Type[nn.Module] = nn.Module,
    ) -> None:
        cfg = deepcopy(config) if isinstance(config, Config) else read_config_file(config)
        self.name = str(cfg.filename or 'the config')
        if checkpoint is None:
            raise ValueError('a checkpoint is needed, as random weights would give random results: train one with '
                             f'tools/train.py {self.name} and name it')  # fmt: skip
        init_default_scope(cfg.get('default_scope', 'mmdet3d'))
        self.dataset_cfg, self.steps = _test_data(cfg, self.name, self.PACKER)
        model = build_model(cfg)
        if not isinstance(model, kind):
            raise ValueError(f'{self.name} is the config of a {type(model).__name__}: need one of a {kind.__name__}')
        content = load_weights(model, checkpoint, self.name)
        self.meta: Dict[str, Any] = dict((content.get('meta') or {}).get('dataset_meta') or {})
        self.device = choose_device(device)
        self.model = revert_sync_batchnorm(model).to(self.device).eval()
        with config_faults(f'the pipeline of test_dataloader in {self.name} cannot be built'):
            self._transform = Compose([step for step in self.steps[:-1] if step_name(step) not in self.READERS])
            self._pack = TRANSFORMS.build(self.steps[-1])

    def transform(
        self, image: np.ndarray, mask: Optional[np.ndarray] = None, name: str = '', **more: Any
    ) -> Dict[str, Any]:
        """Run the test pipeline up to its last step, the packer.

        Args:
            image: ``(H, W, 3)`` uint8 BGR, as mmcv loads it.
            mask: ``(H, W)``, 0 being background; None is all foreground.
            name: For messages.
            more: Further entries of ``results``.

        Returns:
            The pipeline's ``results``. ``sample_idx`` is 0, so that what is drawn at random depends on neither the
            place of a file nor its neighbours.

        Raises:
            TypeError: The image is not uint8.
            CorruptDataError: The image is too slim to be resized as the pipeline says.
            ValueError: A shape is wrong, or the pipeline drops the image.
        """
        check_image(image, mask, name)
        shape = image.shape[:2]
        full = np.ones(shape, np.uint8) if mask is None else (mask != 0).astype(np.uint8)
        sample = {'img': image, 'mask': full, 'img_path': name, 'sample_idx': 0, 'ori_shape': shape, 'img_shape': shape}
        try:
            results = self._transform({**sample, **more})
        except cv2.error as error:  # a side of no pixel
            raise CorruptDataError(f'{name or "the image"}, of {shape[1]}x{shape[0]} pixels, cannot pass the test '
                                   f'pipeline of {self.name} ({error.err})') from error  # fmt: skip
        if results is None:
            raise ValueError(f'the test pipeline of {self.name} dropped {name or "the image"}: it must keep every one')
        return results

    def pack(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """A sample as the model takes it, of what :meth:`transform` returned."""
        return self._pack(results)

    @torch.no_grad()
    def predict(self, samples: Sequence[Dict[str, Any]]) -> List[Any]:
        """The model's data samples for packed samples whose images are of one size."""
        return list(self.model.test_step(pseudo_collate(list(samples))))


def step_name(step: Dict[str, Any]) -> str:
    """Name of a transform, with the scope (``'mmpretrain.Resize'``) left out."""
    return str(step.get('type')).split('.')[-1]


def check_image(image: np.ndarray, mask: Optional[np.ndarray] = None, name: str = '') -> None:
    """Check an image and its mask.

    Raises:
        TypeError: The image is not uint8.
        ValueError: A shape is wrong.
    """
    what = name or 'the image'
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f'{what} must be (H, W, 3) with a pixel at least, got {image.shape}')
    if image.dtype != np.uint8:
        raise TypeError(f'{what} must be uint8, got {image.dtype}')
    if mask is not None and mask.shape != image.shape[:2]:
        raise ValueError(f'the mask of {what} must be {image.shape[:2]} as the image, got {mask.shape}')


def _test_data(cfg: Config, name: str, packer: str) -> tuple[Dict[str, Any], List[Dict[str, Any]]]:
    """Config of the dataset and of its transforms."""
    loader = cfg.get('test_dataloader')
    dataset = innermost_dataset_cfgs(loader['dataset'])[0] if loader and 'dataset' in loader else {}
    steps = [dict(step) for step in dataset.get('pipeline', [])]
    if not steps or step_name(steps[-1]) != packer:
        last = f'ends in {step_name(steps[-1])}' if steps else 'is missing'
        raise ValueError(f'the pipeline of test_dataloader in {name} {last}: need a config of single images, whose '
                         f'pipeline ends in {packer}')  # fmt: skip
    return dict(dataset), steps
