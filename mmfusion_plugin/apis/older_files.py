"""Numbered shapes of an earlier run, which would stand beside fewer new ones as if they belonged to them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import List, Sequence

from .voxel_files import ENDINGS


def remove_older(report: Path, prefix: str, kept: Sequence[Path]) -> None:
    """Remove the numbered files of voxels that an earlier run listed and the present one has not written.

    Call it when the new files are written and before the report is, so that a run that is stopped in between leaves
    them listed. What is not listed, has another name or lies in another folder than the report is never touched.

    Args:
        report: JSON of the earlier run, in the folder of its files: ``files`` at its top, or in its ``entry``. Nothing
            is removed where it is missing or damaged.
        prefix: What stands before the number in their names.
        kept: Files of the present run.
    """
    names = {Path(file).name for file in _listed(report)} - {path.name for path in kept}
    numbered = re.compile(rf'{re.escape(prefix)}\d+({"|".join(map(re.escape, ENDINGS))})')
    for name in sorted(filter(numbered.fullmatch, names)):
        report.with_name(name).unlink(missing_ok=True)


def _listed(report: Path) -> List[str]:
    try:
        found = json.loads(report.read_text(encoding='utf-8'))
        files = found.get('entry', found)['files']
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [file for file in files if isinstance(file, str)] if isinstance(files, list) else []
