"""The one place that states the version of the package; ``setup.py`` reads it without importing anything."""

from __future__ import annotations

__version__ = '0.1.0'
