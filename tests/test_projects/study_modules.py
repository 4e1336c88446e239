"""Modules of a project's study: two projects have some of the same name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

MODULES = {'main': 'run_study', 'plan': 'study_plan', 'runs': 'study_runs', 'table': 'study_table'}


@contextmanager
def study_modules(folder: Path, **more: str) -> Iterator[SimpleNamespace]:
    """Import :data:`MODULES` and ``more`` from ``folder``; afterwards nothing of it is left imported."""
    sys.path.insert(0, str(folder))
    try:
        yield SimpleNamespace(**{key: importlib.import_module(name) for key, name in {**MODULES, **more}.items()})
    finally:
        sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            if Path(getattr(module, '__file__', None) or '').parent == folder:
                del sys.modules[name]
