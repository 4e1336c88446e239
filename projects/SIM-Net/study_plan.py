"""What the study compares: systems, traits, masks and numbers of sheets, and the commands that a user would type."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from mmengine.config import Config

from mmfusion_plugin.apis.study import Run, decisive_settings, digest, read_config
from mmfusion_plugin.synthetic.herbarium import GENERATION, split_sizes
from mmfusion_plugin.synthetic.herbarium_plant import TRAITS

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = 'image'  # what the others are compared with
TRAIT = 'fruit'  # that of all rows but the first table's: both branches learn it in a short training
SHOTS = (10, 30, 100)  # sheets of each class
MAIN = ('image', 'pointnet', 'simnet')


@dataclass(frozen=True)
class Variant:
    """One row of the study's tables.

    Attributes:
        system: Which config of a :class:`Size` it trains.
        trait: Column of the table that is learned.
        masks: ``'selected'`` (good) or ``'complete'`` (of mixed quality), in training and validation alike.
        shots: Training sheets of each class; None: all.
    """

    system: str
    trait: str = TRAIT
    masks: str = 'selected'
    shots: Optional[int] = None

    @property
    def name(self) -> str:
        """Such as ``simnet-fruit-complete``; a run's folder begins with it."""
        parts = [self.system, self.trait, 'complete' if self.masks == 'complete' else '']
        return '-'.join([part for part in parts if part] + ([f'{self.shots}shots'] if self.shots else []))


POINTS = ('pointnet-6d', 'pointnet2', 'pointnet2-6d', 'simnet-6d', 'simnet-pointnet2')
ABLATION = ('simnet-102points', 'simnet-z0', 'simnet-segmented', 'image-segmented')
ATTENTION = ('simnet-image-to-point', 'simnet-point-to-image', 'simnet-both-ways')
MASKED = ('pointnet', 'simnet', 'simnet-segmented', 'image-segmented')  # what masks can change
FEW = ('image', 'simnet')
_ALL = [
    *(Variant(system, trait) for trait in TRAITS for system in MAIN),
    *(Variant(system) for system in (*POINTS, *ABLATION, *ATTENTION)),
    *(Variant(system, masks='complete') for system in MASKED),
    *(Variant(system, shots=shots) for shots in SHOTS for system in FEW),
]
VARIANTS = {variant.name: variant for variant in _ALL}


@dataclass(frozen=True)
class Size:
    """How much of everything there is.

    Attributes:
        data_root: Where the generated sheets go.
        sheets: Three, one and one fifth of them to train, validate and test.
        pixels: Width and height of a sheet.
        length: Epochs, or iterations where the configs count these; validated once, at the end.
        configs: Pattern of the configs' names: ``{}`` is the network and ``{}`` what is changed about it.
        networks: Name of each network in that pattern.
        options: ``--cfg-options`` for all.
    """

    data_root: str
    sheets: int
    pixels: tuple[int, int]
    length: int
    configs: str
    networks: dict[str, str]
    options: tuple[str, ...] = ()

    def config(self, system: str) -> str:
        """A system's config, from the project's folder."""
        for name in sorted(self.networks, key=len, reverse=True):
            if system == name or system.startswith(f'{name}-'):
                return self.configs.format(self.networks[name], system[len(name):])
        raise ValueError(f'{system} is none of {", ".join(self.networks)}')

    @property
    def unit(self) -> str:
        """``'epochs'`` or ``'iters'``, whatever the configs count."""
        return 'iters' if 'max_iters' in load_config(self.config(REFERENCE)).train_cfg else 'epochs'

    def length_of(self, variant: Variant) -> int:
        """Epochs or iterations; with few sheets as many iterations as with all."""
        if self.unit == 'iters' or variant.shots is None:
            return self.length
        batch = load_config(self.config(variant.system)).train_dataloader.batch_size
        batches = [-(-count // batch) for count in (split_sizes(self.sheets)[0], 2 * variant.shots)]
        return self.length * batches[0] // batches[1]

    def settings(self) -> dict:
        """What results depend on, for the file that holds them."""
        plain = json.loads(json.dumps(asdict(self)))
        digests = {name: self.digest(variant) for name, variant in VARIANTS.items()}
        return {**plain, 'generation': GENERATION, 'digests': digests}

    def digest(self, variant: Variant) -> str:
        """Of a variant's resolved config and its options."""
        return digest(decisive_settings(load_config(self.config(variant.system))), asdict(variant))


def load_config(path: str) -> Config:
    """A config, named from the project's folder."""
    return read_config(ROOT / path)


SIZES = {
    'cpu': Size(
        data_root='data/study/herbarium',
        sheets=1500,
        pixels=(256, 384),
        length=180,
        configs='configs/simnet/{}_1xb32_synthetic-herbarium{}.py',
        networks={
            'image': 'resnet-tiny',
            'pointnet': 'pointnet-tiny',
            'pointnet2': 'pointnet2-tiny',
            'simnet': 'simnet-tiny',
            'simnet-pointnet2': 'simnet-tiny-pointnet2',
        },
    ),
    # ResNet-101 with ImageNet's weights, which are downloaded, at 224 x 224 pixels on one GPU.
    'gpu': Size(
        data_root='data/study_large/herbarium',
        sheets=5000,
        pixels=(640, 960),
        length=20,
        configs='configs/simnet/{}_1xb32-50e_herbarium{}.py',
        networks={
            'image': 'resnet101',
            'pointnet': 'pointnet',
            'pointnet2': 'pointnet2',
            'simnet': 'simnet_r101-pointnet',
            'simnet-pointnet2': 'simnet_r101-pointnet2',
        },
    ),
}


def training_command(size: Size, run: Run, work_dir: Path) -> list[str]:
    """The training of a run in a folder of its own; order of samples and their augmentation depend on the seed alone
    (``ReproducibleHook``)."""
    variant = VARIANTS[run.variant]
    length = size.length_of(variant)
    sets = [f'{split}_dataloader.dataset' for split in ('train', 'val', 'test')]
    options = [
        f'randomness.seed={run.seed}',
        *(f'{place}.data_root={size.data_root}/' for place in sets),
        *(f'{place}.trait={variant.trait}' for place in sets),
        *(f'{place}.mask_root=masks_{variant.masks}' for place in sets),
        f'train_dataloader.dataset.few_shot={variant.shots}',
        f'train_cfg.max_{size.unit}={length}',
        f'train_cfg.val_interval={length}',
        f'default_hooks.checkpoint.interval={length}',
        'default_hooks.checkpoint.save_best=None',
        'default_hooks.checkpoint.save_optimizer=False',
        'default_hooks.logger.interval=1',  # one line per iteration, with its own time
        'log_processor.window_size=1',
        *size.options,
    ]
    command = [sys.executable, 'tools/train.py', size.config(variant.system), '--work-dir', str(work_dir)]
    return [*command, '--cfg-options', *options]


def world_command(size: Size, workers: int) -> list[str]:
    """How the sheets are made; what is finished is not made again."""
    make = ['tools/make_synthetic.py', 'herbarium', '--out', size.data_root, '--sheets', str(size.sheets)]
    make += ['--size', *map(str, size.pixels), '--seed', '0', '--workers', str(workers)]
    return [sys.executable, *make]
