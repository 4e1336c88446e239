"""Datasets and their transforms, registered in MMDetection3D's registries."""

from . import transforms  # noqa: F401  (registration is its side effect)
from .damage import CorruptDataError, TooManyCorruptSamples
from .distinct_sampler import DistinctInfiniteSampler
from .info_files import load_info_file
from .masked_image_dataset import MaskedImageDataset
from .masked_public_datasets import MaskedCUB, MaskedFlowers102, MaskedOxfordPets
from .masked_voc_dataset import MaskedVOC
from .nuscenes_lidarseg_dataset import NuScenesLidarSegDataset
from .pix3d_dataset import Pix3DDataset
from .safe_pickle import UnsafePickleError
from .scannet_rgbd_dataset import ScanNetRGBDDataset
from .scannet_view_dataset import ScanNetViewDataset
from .shapenet_dataset import ShapeNetR2N2Dataset
from .sweep_files import read_labels, read_sweep
from .wrapped import innermost_dataset_cfgs

__all__ = [
    'CorruptDataError',
    'DistinctInfiniteSampler',
    'MaskedCUB',
    'MaskedFlowers102',
    'MaskedImageDataset',
    'MaskedOxfordPets',
    'MaskedVOC',
    'NuScenesLidarSegDataset',
    'Pix3DDataset',
    'ScanNetRGBDDataset',
    'ScanNetViewDataset',
    'ShapeNetR2N2Dataset',
    'TooManyCorruptSamples',
    'UnsafePickleError',
    'innermost_dataset_cfgs',
    'load_info_file',
    'read_labels',
    'read_sweep',
]
