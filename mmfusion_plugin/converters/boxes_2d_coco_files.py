"""Reading COCO-style JSON files: datasets, and the results of MMDetection's ``CocoMetric``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence

from tqdm import tqdm

from .boxes_2d_categories import NAME_TO_FINE, fine_category
from .boxes_2d_masks import check_segmentation
from .json_files import iter_json_array
from .nuscenes_taxonomy import FINE_NAMES

_DECIMALS = 3  # a thousandth of a pixel, as in nuscenes_infos
_LARGEST = 1e9  # pixels; NaN is not less either


@dataclass
class CocoImage:
    """An image and its boxes, which are entries of an info file without visibility, truncation and depth."""

    file_name: str
    width: int
    height: int
    boxes: list[dict] = field(default_factory=list)


@dataclass
class CocoFile:
    """Images by id, and how many boxes were left out: by reason, and by the name of an unknown category."""

    images: dict[Any, CocoImage]
    left_out: Counter = field(default_factory=Counter)
    unknown: Counter = field(default_factory=Counter)


def read_coco(
    path: Path,
    images_path: Optional[Path] = None,
    score_thr: float = 0.0,
    categories: Optional[Mapping[str, str]] = None,
) -> CocoFile:
    """Read images and boxes.

    Args:
        path: COCO dataset, or a list of results, which is read as a stream.
        images_path: COCO dataset with images and categories, for a list of results.
        score_thr: Least score of boxes that have one.
        categories: Further category names, see :func:`fine_category`.

    Returns:
        Images with their boxes in the order of the file.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is damaged, a value has no meaning, or nuScenes has none of the categories.
    """
    is_list = _starts_with(path) == '['
    if is_list and images_path is None:
        raise ValueError(
            f'{path} is a list of results: its images and categories are in the COCO file of the dataset, give it with '
            '--images'
        )
    dataset_path = images_path if is_list else path
    dataset = _load_dataset(dataset_path, ('images', 'categories') + (() if is_list else ('annotations',)))
    content = CocoFile(_images(dataset, dataset_path))
    names = _categories(dataset, dataset_path, categories)
    records: Iterable[dict] = iter_json_array(path) if is_list else dataset['annotations']
    for number, record in enumerate(tqdm(records, unit='box', desc=path.name)):
        try:
            _add(content, record, names, score_thr)
        except (KeyError, TypeError, ValueError) as error:
            reason = f'it has no {error}' if isinstance(error, KeyError) else error
            raise ValueError(f'{path}: box {number}: {reason}') from error
    return content


def _add(content: CocoFile, record: dict, names: dict[Any, tuple[str, Optional[int]]], score_thr: float) -> None:
    """Put one annotation or result into its image."""
    image = content.images.get(record['image_id'])
    if image is None:
        raise ValueError(f'no image has the id {record["image_id"]!r}')
    if record['category_id'] not in names:
        raise ValueError(f'no category has the id {record["category_id"]!r}')
    name, category = names[record['category_id']]
    x, y, width, height = _numbers('bbox', record['bbox'], 4)
    if width < 0 or height < 0:
        raise ValueError(f'bbox {record["bbox"]} has a negative size: COCO boxes are [x, y, width, height]')
    (score,) = _numbers('score', [record.get('score', 1.0)], 1)
    # From pixel corners to pixel centres; info files end boxes at 0 and at the image's size.
    left, right = (min(max(side - 0.5, 0.0), image.width) for side in (x, x + width))
    top, bottom = (min(max(side - 0.5, 0.0), image.height) for side in (y, y + height))
    if score < score_thr:
        content.left_out['below the score'] += 1
    elif record.get('iscrowd'):
        content.left_out['crowds'] += 1
    elif category is None:
        content.unknown[name] += 1
    elif left >= right or top >= bottom:
        content.left_out['empty or outside the image'] += 1
    else:
        box = {
            'bbox': [round(side, _DECIMALS) for side in (left, top, right, bottom)],
            'category': category,
            'category_name': FINE_NAMES[category],
        }
        if record.get('segmentation'):
            check_segmentation(record['segmentation'], image.height, image.width)
        box.update({key: record[key] for key in ('score', 'instance_token', 'segmentation') if record.get(key)})
        image.boxes.append(box)


def _images(dataset: dict, path: Path) -> dict[Any, CocoImage]:
    images = {}
    for number, record in enumerate(dataset['images']):
        try:
            name, size = record['file_name'], (record['width'], record['height'])
            if not isinstance(name, str) or not all(type(side) is int and side > 0 for side in size):
                raise ValueError(f'file_name {name!r}, width and height {size} must be a name and two sizes in pixels')
            if record['id'] in images:
                raise ValueError(f'its id {record["id"]!r} is that of {images[record["id"]].file_name} too')
            images[record['id']] = CocoImage(name.replace('\\', '/'), *size)
        except (KeyError, TypeError, ValueError) as error:
            reason = f'it has no {error}' if isinstance(error, KeyError) else error
            raise ValueError(f'{path}: image {number}: {reason}') from error
    return images


def _categories(dataset: dict, path: Path, own: Optional[Mapping[str, str]]) -> dict[Any, tuple[str, Optional[int]]]:
    """Name and fine category, if known, by id.

    Raises:
        ValueError: Nothing is known of any of them.
    """
    try:
        names = {record['id']: str(record['name']) for record in dataset['categories']}
    except (KeyError, TypeError) as error:
        raise ValueError(f'{path}: each of "categories" needs "id" and "name"') from error
    found = {key: (name, fine_category(name, own)) for key, name in names.items()}
    if all(category is None for _, category in found.values()):
        raise ValueError(
            f'{path}: none of the categories {", ".join(names.values()) or "(there are none)"} is known; known are '
            f'{", ".join(NAME_TO_FINE)}: give the others with --categories'
        )
    return found


def _load_dataset(path: Path, keys: Sequence[str]) -> dict:
    if _starts_with(path) == '[':
        raise ValueError(f'{path} is a list; "images" and "categories" are those of a COCO dataset')
    print(f'Reading {path} ...', flush=True)
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not complete JSON ({error}): write or download it again') from error
    missing = [key for key in keys if not isinstance(content.get(key), list)]
    if missing:
        raise ValueError(f'{path} has no list of "{missing[0]}": it is no COCO dataset')
    return content


def _starts_with(path: Path) -> str:
    """First character that is not blank."""
    if not path.is_file():
        raise FileNotFoundError(f'COCO file {path} not found')
    with open(path, encoding='utf-8', errors='replace') as file:
        first = file.read(4096).lstrip('\ufeff \t\r\n')[:1]
    if first not in ('[', '{'):
        raise ValueError(f'{path} is no COCO file: JSON of a dataset or of a list of results is needed')
    return first


def _numbers(name: str, values: Any, count: int) -> list[float]:
    sound = isinstance(values, list) and all(type(v) in (int, float) and abs(v) < _LARGEST for v in values)
    if not sound or len(values) != count:
        raise ValueError(f'{name} {values!r} must be {count} finite number{"s" * (count > 1)}')
    return values
