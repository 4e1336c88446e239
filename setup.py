"""Metadata of mmfusion_plugin, and the hook that lets mim find its configs and tools; imports setuptools only."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.develop import develop

ROOT = Path(__file__).resolve().parent
MIM = ('configs', 'tools', 'model-index.yml')  # what `mim train`, `mim download` and `mim search` look for in .mim


def requirements(name: str) -> list[str]:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def version() -> str:
    return re.search(r"__version__ = '([^']+)'", (ROOT / 'mmfusion_plugin' / 'version.py').read_text()).group(1)


def copy_mim(package: Path) -> None:
    """Copy configs, tools and the index into ``.mim`` of a package that is being built."""
    for name in MIM:
        source, target = ROOT / name, package / '.mim' / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
        else:
            shutil.copy2(source, target)


def link_mim(package: Path) -> None:
    """Link them into ``.mim`` of the checkout, so that an editable install sees each edit."""
    folder = package / '.mim'
    folder.mkdir(exist_ok=True)
    for name in MIM:
        link = folder / name
        if link.is_symlink() or link.is_file():
            link.unlink()
        elif link.is_dir():
            shutil.rmtree(link)
        link.symlink_to(os.path.relpath(ROOT / name, folder))


class BuildPy(build_py):
    """Every PEP 517/660 install comes through here, wheels as well as editable ones (``editable_wheel`` runs it)."""

    def run(self) -> None:
        super().run()
        if getattr(self, 'editable_mode', False):  # setuptools >= 64
            link_mim(ROOT / 'mmfusion_plugin')
        else:
            copy_mim(Path(self.build_lib) / 'mmfusion_plugin')


class Develop(develop):
    """``pip install --no-use-pep517 -e .`` and ``setup.py develop`` of older tools do not run ``build_py``."""

    def run(self) -> None:
        link_mim(ROOT / 'mmfusion_plugin')
        super().run()


extras = {name: requirements(name) for name in ('nuscenes', 'scannet', 'spconv', 'vis', 'dev')}
readme = ROOT / 'README.md'

setup(
    name='mmfusion_plugin',
    version=version(),
    description='Image and point-cloud fusion for MMDetection3D: components for its registries, and systems of them',
    long_description=readme.read_text(encoding='utf-8') if readme.is_file() else '',
    long_description_content_type='text/markdown',
    license='Apache License 2.0',
    keywords='computer vision, point cloud, LiDAR segmentation, sensor fusion, OpenMMLab',
    packages=find_packages(include=('mmfusion_plugin', 'mmfusion_plugin.*')),
    include_package_data=False,
    python_requires='>=3.9,<3.13',
    # torch, mmcv and the OpenMMLab packages stay out: pip would replace a torch that fits the machine, and build an
    # mmcv without ops. Importing the package checks them; requirements/mminstall.txt lists them for mim.
    install_requires=requirements('runtime'),
    extras_require={**extras, 'all': sorted(set(sum((extras[name] for name in ('nuscenes', 'vis', 'dev')), [])))},
    cmdclass={'build_py': BuildPy, 'develop': Develop},
    classifiers=[
        'Development Status :: 4 - Beta',
        'License :: OSI Approved :: Apache Software License',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.9',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    zip_safe=False,
)
