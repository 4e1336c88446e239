"""Looking through dataset wrappers such as ``RepeatDataset``, ``ClassBalancedDataset`` and ``ConcatDataset``."""

from __future__ import annotations

from typing import Any


def innermost_dataset_cfgs(cfg: dict[str, Any]) -> list[dict[str, Any]]:
    """The configs of the datasets that read files: one, or the parts of a ``ConcatDataset`` in order.

    They are the very objects inside ``cfg``: changing them changes ``cfg``.

    Args:
        cfg: Config of a dataset, such as ``cfg.test_dataloader.dataset``.
    """
    if 'dataset' in cfg:
        return innermost_dataset_cfgs(cfg['dataset'])
    if 'datasets' in cfg:
        return [inner for part in cfg['datasets'] for inner in innermost_dataset_cfgs(part)]
    return [cfg]
