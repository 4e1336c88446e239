"""Info files read and rewritten sample by sample: the same file with other 2D boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, Iterator, TextIO

from tqdm import tqdm

from mmfusion_plugin.files import whole_file

_HEAD_END = '"data_list":[\n'
_HEAD_SIZE = 1 << 20


def iter_infos(source: Path) -> Iterator[dict]:
    """Yield the entries of an info file, each with its ``images``.

    Raises:
        FileNotFoundError: ``source`` is missing.
        ValueError: ``source`` is damaged or no info file.
    """
    _check_name(source)
    with open(source, encoding='utf-8') as file:
        yield from _with_images(_open_infos(file, source)[1], source)


def rewrite_infos(
    source: Path, target: Path, change: Callable[[dict], None], finish: Callable[[], None] = lambda: None
) -> int:
    """Write a copy of an info file whose entries have passed through ``change``.

    Files of ``tools/create_data.py`` hold one sample a line and are never in memory as a whole.

    Args:
        source: Info file in JSON.
        target: File to write, whole or not at all; another one than ``source``.
        change: Alters an entry in place.
        finish: Called after the last entry; when it raises, nothing is written.

    Returns:
        Number of samples.

    Raises:
        FileNotFoundError: ``source`` is missing.
        ValueError: ``source`` is damaged or no info file, or both are the same.
    """
    _check_name(source)
    if source.resolve() == target.resolve():
        raise ValueError(f'{target} would replace the exact boxes: give another name for the new file')
    count = 0
    with open(source, encoding='utf-8') as file, whole_file(target) as part, open(part, 'w', encoding='utf-8') as out:
        metainfo, entries = _open_infos(file, source)
        out.write(f'{{"metainfo":{_dump(metainfo)},{_HEAD_END}')
        for entry in tqdm(_with_images(entries, source), unit='sample', desc=target.name):
            change(entry)
            out.write((',\n' if count else '') + _dump(entry))
            count += 1
        finish()
        out.write('\n]}\n')
    return count


def _check_name(source: Path) -> None:
    if not source.is_file():
        raise FileNotFoundError(f'info file {source} not found: generate it with tools/create_data.py')
    if source.suffix != '.json':
        raise ValueError(f'{source}: 2D boxes are in the JSON info files of tools/create_data.py')


def _with_images(entries: Iterator[dict], source: Path) -> Iterator[dict]:
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get('images'), dict):
            raise ValueError(f'{source}: sample {number} has no "images": generate it with tools/create_data.py')
        yield entry


def _open_infos(file: TextIO, path: Path) -> tuple[dict, Iterator[dict]]:
    """``metainfo``, and the entries as they are read."""
    head = file.readline(_HEAD_SIZE)
    if head.endswith(_HEAD_END):
        return json.loads(head[: -len(_HEAD_END)].rstrip(',') + '}')['metainfo'], _entries_by_line(file, path)
    file.seek(0)
    try:
        content = json.load(file)
    except ValueError as error:
        raise ValueError(f'{path} is not complete JSON ({error}): generate it again') from error
    if not isinstance(content, dict) or not {'metainfo', 'data_list'} <= content.keys():
        raise ValueError(f'{path} is not an info file: it must hold "metainfo" and "data_list"')
    return content['metainfo'], iter(content['data_list'])


def _entries_by_line(file: TextIO, path: Path) -> Iterator[dict]:
    for number, line in enumerate(file, 2):
        line = line.strip()
        if line == ']}':
            return
        try:
            yield json.loads(line.rstrip(','))
        except json.JSONDecodeError as error:
            raise ValueError(f'{path}, line {number}: damaged ({error}): generate the file again') from error
    raise ValueError(f'{path} breaks off: generate it again')


def _dump(content: dict) -> str:
    return json.dumps(content, separators=(',', ':'))
