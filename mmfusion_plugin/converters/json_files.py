"""Reading JSON arrays as a stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

# nuScenes' sample_data.json has 2.6 million rows (v1.0-trainval); read whole it takes several GB of dictionaries.
_CHUNK = 1 << 22


def iter_json_array(path: Path) -> Iterator[dict]:
    """Yield the objects of a file that holds one JSON array of objects, in bounded memory.

    Args:
        path: The file.

    Raises:
        ValueError: The file is not a complete JSON array; names the file and the offset.
    """
    decoder = json.JSONDecoder()
    with open(path, encoding='utf-8') as file:
        buffer, offset = file.read(_CHUNK).lstrip(), 0
        if not buffer.startswith('['):
            raise ValueError(f'{path} does not hold a JSON array: download or generate it again')
        position = 1
        while True:
            while position < len(buffer) and buffer[position] in ' \t\r\n,':
                position += 1
            if position < len(buffer) and buffer[position] == ']':
                return
            try:
                record, position = decoder.raw_decode(buffer, position)
            except json.JSONDecodeError as error:
                more = file.read(_CHUNK)
                if not more:
                    where = offset + position
                    raise ValueError(
                        f'{path} breaks off or is damaged near character {where} ({error.msg}): '
                        'download or generate it again'
                    ) from error
                offset += position
                buffer, position = buffer[position:] + more, 0
                continue
            yield record
