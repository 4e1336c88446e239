"""What the study compares: variants, seeds, and the commands that a user would type for each."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from mmengine.config import Config

from mmfusion_plugin.apis.study import Run, decisive_settings, digest, read_config
from mmfusion_plugin.converters.boxes_2d_degrade import LEVELS
from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES
from mmfusion_plugin.synthetic.nuscenes import GENERATION

ROOT = Path(__file__).resolve().parents[2]

# The classes of 2DDATA's boxes of interest: adult and child are both pedestrians to the LiDAR labels.
INTEREST = ('pedestrian', 'bicycle', 'car', 'truck', 'motorcycle')
OTHERS = tuple(name for name in CLASSES if name not in INTEREST)
GROUPS = {'interest': INTEREST, 'other': OTHERS}
REFERENCE = '2dpass'  # what the others are compared with


@dataclass(frozen=True)
class Variant:
    """One row of the study's table.

    Attributes:
        system: Which config of a :class:`Size` it trains.
        options: ``--cfg-options`` of its own.
        box_level: Degradation of its training boxes, 0: as annotated (``tools/dataset_converters/degrade_boxes.py``).
        masks: Its training boxes are those of instance masks (``tools/dataset_converters/boxes_from_coco.py``).
    """

    system: str
    options: tuple[str, ...] = ()
    box_level: int = 0
    masks: bool = False

    @property
    def infos(self) -> str:
        """Name of its training infos, below the world's folder."""
        ending = '_masks' if self.masks else f'_boxes{self.box_level}' if self.box_level else ''
        return f'nuscenes_infos_train{ending}.json'

    @property
    def has_boxes(self) -> bool:
        """Whether its training uses 2D boxes."""
        return self.system == '2ddata'


BRANCH = 'model.object_branch'
VARIANTS = {
    'lidar-only': Variant('lidar'),
    '2dpass': Variant('2dpass'),
    '2ddata': Variant('2ddata'),
    'branch-alone': Variant('2ddata', ('model.fusion=None',)),
    'boxes-1': Variant('2ddata', box_level=1),
    'boxes-2': Variant('2ddata', box_level=2),
    'boxes-3': Variant('2ddata', box_level=3),
    'kl-0': Variant('2ddata', (f'{BRANCH}.kl_weight=0.0',)),
    'kl-0.5': Variant('2ddata', (f'{BRANCH}.kl_weight=0.5',)),
    # The step LoadBoxes2D, as in configs/2ddata*_masks_*.py.
    'masks': Variant('2ddata', ('train_dataloader.dataset.pipeline.3.with_masks=True',), masks=True),
}
OPEN_QUESTIONS = ('kl-0', 'kl-0.5', 'masks')  # trained when asked for
CORE = tuple(name for name in VARIANTS if name not in OPEN_QUESTIONS)


@dataclass(frozen=True)
class Size:
    """How much of everything there is.

    Attributes:
        data_root: Where the generated world goes.
        scenes: Scenes of it, a fifth of which are for validation.
        keyframes: Samples a scene.
        epochs: Of each training; validated once, at the end.
        configs: Config of each system.
        options: ``--cfg-options`` for all.
        flags: Further flags of ``tools/train.py`` for all.
    """

    data_root: str
    scenes: int
    keyframes: int
    epochs: int
    configs: dict[str, str]
    options: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def settings(self) -> dict:
        """What results depend on, for the file that holds them."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        digests = {name: self.digest(variant) for name, variant in VARIANTS.items()}
        return {**plain, 'generation': GENERATION, 'digests': digests}

    def digest(self, variant: Variant) -> str:
        """Of a variant's resolved config, its options, and the quality of its boxes."""
        level = asdict(LEVELS[variant.box_level])
        return digest(
            decisive_settings(load_config(self.configs[variant.system])), variant.options, variant.infos, level
        )


def load_config(path: str) -> Config:
    """A config, named from the project's folder."""
    return read_config(ROOT / path)


SIZES = {
    'cpu': Size(
        data_root='data/study/nuscenes',
        scenes=14,
        keyframes=4,
        epochs=8,
        configs={
            'lidar': 'configs/point_voxel/point-voxel-tiny_1xb2-demo_synthetic-nuscenes.py',
            '2dpass': 'configs/2dpass/2dpass-tiny_1xb2-demo_synthetic-nuscenes.py',
            '2ddata': 'configs/2ddata/2ddata-tiny_1xb2-demo_synthetic-nuscenes.py',
        },
    ),
    # Published widths and image size on one GPU: the learning rate of 32 samples is scaled to the 8 of this GPU.
    'gpu': Size(
        data_root='data/study_large/nuscenes',
        scenes=60,
        keyframes=10,
        epochs=24,
        configs={
            'lidar': 'configs/point_voxel/point-voxel_4xb8-80e_nuscenes-lidarseg.py',
            '2dpass': 'configs/2dpass/2dpass_4xb8-80e_nuscenes-lidarseg.py',
            '2ddata': 'configs/2ddata/2ddata_4xb8-80e_nuscenes-lidarseg.py',
        },
        options=('param_scheduler.0.T_max=24',),
        flags=('--amp', '--auto-scale-lr'),
    ),
}


def training_command(size: Size, run: Run, work_dir: Path) -> list[str]:
    """The training of a run. Weights of the 3D network, order of samples and, among variants that load images, their
    augmentation depend on the seed alone (``ReproducibleHook``)."""
    variant, last = VARIANTS[run.variant], size.epochs
    options = [
        f'randomness.seed={run.seed}',
        *(f'{split}_dataloader.dataset.data_root={size.data_root}/' for split in ('train', 'val', 'test')),
        f'train_dataloader.dataset.ann_file={variant.infos}',
        f'train_cfg.max_epochs={last}',
        f'train_cfg.val_interval={last}',
        f'default_hooks.checkpoint.interval={last}',
        'default_hooks.checkpoint.save_best=None',
        'default_hooks.logger.interval=1',  # one line per iteration, with its own time
        'log_processor.window_size=1',
        *size.options,
        *variant.options,
    ]
    command = [sys.executable, 'tools/train.py', size.configs[variant.system], '--work-dir', str(work_dir)]
    return [*command, *size.flags, '--cfg-options', *options]


def world_commands(size: Size, workers: int, masks: bool = False) -> list[list[str]]:
    """How the world, and its instance masks, are made and converted; what is finished is not made again."""
    make = ['tools/make_synthetic.py', 'nuscenes', '--out', size.data_root, '--scenes', str(size.scenes)]
    make += ['--keyframes', str(size.keyframes), '--seed', '0', '--workers', str(workers)]
    convert = ['tools/create_data.py', 'nuscenes', '--root-path', size.data_root, '--max-sweeps', '0']
    commands = [make, [*make, '--masks']] if masks else [make]
    if not (Path(size.data_root) / 'nuscenes_infos_val.json').is_file():
        commands.append([*convert, '--workers', str(workers)])
    return [[sys.executable, *command] for command in commands]
