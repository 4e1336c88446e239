"""A tiny generated nuScenes world, made once per version of the generator and kept in pytest's cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos

SCENES, KEYFRAMES = 3, 2


def generator_digest() -> str:
    """Sixteen hexadecimal digits of the generator's sources."""
    from mmfusion_plugin import synthetic

    digest = hashlib.sha256()
    for path in sorted(Path(synthetic.__file__).parent.glob('*.py')):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope='session')
def tiny_nuscenes(request: pytest.FixtureRequest) -> Path:
    """Folder of a v1.0-trainval world: two training scenes and one validation scene of two keyframes.

    Do not write to it."""
    pytest.importorskip('embreex', reason='the generated world needs embreex: pip install mmfusion_plugin[nuscenes]')
    from mmfusion_plugin.synthetic.nuscenes import make_nuscenes

    base = Path(request.config.cache.mkdir('tiny_nuscenes'))
    root = base / generator_digest()
    if not (root / 'v1.0-trainval' / 'sample.json').is_file():
        for other in base.iterdir():
            # Not younger ones: another test run may be writing or reading them.
            if time.time() - other.stat().st_mtime > 3600:
                shutil.rmtree(other, ignore_errors=True)
        # Made beside its final place, so that two test runs at once cannot see each other's half.
        partial = base / f'{root.name}.{os.getpid()}'
        make_nuscenes(partial, SCENES, KEYFRAMES, seed=0, workers=1, val_scenes=1, lidar_sweeps=1, progress=False)
        try:
            os.replace(partial, root)
        except OSError:
            shutil.rmtree(partial)
    return root


@pytest.fixture(scope='session')
def tiny_nuscenes_infos(tiny_nuscenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that looks like a converted dataset: the tiny world's files, and info files beside them.

    The world is cached between runs, so the info files go to a folder of this run that links to it.
    """
    root = tmp_path_factory.mktemp('converted') / 'nuscenes'
    root.mkdir()
    for entry in tiny_nuscenes.iterdir():
        (root / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
    create_nuscenes_infos(root, root, 'v1.0-trainval', workers=1)
    return root
