"""Pictures one after the other: what the results say of each, and how a later run knows that it would say the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from tqdm import tqdm

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.photographs import Photograph
from mmfusion_plugin.files import write_text

Entry = Dict[str, Any]
ENTRY = '_shape.json'  # end of the name of a picture's entry


def each_picture(
    photos: Sequence[Photograph],
    make: Callable[[Photograph], Entry],
    lines: Callable[[Entry], str],
    key: str = 'image',
    **bar: Any,
) -> Tuple[List[Entry], List[Dict[str, str]]]:
    """The entries of pictures, printed as they come; those with a fault are noted and passed over.

    Args:
        photos: The pictures.
        make: Makes an entry; a ``CorruptDataError`` is a picture's fault.
        lines: What is printed of an entry.
        key: What a picture with a fault is called beside its ``reason``.
        bar: Options of tqdm, whose bar is shown for two pictures or more.

    Returns:
        The entries, and the faults.
    """
    entries, broken = [], []
    for photo in tqdm(photos, **{'disable': len(photos) < 2, **bar}):
        try:
            entries.append(make(photo))
        except CorruptDataError as error:
            broken.append({key: str(photo.path), 'reason': str(error)})
            continue
        tqdm.write(lines(entries[-1]))
    return entries, broken


def stamp_of(settings: Mapping[str, Any], files: Mapping[str, Optional[Path]]) -> Dict[str, Any]:
    """By what a picture's files are made; equal stamps mean equal files.

    Args:
        settings: What is the same for all pictures, as JSON has it.
        files: Inputs by what they are; None where there is none.
    """
    digests = {key: None if path is None or not path.is_file() else file_digest(path) for key, path in files.items()}
    return {**settings, **digests}


def file_digest(path: Union[str, Path]) -> str:
    """16 hexadecimal digits that follow from a file's content.

    Raises:
        OSError: It cannot be read.
    """
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def write_entry(photo: Photograph, out_dir: Path, entry: Entry, stamp: Dict[str, Any]) -> Entry:
    """Write ``<name>_shape.json``, after all the ``files`` of the entry, for which it vouches; returns the entry."""
    write_text(photo.beside(out_dir, ENTRY), json.dumps({'entry': entry, 'made_by': stamp}, indent=1) + '\n')
    return entry


def read_entry(photo: Photograph, out_dir: Path, stamp: Dict[str, Any]) -> Optional[Entry]:
    """The entry of a picture whose files are there and were made so; None where they were not."""
    path = photo.beside(out_dir, ENTRY)
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
        entry, same = found['entry'], found['made_by'] == stamp
        paths: List[Path] = [photo.beside(out_dir, Path(file).name[len(Path(photo.name).name) :])
                             for file in entry['files']]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not same or not all(file.is_file() for file in paths):
        return None
    return {**entry, 'image': str(photo.path), 'files': [str(file) for file in paths]}
