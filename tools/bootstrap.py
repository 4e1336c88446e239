#!/usr/bin/env python3
"""Make .venv ready: the pinned packages, mmcv with its compiled ops, and this project; resumes where it was stopped."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from bootstrapping import mmcv_wheel
from bootstrapping.shell import BootstrapError, clock, locked, run_logged
from bootstrapping.steps import Step, fingerprint, forget_cut_packages, missing_pins, read_pins, run_steps

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / 'constraints' / 'py311-cpu.txt'
EXAMPLES = """examples:
  python3.11 tools/bootstrap.py                       # what `make env` runs
  python3.11 tools/bootstrap.py --venv /data/env      # somewhere else
The mmcv wheel is kept in ~/.cache/mmfusion_plugin/wheels (MMFUSION_CACHE moves it): a second checkout does not
compile again. Logs and stamps lie in .venv/.bootstrap; removing .venv starts afresh.
"""


def make_steps(venv: Path, state: Path) -> list[Step]:
    """The steps, in the order that they need one another."""
    python = venv / 'bin' / 'python'
    version = '.'.join(map(str, sys.version_info[:2]))
    site_packages = venv / 'lib' / f'python{version}' / 'site-packages'
    pins = read_pins(CONSTRAINTS)
    editable = site_packages / 'mmfusion_plugin-{}.dist-info'.format(read_version())

    def imports(name: str, code: str) -> None:
        # Not from the checkout: there the package could be imported without being installed.
        run_logged([python, '-P', '-c', code], state / f'{name}.log')

    def section(name: str, title: str, expected: str, code: str, *names: str) -> Step:
        wanted = sum((pins[part] for part in names), [])

        def install() -> None:
            forget_cut_packages(site_packages)
            run_logged([python, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-deps', *wanted],
                       state / f'{name}.log')

        return Step(name, title, expected, fingerprint(version, *wanted),
                    lambda: not missing_pins(site_packages, wanted), install, lambda: imports(name, code))

    mmcv_log = state / 'mmcv.log'
    everything = ('import mmdet3d.datasets, mmdet3d.models, mmdet3d.evaluation, mmdet.models, mmpretrain.models, '
                  'nuscenes.eval.lidarseg.evaluate, mmfusion_plugin')
    return [
        Step('venv', f'Python {version} in {venv.name}', 'a few seconds', fingerprint(version), python.is_file,
             lambda: run_logged([sys.executable, '-m', 'venv', venv], state / 'venv.log'),
             lambda: imports('venv', f'import sys, pip._internal; assert sys.version_info[:2] == {sys.version_info[:2]}'
                             f', "another Python lies here: remove {venv} first"')),
        section('torch', 'torch with its libraries', '2 to 5 minutes, 5.3 GB',
                'import torch, torchvision; torch.ones(2, 2) @ torch.ones(2, 2)', 'torch'),
        section('build', 'build tools', 'a few seconds', 'import setuptools, wheel, pkg_resources, ninja', 'build'),
        section('packages', 'OpenMMLab, the devkit, tools', '1 to 3 minutes',
                'import mmengine.runner, nuscenes.nuscenes, cv2, pytest, embreex.rtcore', 'packages', 'dev'),
        # After mmengine, which mmcv.ops imports; before anything of mmdet3d is imported.
        Step('mmcv', 'mmcv with compiled ops', 'seconds with a kept wheel, else 8 to 15 minutes on 2 cores',
             fingerprint(version, *pins['torch'], *pins['mmcv']),
             lambda: not missing_pins(site_packages, pins['mmcv']),
             lambda: mmcv_wheel.install(python, pins['mmcv'][0], mmcv_log),
             lambda: mmcv_wheel.verify(python, mmcv_log)),
        Step('project', 'this project, editable', 'half a minute',
             fingerprint(ROOT, (ROOT / 'setup.py').read_text(), read_version()), editable.is_dir,
             lambda: run_logged([python, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-deps',
                                 '--no-build-isolation', '-e', ROOT], state / 'project.log'),
             lambda: imports('project', everything)),
    ]


def read_version() -> str:
    text = (ROOT / 'mmfusion_plugin' / 'version.py').read_text()
    return text.split("__version__ = '")[1].split("'")[0]


def stop(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--venv', type=Path, default=ROOT / '.venv', help='default: %(default)s')
    args = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        print(f'The pinned set is for Python 3.11, this is {sys.version.split()[0]}: run `make PYTHON=python3.11`; for '
              'another Python, install beside your own torch as the README says.', file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, stop)
    venv, start = args.venv.resolve(), time.monotonic()
    state = venv / '.bootstrap'
    with locked(state / 'lock', 'another set-up is running here: waiting for it'):
        try:
            run_steps(make_steps(venv, state), state)
        except (BootstrapError, OSError) as error:
            print(f'\nset-up: {error}\n      Run the same command again: it goes on with this step.', file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print('\nset-up stopped; the same command goes on with this step.', file=sys.stderr)
            return 130
    print(f'environment ready in {clock(time.monotonic() - start)}: {venv}', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
