"""What the metrics of shapes read of a sample, and messages that name it."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, Iterator

SOURCE = ('synset', 'category', 'model_id', 'view', 'azimuth', 'img_path')
"""Keys that say where a sample comes from."""


def source_of(sample: dict) -> Dict[str, Any]:
    """The keys ``SOURCE`` of a sample; None where it does not say."""
    return {key: sample.get(key) for key in SOURCE}


def required(sample: dict, key: str, remedy: str) -> Any:
    """A value that a sample must have.

    Raises:
        ValueError: It has not.
    """
    if sample.get(key) is None:
        raise ValueError(f'it has no {key} (it has {sorted(sample)}): {remedy}')
    return sample[key]


@contextlib.contextmanager
def naming(sample: dict) -> Iterator[None]:
    """Put the sample's name before the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        parts = [str(sample[key]) for key in ('category', 'model_id', 'view') if sample.get(key) is not None]
        name = '/'.join(parts) or str(sample.get('img_path') or 'a sample')
        raise ValueError(f'{name}: {error}') from error
