"""Image and point-cloud fusion for MMDetection3D. Importing the package registers its components."""

from __future__ import annotations

import warnings

from .environment import check_versions
from .version import __version__

_untested = check_versions()
if _untested:
    warnings.warn(f'mmfusion_plugin {__version__}: ' + '; '.join(_untested) + '. It may well work; '
                  '`python tools/check_env.py` tries the parts.', stacklevel=2)

from . import datasets, engine, evaluation, models  # noqa: E402, F401  (registration is their side effect)
from .compat import install_safe_checkpoint_loading  # noqa: E402

install_safe_checkpoint_loading()

__all__ = ['__version__']
