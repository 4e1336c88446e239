"""The commands of the study's runs, as a user would type them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Sequence

from study_plan import COLOURS, FROM_UNET, REFERENCE, UNET, UNET_MASKS, VARIANTS, Size, Variant, load_config

from mmfusion_plugin.apis.study import Run, plan

SETS = tuple(f'{split}_dataloader.dataset' for split in ('train', 'val', 'test'))


def plan_runs(names: Sequence[str], seeds: list[int]) -> list[Run]:
    """The colours first, which have no seed and are called seed 0; then, seed after seed, the trainings, those on a
    U-Net's masks last, after the U-Net and its masks."""
    baselines = [name for name in names if VARIANTS[name].system == COLOURS]
    masked = {Variant(system, masks='unet').name for system in FROM_UNET}
    trained = [name for name in names if name not in baselines]
    made = [UNET, UNET_MASKS] if masked & set(trained) else []
    rows = [*(name for name in trained if name not in masked), *made, *(name for name in trained if name in masked)]
    return [*plan(baselines, [0]), *plan(rows, seeds)]


def masks_folder(work_dir: Path, seed: int) -> Path:
    """Where the masks of a seed's U-Net are."""
    return work_dir / Run(UNET_MASKS, seed).name / 'masks'


def unet_checkpoint(size: Size, folder: Path) -> Path:
    """What the training of a U-Net in ``folder`` leaves."""
    return folder / f'{"iter" if _counts_iterations(size.unet) else "epoch"}_{size.unet_length}.pth'


def training_command(
    size: Size, run: Run, folder: Path, masks: str = '', more: Sequence[str] = ()
) -> list[str]:
    """The training of a run in a folder of its own; order of samples and their augmentation depend on the seed alone
    (``ReproducibleHook``).

    Args:
        size: How much of everything.
        run: Variant and seed.
        folder: Of the training.
        masks: Folder of masks that are not the sheets' own.
        more: Further ``--cfg-options``.

    Returns:
        The command's words.
    """
    variant = VARIANTS[run.variant]
    options = [
        *(f'{place}.trait={variant.trait}' for place in SETS),
        *(f'{place}.mask_root={masks or f"masks_{variant.masks}"}' for place in SETS),
        f'train_dataloader.dataset.few_shot={variant.shots}',
        f'train_dataloader.dataset.few_shot_seed={run.seed}',  # other sheets for each seed
        *more,
    ]
    return _train(size, size.config(variant.system), run.seed, size.length_of(variant), folder, options)


def unet_command(size: Size, seed: int, folder: Path) -> list[str]:
    """The training of a U-Net on the good masks of the training sheets."""
    return _train(size, size.unet, seed, size.unet_length, folder, [])


def masks_command(size: Size, trained: Path, out: Path) -> list[str]:
    """Masks of all sheets by the U-Net that was trained in a folder."""
    paths = [Path(size.data_root, 'images'), trained / Path(size.unet).name, unet_checkpoint(size, trained)]
    return [sys.executable, 'tools/make_masks.py', *map(str, paths), '--out', str(out)]


def colours_command(size: Size, trait: str, out: Path) -> list[str]:
    """What the foreground's colours alone tell of a trait."""
    script = str(Path('projects', 'SIM-Net', 'score_colours.py'))
    options = [f'{place}.{option}' for place in SETS for option in (f'data_root={size.data_root}/', f'trait={trait}')]
    return [sys.executable, script, size.config(REFERENCE), '--out', str(out), '--cfg-options', *options]


def world_command(size: Size, workers: int) -> list[str]:
    """How the sheets are made; what is finished is not made again."""
    make = ['tools/make_synthetic.py', 'herbarium', '--out', size.data_root, '--sheets', str(size.sheets)]
    make += ['--size', *map(str, size.pixels), '--seed', '0', '--workers', str(workers), *size.world]
    return [sys.executable, *make]


def _counts_iterations(config: str) -> bool:
    return 'max_iters' in load_config(config).train_cfg


def _train(size: Size, config: str, seed: int, length: int, folder: Path, more: list[str]) -> list[str]:
    unit = 'iters' if _counts_iterations(config) else 'epochs'
    options = [
        f'randomness.seed={seed}',
        *(f'{place}.data_root={size.data_root}/' for place in SETS),
        *more,
        f'train_cfg.max_{unit}={length}',
        f'train_cfg.val_interval={length}',
        f'default_hooks.checkpoint.interval={length}',
        'default_hooks.checkpoint.save_best=None',
        'default_hooks.checkpoint.save_optimizer=False',
        'default_hooks.logger.interval=1',  # one line per iteration, with its own time
        'log_processor.window_size=1',
    ]
    return [sys.executable, 'tools/train.py', config, '--work-dir', str(folder), '--cfg-options', *options]
