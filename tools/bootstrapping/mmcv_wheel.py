"""mmcv with its compiled ops: built from the sdist against the torch that is there, kept, checked by running one."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .shell import BootstrapError, ask, locked, run_logged

# Importing is not enough where mmcv was built for a GPU: the kernel must run on it.
CHECK = ('import torch, mmcv.ops; d = "cuda" if torch.cuda.is_available() else "cpu"; '
         'mmcv.ops.nms(torch.rand(4, 4, device=d), torch.rand(4, device=d), .5)')
DESCRIBE = ('import sys, torch; print(torch.__version__.split("+")[0], "cp%d%d" % sys.version_info[:2], '
            'torch.version.cuda if torch.cuda.is_available() else "")')


@functools.lru_cache(maxsize=None)
def cache_tag(python: Path) -> str:
    """``torch<version>-cp<python>-<cpu|cu126>``: a wheel serves only the torch it was built against."""
    said = ask(python, DESCRIBE).split()
    cuda = said[2] if len(said) > 2 else ''
    compiler = shutil.which('nvcc') or shutil.which('nvcc', path='/usr/local/cuda/bin')
    if cuda and compiler:
        release = subprocess.run([compiler, '--version'], capture_output=True, text=True).stdout
        if f'release {cuda.split(".")[0]}.' in release:
            return f'torch{said[0]}-{said[1]}-cu{cuda.replace(".", "")}'
    if cuda:
        print(f'      no nvcc of CUDA {cuda} found: mmcv is built without CUDA; the plugin then uses its own ops')
    return f'torch{said[0]}-{said[1]}-cpu'


def cache_folder(python: Path) -> Path:
    base = Path(os.environ.get('MMFUSION_CACHE', Path.home() / '.cache' / 'mmfusion_plugin')).expanduser()
    return base / 'wheels' / cache_tag(python)


def _devices(tag: str) -> dict[str, str]:
    """Environment in which torch sees the devices that ``tag`` stands for.

    mmcv's setup.py compiles for CUDA wherever torch sees a GPU, whatever FORCE_CUDA says: for the CPU, GPUs are hidden.
    """
    return {'FORCE_CUDA': '0', 'CUDA_VISIBLE_DEVICES': ''} if tag.endswith('-cpu') else {'FORCE_CUDA': '1'}


def verify(python: Path, log: Path) -> None:
    run_logged([python, '-c', CHECK], log, _devices(cache_tag(python)))


def install(python: Path, pin: str, log: Path) -> None:
    """Install the kept wheel, or build one; a kept wheel that does not work is built anew.

    Checkouts share the cache: one of them builds while the others wait, and then take its wheel.
    """
    folder = cache_folder(python)
    lock = folder.parents[1] / 'build' / f'{folder.name}.lock'
    with locked(lock, f'      another set-up is building mmcv (it holds {lock}): waiting for its wheel'):
        kept = sorted(folder.glob(f'{pin.replace("==", "-")}-*.whl'))
        if kept:
            try:
                print(f'      taking {kept[-1]}', flush=True)
                _install_wheel(python, kept[-1], log)
                verify(python, log)
                return
            except BootstrapError:
                print('      that wheel does not work here: building it anew', flush=True)
        _install_wheel(python, build(python, pin, folder, log), log)


def _install_wheel(python: Path, wheel: Path, log: Path) -> None:
    run_logged([python, '-m', 'pip', 'install', '--no-deps', '--no-index', '--force-reinstall', wheel], log)


def build(python: Path, pin: str, folder: Path, log: Path) -> Path:
    """Build the wheel; the source tree stays until it is done, so that ninja goes on where a kill stopped it."""
    for tool, package in (('g++', 'build-essential'), ('make', 'build-essential')):
        if shutil.which(tool) is None:
            raise BootstrapError(f'{tool} not found, mmcv cannot be compiled: apt-get install {package}')
    headers = ask(python, 'import sysconfig; print(sysconfig.get_path("include"))')
    if not Path(headers, 'Python.h').is_file():
        raise BootstrapError(f'{headers}/Python.h not found, mmcv cannot be compiled: apt-get install python3.11-dev')
    source = folder.parents[1] / 'build' / folder.name / pin.replace('==', '-')
    jobs = max(1, min(os.cpu_count() or 1, os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // (2 << 30)))
    environment = {**_devices(folder.name), 'MMCV_WITH_OPS': '1', 'MAX_JOBS': str(jobs),
                   'PATH': f'{python.parent}{os.pathsep}{os.environ["PATH"]}'}  # ninja lies beside python
    if not source.is_dir():
        _fetch_source(python, pin, source, log, environment)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run_logged([python, '-m', 'pip', 'wheel', '-v', '--no-cache-dir', '--no-build-isolation', '--no-deps',
                    '-w', scratch, source], log, environment, counter=r'\[\s*\d+/\d+\]')
        wheel = _stripped(python, next(Path(scratch).glob('mmcv-*.whl')), Path(scratch), log)
        os.replace(wheel, folder / wheel.name)
    shutil.rmtree(source.parent)
    return folder / wheel.name


def _fetch_source(python: Path, pin: str, source: Path, log: Path, environment: dict[str, str]) -> None:
    source.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=source.parent) as scratch:
        run_logged([python, '-m', 'pip', 'download', '--no-deps', '--no-cache-dir', '--no-build-isolation',
                    '--no-binary', pin.split('==')[0], '-d', scratch, pin], log, environment)
        shutil.unpack_archive(next(Path(scratch).glob('*.tar.gz')), scratch)
        os.replace(Path(scratch) / source.name, source)


def _stripped(python: Path, wheel: Path, scratch: Path, log: Path) -> Path:
    """The wheel without debug symbols (32 MB become 1.4 MB), or as it is where ``strip`` is missing."""
    if shutil.which('strip') is None or sys.platform != 'linux':
        return wheel
    run_logged([python, '-m', 'wheel', 'unpack', '-d', scratch, wheel], log)
    tree = next(path for path in scratch.iterdir() if path.is_dir())
    run_logged(['strip', '--strip-debug', *tree.glob('mmcv/_ext*.so')], log)
    run_logged([python, '-m', 'wheel', 'pack', '-d', scratch, tree], log)
    return wheel
