"""Depth maps in a folder of their own, each named as its image."""

from __future__ import annotations

from os import PathLike
from os import path as osp
from typing import Optional, Sequence, Union

#: Endings of depth maps, all of which ``LoadDepthMap`` reads (EXR where OpenCV does).
ENDINGS = ('.npy', '.png', '.tif', '.tiff', '.exr')


def find_depth_map(folder: Union[str, PathLike[str]], name: str) -> Optional[str]:
    """Path of the depth map called ``name`` below ``folder``, whatever its ending; None where there is none.

    Args:
        folder: Of depth maps.
        name: Of the image below its own folder, without the extension.

    Raises:
        ValueError: There are two.
    """
    found = [path for path in (osp.join(folder, name + ending) for ending in ENDINGS) if osp.isfile(path)]
    if len(found) > 1:
        raise ValueError(f'{found[0]} and {found[1]} are depth maps of one image: remove one')
    return found[0] if found else None


def add_depth_paths(entries: Sequence[dict], image_root: str, depth_root: str) -> None:
    """Add ``depth_path`` to entries of a dataset.

    Args:
        entries: Each with an ``img_path`` below ``image_root``.
        image_root: Folder of the images.
        depth_root: Folder of the depth maps, in the structure of the images'.

    Raises:
        FileNotFoundError: An image has no depth map.
        ValueError: An image has two.
    """
    missing = []
    for entry in entries:
        name = osp.splitext(osp.relpath(entry['img_path'], image_root))[0]
        path = find_depth_map(depth_root, name)
        if path is None:
            missing.append(f'{osp.join(depth_root, name)} ({" ".join(ENDINGS)}) of {entry["img_path"]}')
        else:
            entry['depth_path'] = path
    if missing:
        raise FileNotFoundError(
            f'{len(missing)} of {len(entries)} depth maps are not there, the first being {missing[0]}: make them with '
            'any monocular depth estimator, or correct depth_root'
        )
