"""Whether what belongs to an image's pixels was flipped as the image was."""

from __future__ import annotations

from typing import Any, Optional

from ..tally import sample_name

MAPS = ('mask', 'depth_map')
"""What belongs to the pixels of ``img``, ``(H, W)``."""

_FOLLOWED = 'followed_flip'


def note_flip(results: dict[str, Any]) -> None:
    """Note that all that belongs to the image's pixels lies as the image now does."""
    results[_FOLLOWED] = _flip(results)


def check_flip(results: dict[str, Any]) -> None:
    """Refuse an image that a transform has flipped alone; sizes would not tell.

    Known are the flips that write ``flip`` and ``flip_direction``, as ``RandomFlip`` of mmcv does. What turns or shifts
    an image without a word is not seen here.

    Raises:
        ValueError: The image was flipped, or flipped otherwise, after the last :func:`note_flip`.
    """
    flip, followed = _flip(results), results.get(_FOLLOWED)
    if flip != followed:
        raise ValueError(
            f'{sample_name(results)} was flipped ({flip or "not at all"}), its mask, depths or points otherwise '
            f'({followed or "not at all"}): put RandomFlip into transforms of TransformImageAndMask, which moves all '
            'of them, ahead of PixelToPoint'
        )


def check_unmoved(results: dict[str, Any], step: str) -> None:
    """Refuse to load a map of the file's pixels for an image that a transform may have flipped, or has cropped.

    Known are the transforms that write ``flip``, as ``RandomFlip`` of mmcv does whether it flips or not, so that the
    first sample tells, and ``CropToMask``. What crops or turns an image without a word is not seen here.

    Args:
        results: Of the pipeline.
        step: That loads the map, for the message.

    Raises:
        ValueError: There was such a transform.
    """
    moved = [name for key, name in (('flip', 'RandomFlip'), ('mask_crop', 'CropToMask')) if key in results]
    if moved:
        raise ValueError(
            f'{sample_name(results)}: {step} stands behind {moved[0]}, and its map would lie otherwise than the image: '
            'put it right behind the step that loads the image'
        )


def _flip(results: dict[str, Any]) -> Optional[str]:
    return str(results.get('flip_direction')) if results.get('flip') else None
