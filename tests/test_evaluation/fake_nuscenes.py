"""The few tables that the devkit's lidarseg code reads, without images, maps or annotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES, FINE_NAMES, FINE_TO_CLASS

FINE_OF_CLASS = np.array([FINE_TO_CLASS.index(c) for c in range(len(CLASSES))] + [0])


class FakeNuScenes:
    """One scene per name; one sweep and label file per frame.

    Args:
        root: Where sweeps and labels are written.
        truths: Per frame its sample_data token and its labels ``(N,)`` in 0..16.
        scene: An official scene name (scene-0003 is in val).
    """

    def __init__(self, root: Path, truths: dict[str, np.ndarray], scene: str = 'scene-0003', labelled: bool = True):
        self.dataroot, self.version = str(root), 'v1.0-trainval'
        self.lidarseg_name2idx_mapping = {name: index for index, name in enumerate(FINE_NAMES)}
        tokens = list(truths)
        self.scene = [
            dict(token='scene', name=scene, nbr_samples=len(tokens), first_sample_token=f's-{tokens[0]}',
                 last_sample_token=f's-{tokens[-1]}')
        ]
        self.tables = dict(scene={'scene': self.scene[0]}, sample={}, sample_data={}, lidarseg={})
        for token, following in zip(tokens, [*tokens[1:], '']):
            truth = truths[token]
            np.zeros((len(truth), 5), np.float32).tofile(root / f'{token}.pcd.bin')
            FINE_OF_CLASS[truth].astype(np.uint8).tofile(root / f'{token}_lidarseg.bin')
            self.tables['sample'][f's-{token}'] = dict(
                token=f's-{token}', next=f's-{following}' if following else '', data=dict(LIDAR_TOP=token))
            self.tables['sample_data'][token] = dict(filename=f'{token}.pcd.bin')
            self.tables['lidarseg'][token] = dict(filename=f'{token}_lidarseg.bin')
        self.lidarseg = list(self.tables['lidarseg'].values()) if labelled else []

    def get(self, table: str, token: str) -> dict:
        return self.tables[table][token]
