"""Tables as people and spreadsheets write them: CSV with a header, in UTF-8."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

_WHOLE = re.compile(r'([0-9]+)(\.0+)?')


def read_table(path: str, needed: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV table by the names of its columns; spaces around names and cells, and empty rows, do not count.

    Args:
        path: Of the table.
        needed: Columns that it must have.

    Raises:
        FileNotFoundError: There is no such table.
        ValueError: It is not in UTF-8, no CSV, or lacks a column.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no table {path}: correct ann_file or data_root')
    content = Path(path).read_bytes()
    try:
        lines = csv.reader(io.StringIO(content.decode('utf-8-sig'), newline=''), skipinitialspace=True)
        rows = [row for row in ([cell.strip() for cell in line] for line in lines) if any(row)]
    except UnicodeDecodeError as error:
        byte, line = error.object[error.start], error.object.count(b'\n', 0, error.start) + 1
        raise ValueError(f'{path} is not in UTF-8 (byte 0x{byte:02x} in line {line}): save it as UTF-8, which '
                         'spreadsheets offer as a kind of CSV') from error  # fmt: skip
    except csv.Error as error:
        raise ValueError(f'{path} is no CSV table ({error}): save it as CSV with commas') from error
    columns = rows[0] if rows else []
    lacking = [column for column in needed if column not in columns]
    if lacking:
        raise ValueError(f'{path} has no column {lacking[0]!r}, but {", ".join(columns) or "nothing"}')
    return [dict(zip(columns, [*row, *[''] * len(columns)])) for row in rows[1:]]


def whole_numbers(cells: Sequence[str]) -> list[str]:
    """Cells without ``.0`` where all but empty ones are whole numbers: pandas writes 1 as 1.0 in columns with gaps."""
    found = [_WHOLE.fullmatch(cell) for cell in cells]
    if not all(match or not cell for match, cell in zip(found, cells)):
        return list(cells)
    return [match.group(1) if match else '' for match in found]
