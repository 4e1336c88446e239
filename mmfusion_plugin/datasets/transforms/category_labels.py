"""The category of an object as a number, for classifiers."""

from __future__ import annotations

from typing import Sequence

from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...converters.shapenet_taxonomy import synset_of


@TRANSFORMS.register_module()
class LabelCategory(BaseTransform):
    """Number the categories of ShapeNet: an object's ``gt_label`` is the place of its category in the list.

    Args:
        categories: Synset ids, names or aliases, as the dataset takes them.

    Raises:
        ValueError: A name is unknown, or there are none.
    """

    def __init__(self, categories: Sequence[str]) -> None:
        if isinstance(categories, str) or not categories:
            raise ValueError(f'categories must be a list of at least one name, got {categories!r}')
        self.labels = {synset_of(name): number for number, name in enumerate(categories)}

    def transform(self, results: dict) -> dict:
        """Add ``gt_label`` (int) for ``synset``.

        Raises:
            ValueError: The category is not in the list.
        """
        if results['synset'] not in self.labels:
            raise ValueError(f"{results.get('img_path')} is of category {results['synset']}, which is not among "
                             f'{sorted(self.labels)}: add it to categories, or leave it out of the dataset')
        results['gt_label'] = self.labels[results['synset']]
        return results
