"""The study's trainings and results file, as the package's study takes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from study_commands import (
    colours_command,
    masks_command,
    masks_folder,
    training_command,
    unet_checkpoint,
    unet_command,
)
from study_plan import COLOURS, MAIN, POINTS, TRAIT, UNET, UNET_MASKS, VARIANTS, Size, Variant, load_config

from mmfusion_plugin.apis.study import Results, Run, Task, read_metrics

METRICS = {'accuracy/top1': 'accuracy', 'single-label/f1-score': 'f1'}  # as MMPreTrain logs them, in percent
TIMED = tuple(Variant(system, TRAIT).name for system in (*MAIN, *POINTS))
ITERATIONS = 10  # of a timing


def open_results(path: Path, size: Size) -> Results:
    """The results file of a size; errors as in :class:`Results`."""
    return Results(path, size.settings(), (*VARIANTS, UNET, UNET_MASKS))


def tasks(size: Size, runs: list[Run], work_dir: Path) -> list[Task]:
    """All ``runs``, each in a folder of its own; those on a U-Net's masks wait for these, which wait for the U-Net."""
    return [_task(size, run, work_dir) for run in runs]


def _task(size: Size, run: Run, work_dir: Path) -> Task:
    folder, unet = work_dir / run.name, work_dir / Run(UNET, run.seed).name
    masks = masks_folder(work_dir, run.seed)
    if run.variant == UNET:
        command = unet_command(size, run.seed, folder)
        return Task(run, command, folder, {'config': size.unet}, product=unet_checkpoint(size, folder))
    if run.variant == UNET_MASKS:
        product = masks / 'make_masks.json'
        return Task(run, masks_command(size, unet, masks), folder, needs=Run(UNET, run.seed), product=product)
    variant = VARIANTS[run.variant]
    if variant.system == COLOURS:
        return Task(run, colours_command(size, variant.trait, folder), folder)
    notes = {'config': size.config(variant.system)}
    if variant.masks == 'unet':
        command = training_command(size, run, folder, str(masks.absolute()))
        return Task(run, command, folder, notes, needs=Run(UNET_MASKS, run.seed))
    return Task(run, training_command(size, run, folder), folder, notes)


def score(task: Task) -> dict:
    """Accuracy and macro F1 of a training, or IoU and Dice of a U-Net, in 0..1."""
    if task.run.variant == UNET:
        return read_metrics(task.work_dir, {'iou': 'iou', 'dice': 'dice'})
    if task.run.variant == UNET_MASKS:
        return {}
    if VARIANTS[task.run.variant].system == COLOURS:
        return json.loads((task.work_dir / 'colours.json').read_text())
    logged = read_metrics(task.work_dir, METRICS)
    return {**logged, **{key: logged[key] / 100 for key in METRICS.values()}}


def summary(entry: dict) -> str:
    """What is said of a finished run."""
    names = {'accuracy': 'accuracy', 'f1': 'F1', 'iou': 'IoU', 'dice': 'Dice'}
    return ', '.join(f'{name} {100 * entry[key]:.1f}' for key, name in names.items() if key in entry) or 'done'


def timing_command(size: Size, variant: str, work_dir: Path) -> list[str]:
    """The variant's training for a few iterations, without validation."""
    length = ITERATIONS if size.unit == 'iters' else 1
    limits = [f'train_cfg.val_begin={length + 1}']
    if size.unit == 'epochs':
        batch = load_config(size.config(VARIANTS[variant].system)).train_dataloader.batch_size
        limits.append(f'train_dataloader.dataset.indices={ITERATIONS * batch}')
    return training_command(replace(size, length=length), Run(variant, 0), work_dir, more=limits)
