"""What the study compares: systems, traits, masks and numbers of sheets, and the commands that a user would type."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Optional

from mmengine.config import Config

from mmfusion_plugin.apis.study import decisive_settings, digest, read_config
from mmfusion_plugin.synthetic.herbarium import GENERATION, split_sizes
from mmfusion_plugin.synthetic.herbarium_plant import TRAITS

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = 'image'  # what the others are compared with
TRAIT = 'fruit'  # that of all rows but the first table's: both branches learn it in a short training
SHOTS = (10, 30, 100)  # sheets of each class
MAIN = ('image', 'pointnet', 'simnet')
COLOURS = 'colours'  # the foreground's histogram: what a trait's colour alone gives away
OF_TRAITS = (*MAIN, 'pointnet2', COLOURS)  # PointNet++: its points see their neighbours
UNET, UNET_MASKS = 'unet', 'unet-masks'  # runs that others begin with: training, and masks of all sheets


@dataclass(frozen=True)
class Variant:
    """One row of the study's tables.

    Attributes:
        system: Which config of a :class:`Size` it trains; or :data:`COLOURS`.
        trait: Column of the table that is learned.
        masks: ``'selected'`` (good), ``'complete'`` (of mixed quality) or ``'unet'`` (of the seed's U-Net), in training
            and validation alike.
        shots: Training sheets of each class; None: all.
    """

    system: str
    trait: str = TRAIT
    masks: str = 'selected'
    shots: Optional[int] = None

    @property
    def name(self) -> str:
        """Such as ``simnet-fruit-complete``; a run's folder begins with it."""
        parts = [self.system, self.trait, '' if self.masks == 'selected' else self.masks]
        return '-'.join([part for part in parts if part] + ([f'{self.shots}shots'] if self.shots else []))


POINTS = ('pointnet-6d', 'pointnet2', 'pointnet2-6d', 'simnet-6d', 'simnet-pointnet2')
ABLATION = ('simnet-102points', 'simnet-z0', 'simnet-segmented', 'image-segmented')
ATTENTION = ('simnet-image-to-point', 'simnet-point-to-image', 'simnet-both-ways')
MASKED = ('pointnet', 'simnet', 'simnet-segmented', 'image-segmented')  # what masks can change
FROM_UNET = ('pointnet', 'simnet', 'simnet-segmented')
FEW = ('image', 'simnet')
_ALL = [
    *(Variant(system, trait) for trait in TRAITS for system in OF_TRAITS),
    *(Variant(system) for system in (*POINTS, *ABLATION, *ATTENTION)),
    *(Variant(system, masks='complete') for system in MASKED),
    *(Variant(system, masks='unet') for system in FROM_UNET),
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
        unet: Config of the U-Net.
        unet_length: Of its training, in what this config counts.
        world: More options of the command that makes the sheets.
    """

    data_root: str
    sheets: int
    pixels: tuple[int, int]
    length: int
    configs: str
    networks: dict[str, str]
    unet: str
    unet_length: int
    world: tuple[str, ...] = ()

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
        del plain['unet'], plain['unet_length']  # the digests have them: what changes there spoils no other run
        unet = digest(decisive_settings(load_config(self.unet)), self.unet_length)
        digests = {UNET: unet, UNET_MASKS: unet, **{name: self.digest(variant) for name, variant in VARIANTS.items()}}
        return {**plain, 'generation': GENERATION, 'digests': digests}

    def digest(self, variant: Variant) -> str:
        """Of a variant's resolved config and its options, and of the U-Net that makes its masks."""
        system = REFERENCE if variant.system == COLOURS else variant.system
        settings = [decisive_settings(load_config(self.config(system))), asdict(variant)]
        if variant.masks == 'unet':
            settings += [decisive_settings(load_config(self.unet)), self.unet_length]
        return digest(*settings)


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
        unet='configs/unet/unet-tiny_1xb8_synthetic-herbarium.py',
        unet_length=300,
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
        unet='configs/unet/unet_1xb16-50e_herbarium.py',
        unet_length=10,
    ),
}
# Plain lobes, and no colour that tells anything: can outlines be learned at all?
SIZES['cpu-outlines'] = replace(
    SIZES['cpu'],
    data_root='data/study/herbarium_outlines',
    length=400,
    world=('--difficulty', 'easy', '--plain-fruit'),
)
