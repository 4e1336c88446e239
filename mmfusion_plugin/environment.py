"""Which versions the package supports and has been tested with, and what this machine has.

Standard library only: ``tools/check_env.py`` and ``tools/bootstrap.py`` load this file by its path, also where nothing
is installed yet or importing the package fails.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

CONSTRAINTS = Path(__file__).resolve().parents[1] / 'constraints' / 'py311-cpu.txt'  # in a checkout


class Requirement(NamedTuple):
    """Supported: ``minimum <= version < below``. Tested: up to ``tested``, compared by as many numbers as it has."""

    name: str
    minimum: str
    below: str
    tested: str
    mend: str
    required: bool = True


# Bounds of mmcv, mmengine and mmdet: mmdet3d 1.4.0 asserts them at import. setuptools: mmengine 0.10 reads bases such
# as `mmdet3d::...` through pkg_resources, gone from setuptools 82.
REQUIREMENTS = (
    Requirement('torch', '2.1', '3', '2.13', 'pip install "torch==2.7.1" "torchvision==0.22.1"'),
    Requirement('numpy', '1.24', '3', '2.5', 'pip install "numpy==1.26.4"'),
    Requirement('mmengine', '0.8.0', '1.0', '0.10', 'pip install --no-deps "mmengine==0.10.7"'),
    Requirement('mmcv', '2.0.0rc4', '2.2', '2.1',
                'MMCV_WITH_OPS=1 pip install --no-cache-dir --no-build-isolation --no-deps "mmcv==2.1.0"'),
    Requirement('mmdet', '3.0.0rc5', '3.4', '3.3', 'pip install --no-deps "mmdet==3.2.0"'),
    Requirement('mmdet3d', '1.4', '1.5', '1.4', 'pip install --no-deps "mmdet3d==1.4.0"'),
    Requirement('setuptools', '40.8', '82', '81', 'pip install "setuptools<81"'),
    Requirement('mmpretrain', '1.0', '2', '1.2', 'pip install --no-deps "mmpretrain==1.2.0"', required=False),
    Requirement('nuscenes-devkit', '1.2', '2', '1.2', 'pip install --no-deps "nuscenes-devkit==1.2.0"', required=False),
)
AT_IMPORT = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d')


class Row(NamedTuple):
    """One line of the table: ``state`` is ``'ok'``, ``'note'`` (works, or is optional) or ``'fault'``."""

    part: str
    found: str
    expected: str
    state: str
    mend: str = ''


def version_key(version: str) -> tuple[tuple[int, ...], int]:
    """Sortable key of a version: its numbers, then a pre-release before its release (``2.0.0rc4 < 2.0.0``).

    Local parts (``+cu126``) and post-releases do not count.
    """
    match = re.match(r'v?(\d+(?:\.\d+)*)(?:[.-]?(?:a|b|c|rc|dev|alpha|beta)\.?(\d*))?', version)
    if match is None:
        raise ValueError(f'{version!r} is no version')
    numbers = [int(part) for part in match.group(1).split('.')]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), sys.maxsize if match.group(2) is None else int(match.group(2) or 0)


def judge(requirement: Requirement, found: str | None) -> str:
    """``'ok'``, ``'untested'`` (newer than tested), ``'unsupported'`` or ``'missing'``."""
    if found is None:
        return 'missing'
    if not version_key(requirement.minimum) <= version_key(found) < version_key(requirement.below):
        return 'unsupported'
    length = len(requirement.tested.split('.'))
    newest = tuple(int(part) for part in requirement.tested.split('.'))
    return 'ok' if (version_key(found)[0] + (0, ) * length)[:length] <= newest else 'untested'


def installed(name: str) -> str | None:
    """Installed version of a distribution, or None; nothing is imported."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_versions(find: Callable[[str], str | None] = installed) -> list[str]:
    """Check what ``import mmfusion_plugin`` needs.

    Args:
        find: Gives the installed version of a name, or None.

    Returns:
        One sentence for each package that is newer than the tested ones.

    Raises:
        ImportError: A package is missing or unsupported; names what was found, what is needed and the pip line.
    """
    faults, untested = [], []
    for requirement in (r for r in REQUIREMENTS if r.name in AT_IMPORT):
        found = find(requirement.name)
        verdict = judge(requirement, found)
        needed = f'>={requirement.minimum},<{requirement.below}'
        if verdict in ('missing', 'unsupported'):
            faults.append(f'  {requirement.name} {needed} is needed, found {found or "none"}: {requirement.mend}')
        elif verdict == 'untested':
            untested.append(f'{requirement.name} {found} is newer than the tested {requirement.tested}')
    if faults:
        raise ImportError('mmfusion_plugin cannot run beside these packages:\n' + '\n'.join(faults)
                          + '\n`python tools/check_env.py` checks the whole environment.')
    return untested


def version_rows(find: Callable[[str], str | None] = installed) -> list[Row]:
    """The table's rows about Python and the packages' versions."""
    version = '.'.join(map(str, sys.version_info[:3]))
    python = 'ok' if (3, 9) <= sys.version_info[:2] <= (3, 12) else 'fault'
    rows = [Row('Python', version, '3.9 to 3.12', python, '' if python == 'ok' else 'python3.11 -m venv .venv')]
    for requirement in REQUIREMENTS:
        found = find(requirement.name)
        verdict = judge(requirement, found)
        state = {'ok': 'ok', 'untested': 'note'}.get(verdict, 'fault' if requirement.required else 'note')
        expected = f'>={requirement.minimum},<{requirement.below}; tested to {requirement.tested}'
        mend = '' if verdict == 'ok' else requirement.mend
        rows.append(Row(requirement.name, found or 'none', expected, state, mend))
    rows.append(_opencv_row(find))
    return rows


def _opencv_row(find: Callable[[str], str | None]) -> Row:
    """mmcv asks for ``opencv-python``, the devkit for the headless one; both write the files of cv2, one wins."""
    both = [f'{name} {find(name)}' for name in ('opencv-python', 'opencv-python-headless') if find(name)]
    try:
        importlib.import_module('cv2')
        state = 'ok' if len(both) == 1 and 'headless' in both[0] else 'note'
    except Exception:  # a missing system library, another numpy ...
        state = 'fault'
    return Row('OpenCV', ' and '.join(both) or 'none', 'opencv-python-headless alone', state,
               '' if state == 'ok' else 'pip uninstall -y opencv-python opencv-python-headless && '
               f'pip install --no-deps "{pinned("opencv-python-headless")}"')


def pinned(name: str) -> str:
    """``name==version`` of the tested set; the name alone where it is not in there, or the file is not at hand."""
    lines = CONSTRAINTS.read_text(encoding='utf-8').splitlines() if CONSTRAINTS.is_file() else []
    canonical = re.sub(r'[-_.]+', '-', name.lower())
    return next((line for line in lines if re.sub(r'[-_.]+', '-', line.lower()).startswith(f'{canonical}==')), name)


def _cuda() -> str:
    torch = importlib.import_module('torch')
    if not torch.cuda.is_available():
        return f'no device (torch built for {torch.version.cuda or "CPU"})'
    return f'{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}'


def _mmcv_ops(device: str) -> Callable[[], str]:
    def probe() -> str:
        """Run one of the ops."""
        torch = importlib.import_module('torch')
        if device == 'cuda' and not torch.cuda.is_available():
            return 'no device'
        ops = importlib.import_module('mmcv.ops')
        boxes = torch.tensor([[0., 0., 2., 2.], [0., 0., 2., 2.]], device=device)
        kept = ops.nms(boxes, torch.tensor([1., .5], device=device), iou_threshold=.5)[1].tolist()
        if kept != [0]:
            raise RuntimeError(f'nms on {device} keeps {kept} of two equal boxes')
        return f'run on {device}'

    return probe


def _sparse_backend() -> str:
    torch = importlib.import_module('torch')
    if not torch.cuda.is_available():
        return 'torch (pure)'
    if importlib.import_module('spconv.cppconstants').CPU_ONLY_BUILD:
        raise RuntimeError('spconv was built without CUDA')
    importlib.import_module('spconv.pytorch')
    return 'spconv on CUDA'


def _imports(*modules: str) -> Callable[[], str]:
    def probe() -> str:
        """Import the modules."""
        for module in modules:
            importlib.import_module(module)
        return 'imports'

    return probe


# Distributions whose modules have another name.
DISTRIBUTIONS = {'PIL': 'pillow', 'cv2': 'opencv-python-headless', 'nuscenes': 'nuscenes-devkit',
                 'skimage': 'scikit-image', 'sklearn': 'scikit-learn', 'yaml': 'pyyaml'}
REMEDIES = {
    **{requirement.name: requirement.mend for requirement in REQUIREMENTS},
    'mmcv': next(r.mend for r in REQUIREMENTS if r.name == 'mmcv').replace('install', 'install --force-reinstall'),
    'mmfusion_plugin': 'pip install --no-build-isolation --no-deps -e .',
    'spconv': 'pip install "spconv-cu126==2.3.8" (meanwhile the slower torch backend runs)',
    'torchvision': 'pip install the torchvision that belongs to your torch, e.g. "torchvision==0.22.1" to 2.7.1',
}


def remedy_of(error: Exception, otherwise: str) -> str:
    """The pip line for a failed import: of the one package that the error names, leaving all others as they are."""
    module = (getattr(error, 'name', None) or '').split('.')[0]
    if not isinstance(error, ImportError) or not module:
        return otherwise
    name = DISTRIBUTIONS.get(module, module)
    if name in REMEDIES:
        return REMEDIES[name]
    return f'pip install --no-deps "{pinned(name)}"'


def probe_rows() -> list[Row]:
    """The rows that need running something: each probe is tried by itself, and its error is shown."""
    without_cuda = REMEDIES['mmcv'] + ' (beside the nvcc of your torch; meanwhile the ops of this package run)'
    probes = (  # part, probe, expected, remedy, whether its failure is a fault
        ('CUDA', _cuda, 'optional', REMEDIES['torch'], True),
        ('mmcv ops', _mmcv_ops('cpu'), 'compiled against this torch', REMEDIES['mmcv'], True),
        ('mmcv ops on CUDA', _mmcv_ops('cuda'), 'optional', without_cuda, False),
        ('mmdet3d', _imports('mmdet3d.datasets', 'mmdet3d.models', 'mmdet3d.evaluation'), 'imports',
         REMEDIES['mmdet3d'], True),
        ('mmpretrain models', _imports('mmpretrain.models'), 'imports', REMEDIES['torchvision'], False),
        ('nuScenes devkit', _imports('nuscenes.nuscenes', 'nuscenes.eval.lidarseg.evaluate'), 'imports',
         REMEDIES['nuscenes-devkit'], False),
        ('sparse backend', _sparse_backend, 'spconv on CUDA, torch elsewhere', REMEDIES['spconv'], False),
        ('ray casting', _imports('trimesh', 'embreex.rtcore'), 'imports', 'pip install trimesh embreex', False),
        ('mmfusion_plugin', _imports('mmfusion_plugin'), 'imports', REMEDIES['mmfusion_plugin'], True),
    )
    rows = []
    for part, probe, expected, remedy, required in probes:
        try:
            rows.append(Row(part, probe(), expected, 'ok'))
        except Exception as error:  # a probe reports whatever goes wrong
            first = (str(error).strip().splitlines() or [''])[0]
            state = 'fault' if required else 'note'
            rows.append(Row(part, f'{type(error).__name__}: {first}'[:70], expected, state, remedy_of(error, remedy)))
    return rows


def verdict(rows: list[Row]) -> str:
    """One sentence on all rows."""
    faults = [row.part for row in rows if row.state == 'fault']
    notes = [row.part for row in rows if row.state == 'note']
    if faults:
        return f'NOT READY: {len(faults)} fault{"s" * (len(faults) > 1)} ({", ".join(faults)})'
    return 'READY' + (f', with {len(notes)} note{"s" * (len(notes) > 1)} ({", ".join(notes)})' if notes else '')
