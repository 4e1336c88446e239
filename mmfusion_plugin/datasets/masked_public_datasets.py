"""Oxford-IIIT Pet, CUB-200-2011 and Oxford Flowers-102 with masks; images and classes as MMPreTrain reads them."""

from __future__ import annotations

from os import path as osp
from typing import Any, Callable, Optional, Sequence

from mmdet3d.registry import DATASETS

from .masked_base_dataset import MaskedDataset


class _PublicMasked(MaskedDataset):
    """A dataset of MMPreTrain whose masks lie in a folder of their own.

    Args:
        data_root: Root of the dataset, as MMPreTrain describes it.
        split: Of MMPreTrain's dataset.
        mask_root: Folder of the masks, relative to ``data_root``.
        kwargs: Of :class:`MaskedDataset`.
    """

    SOURCE = ''

    def __init__(self, data_root: str, split: str, mask_root: str, **kwargs: Any) -> None:
        self.split = split
        super().__init__(data_root=data_root, data_prefix={'mask_path': mask_root}, **kwargs)

    def find_samples(self) -> tuple[Sequence[str], list[dict]]:
        """Images and labels of MMPreTrain's dataset, with the masks' files.

        Raises:
            ImportError: MMPreTrain is not installed.
            FileNotFoundError: A list of the dataset is missing.
            ValueError: MMPreTrain's dataset has no such split.
        """
        source = _mmpretrain(self.SOURCE)
        try:
            listed = source(data_root=self.data_root, split=self.split, serialize_data=False)
        except AssertionError as error:
            raise ValueError(f'{type(self).__name__}, data_root={self.data_root!r}: {error}') from error
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{error.filename or error} is missing: unpack {self.SOURCE} into data_root={self.data_root!r} as '
                f"MMPreTrain's {self.SOURCE} describes it"
            ) from error
        entries = [
            {'img_path': entry['img_path'], 'mask_path': self._mask(entry['img_path']),
             'mask_rule': self.mask_rule(), 'gt_label': int(entry['gt_label'])}
            for entry in listed.data_list
        ]  # fmt: skip
        return self._metainfo.get('classes') or self.class_names(listed), entries

    def class_names(self, listed: Any) -> Sequence[str]:
        """Names of the classes in MMPreTrain's dataset ``listed``."""
        return listed.metainfo['classes']

    def mask_name(self, img_path: str) -> str:
        """Name of an image's mask below ``mask_root``."""
        return osp.splitext(osp.basename(img_path))[0] + '.png'

    def mask_rule(self) -> dict[str, Any]:
        """What is foreground in the masks' files, for ``LoadImageAndMask``."""
        return {'threshold': 0}

    def _mask(self, img_path: str) -> str:
        return osp.join(self.data_prefix['mask_path'], self.mask_name(img_path))


def _mmpretrain(name: str) -> Callable[..., Any]:
    """A dataset of MMPreTrain, which the rest of this package does without."""
    try:
        from mmpretrain import datasets
    except ImportError as error:
        raise ImportError(f'{name} is read by MMPreTrain: pip install --no-deps "mmpretrain==1.2.0"') from error
    return getattr(datasets, name)


@DATASETS.register_module()
class MaskedOxfordPets(_PublicMasked):
    """Oxford-IIIT Pet: 37 breeds, masks from the trimaps (1 animal, 2 background, 3 border or unclear).

    Args:
        data_root: Holds ``images`` and ``annotations``, the two archives of the dataset.
        split: ``'trainval'`` or ``'test'``.
        border: Whether the trimap's border is ``'foreground'`` (whiskers and fur are in it) or ``'background'``.
        mask_root: Folder of the trimaps.
        kwargs: Of :class:`MaskedDataset`.
    """

    SOURCE = 'OxfordIIITPet'
    REMEDY = 'unpack annotations.tar.gz of Oxford-IIIT Pet, which holds annotations/trimaps'

    def __init__(
        self, data_root: str, split: str = 'trainval', border: str = 'foreground',
        mask_root: str = 'annotations/trimaps', **kwargs: Any,
    ) -> None:  # fmt: skip
        if border not in ('foreground', 'background'):
            raise ValueError(f"border must be 'foreground' or 'background', got {border!r}")
        self.border = border
        super().__init__(data_root, split, mask_root, **kwargs)

    def mask_rule(self) -> dict[str, Any]:
        """Values of the trimap."""
        return {'values': [1, 3] if self.border == 'foreground' else [1]}


@DATASETS.register_module()
class MaskedCUB(_PublicMasked):
    """CUB-200-2011: 200 birds, masks from the segmentations that come as an archive of their own.

    A segmentation's grey is the share of five annotators who drew the bird there.

    Args:
        data_root: ``CUB_200_2011``, with ``segmentations`` unpacked into it.
        split: ``'train'`` or ``'test'``.
        threshold: Grey values above it are foreground; 127 is what most annotators drew.
        mask_root: Folder of the segmentations.
        kwargs: Of :class:`MaskedDataset`.
    """

    SOURCE = 'CUB'
    REMEDY = "unpack segmentations.tgz of CUB-200-2011 into data_root, or set mask_root to where it is"

    def __init__(
        self, data_root: str, split: str = 'train', threshold: int = 127, mask_root: str = 'segmentations',
        **kwargs: Any,
    ) -> None:  # fmt: skip
        self.threshold = threshold
        super().__init__(data_root, split, mask_root, **kwargs)

    def mask_name(self, img_path: str) -> str:
        """Below the folder of the class, as images are."""
        return osp.join(osp.basename(osp.dirname(img_path)), super().mask_name(img_path))

    def mask_rule(self) -> dict[str, Any]:
        """Agreement of the annotators."""
        return {'threshold': self.threshold}


@DATASETS.register_module()
class MaskedFlowers102(_PublicMasked):
    """Oxford Flowers-102, masks from the segmented images (``segmim``), whose background is blue.

    The archive has no names of classes: they are those that torchvision knows, numbers where it is older than that.

    Args:
        data_root: Holds ``jpg``, ``imagelabels.mat``, ``setid.mat`` and ``segmim``.
        split: ``'train'``, ``'val'``, ``'trainval'`` or ``'test'``.
        background: Red, green and blue of the background.
        tolerance: A pixel is foreground where a channel differs from it by more; JPEG blurs the edge.
        mask_root: Folder of the segmented images.
        kwargs: Of :class:`MaskedDataset`.
    """

    SOURCE = 'Flowers102'
    REMEDY = 'unpack 102segmentations.tgz of Oxford Flowers-102, which holds segmim, into data_root'

    def __init__(
        self, data_root: str, split: str = 'trainval', background: Sequence[int] = (0, 0, 254), tolerance: int = 64,
        mask_root: str = 'segmim', **kwargs: Any,
    ) -> None:  # fmt: skip
        self.background, self.tolerance = tuple(background), tolerance
        super().__init__(data_root, split, mask_root, **kwargs)

    def class_names(self, listed: Any) -> Sequence[str]:
        """The archive's labels in words, where there are any."""
        from torchvision import datasets

        names: Optional[Sequence[str]] = getattr(datasets.Flowers102, 'classes', None)
        return names or [f'flower {number}' for number in range(1, 103)]

    def mask_name(self, img_path: str) -> str:
        """``image_00001.jpg`` is segmented in ``segmim_00001.jpg``."""
        return osp.basename(img_path).replace('image_', 'segmim_')

    def mask_rule(self) -> dict[str, Any]:
        """All but the blue."""
        return {'background_colour': list(self.background), 'tolerance': self.tolerance}
