"""What the study compares: variants, seeds, and the commands that a user would type for each."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Optional

from mmengine.config import Config

from mmfusion_plugin.apis.study import Run, decisive_settings, digest, plan, read_config
from mmfusion_plugin.converters.scannet_taxonomy import CLASSES
from mmfusion_plugin.synthetic.scannet import GENERATION

ROOT = Path(__file__).resolve().parents[2]

# Flat on a wall or in it: in the generated rooms, only their colour tells these from the wall.
COLOUR = ('picture', 'curtain', 'door', 'window')
OTHERS = tuple(name for name in CLASSES if name not in COLOUR)
GROUPS = {'colour': COLOUR, 'other': OTHERS}

VIEWS = 'views'  # the image network alone; its weights are the beginning of all that have images
ABLATION = ('baseline', 'gsm-fs', 'gsm-bs', 'gsm', 'csm', 'aux', 'unp')  # rows of the paper's table; safnet is its last
SYSTEMS = ('pointnet2', 'mvpnet', 'safnet')
VARIANTS = (VIEWS, 'pointnet2', 'pointnet2-rgb', 'mvpnet', *ABLATION, 'safnet')
WITHOUT_IMAGES = ('pointnet2', 'pointnet2-rgb')
REFERENCE = 'mvpnet'  # what the others are compared with


@dataclass(frozen=True)
class Training:
    """How a variant is trained.

    Attributes:
        config: From the project's folder.
        length: Epochs, or iterations where the config's loop counts these; validated and saved once, at the end.
        options: ``--cfg-options`` of its own.
    """

    config: str
    length: int
    options: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """``'epochs'`` or ``'iters'``, whatever the config counts."""
        return 'iters' if 'max_iters' in load_config(self.config).train_cfg else 'epochs'

    @property
    def checkpoint(self) -> str:
        """Name of the file with its weights."""
        return f'{"iter" if self.unit == "iters" else "epoch"}_{self.length}.pth'


@dataclass(frozen=True)
class Size:
    """How much of everything there is.

    Attributes:
        raw_root: Where the generated world goes.
        data_root: Where it goes when converted.
        scenes: Rooms of it, training and validation.
        val_scenes: Validation rooms among them.
        frames: Of each room.
        mesh_edge: Longest edge of the rooms' meshes (m).
        camera_size: Width and height of its pictures, colour and depth.
        image_size: Width and height of the converted ones.
        trainings: How each variant is trained.
    """

    raw_root: str
    data_root: str
    scenes: int
    val_scenes: int
    frames: int
    mesh_edge: float
    camera_size: tuple[int, int]
    image_size: tuple[int, int]
    trainings: dict[str, Training]

    def settings(self) -> dict:
        """What results depend on, for the file that holds them."""
        plain = json.loads(json.dumps(asdict(self)))
        del plain['trainings']  # each has its digest: one that changes spoils no other
        return {**plain, 'generation': GENERATION, 'digests': {name: self.digest(name) for name in self.trainings}}

    def digest(self, variant: str) -> str:
        """Of a variant's training, and of the image network's with whose weights it begins."""
        names = [variant, VIEWS] if begins_with_views(variant) else [variant]
        trainings = [self.trainings[name] for name in names]
        return digest(*([decisive_settings(load_config(t.config)), t.length, t.options] for t in trainings))


def begins_with_views(variant: str) -> bool:
    """Whether a variant's image network begins with the weights of the run ``views`` of its seed."""
    return variant != VIEWS and variant not in WITHOUT_IMAGES


def load_config(path: str) -> Config:
    """A config, named from the project's folder."""
    return read_config(ROOT / path)


def trainings(views: Training, points: Training, mvpnet: Training, safnet: Training, rows: str) -> dict[str, Training]:
    """Of all variants, in the order of :data:`VARIANTS`; ``rows`` names the ablation's configs, ``{}`` is the row."""
    coloured = replace(points, config=points.config.replace('.py', '-rgb.py'))
    ablation = {name: replace(safnet, config=f'projects/SAFNet/configs/{rows.format(name)}.py') for name in ABLATION}
    return {
        VIEWS: views, 'pointnet2': points, 'pointnet2-rgb': coloured, 'mvpnet': mvpnet, **ablation, 'safnet': safnet,
    }  # fmt: skip


def milestones(*iterations: int) -> str:
    """Option: where the learning rate falls."""
    return f'param_scheduler.0.milestones=[{",".join(map(str, iterations))}]'


# MVPNet's config tests with five; here all systems do with as many as they train with.
THREE_VIEWS = tuple(f'{split}_dataloader.dataset.pipeline.2.num_views=3' for split in ('val', 'test'))
STEPS = 'param_scheduler.0.step_size=320'  # of 1,200 epochs, as 40 of 150
SMALL = Size(
    raw_root='data/study/scannet_raw',
    data_root='data/study/scannet',
    scenes=36,
    val_scenes=6,
    frames=24,
    mesh_edge=0.1,
    camera_size=(320, 240),
    image_size=(80, 60),
    trainings=trainings(
        Training('configs/unet_resnet34/unet-tiny_1xb8_synthetic-scannet.py', 1000),
        Training('configs/pointnet2/pointnet2-tiny_1xb4_synthetic-scannet.py', 400),
        Training('configs/mvpnet/mvpnet-tiny_1xb4_synthetic-scannet.py', 400),
        Training('configs/safnet/safnet-tiny_1xb4_synthetic-scannet.py', 400),
        rows='safnet-tiny_{}_synthetic-scannet',
    ),
)
# The question that 400 iterations leave open: which differences go away with more of them?
LONGER = {name: t if name == VIEWS else replace(t, length=4 * t.length) for name, t in SMALL.trainings.items()}
SIZES = {
    'cpu': SMALL,
    'cpu-long': replace(SMALL, trainings=LONGER),
    # Published widths, image size and optimisers on one GPU. 160 training rooms are 5 iterations an epoch: 1,200 epochs
    # are 6,000 iterations, as many as MVPNet gets here, and about those of SAFNet's 150 epochs of 1,201 scans (5,550).
    # Learning rates fall at the published shares of the schedules.
    'gpu': Size(
        raw_root='data/study_large/scannet_raw',
        data_root='data/study_large/scannet',
        scenes=200,
        val_scenes=40,
        frames=60,
        mesh_edge=0.05,
        camera_size=(640, 480),
        image_size=(160, 120),
        trainings=trainings(
            Training('configs/unet_resnet34/unet-resnet34_1xb32-80k_scannet.py', 12000, (milestones(9000, 10500),)),
            Training('configs/pointnet2/pointnet2-ssg_1xb32-150e_scannet.py', 1200, (STEPS,)),
            Training('configs/mvpnet/mvpnet_1xb32-40k_scannet.py', 6000, (milestones(3600, 4800), *THREE_VIEWS)),
            Training('configs/safnet/safnet_1xb32-150e_scannet-3views.py', 1200, (STEPS,)),
            rows='safnet_{}_scannet-3views',
        ),
    ),
}


def plan_runs(variants: list[str], seeds: list[int]) -> list[Run]:
    """All runs, seed after seed; each seed begins with the image network where a variant needs it."""
    first = [VIEWS] if any(begins_with_views(name) for name in variants) else []
    return plan([*first, *(name for name in variants if name not in first)], seeds)


def checkpoint_of(size: Size, run: Run, work_dir: Path) -> Path:
    """Weights that a run leaves below the study's ``work_dir``."""
    return work_dir / run.name / size.trainings[run.variant].checkpoint


def training_command(size: Size, run: Run, work_dir: Path, load_from: Optional[Path] = None) -> list[str]:
    """The training of a run in a folder of its own.

    Args:
        size: Of the study.
        run: Variant and seed. Order of samples and their augmentation depend on the seed alone
            (``ReproducibleHook``).
        work_dir: Gets logs and checkpoint.
        load_from: Weights to begin with; the config's own never are.
    """
    training = size.trainings[run.variant]
    options = [
        f'randomness.seed={run.seed}',
        *(f'{split}_dataloader.dataset.data_root={size.data_root}/' for split in ('train', 'val', 'test')),
        f'train_cfg.max_{training.unit}={training.length}',
        f'train_cfg.val_interval={training.length}',
        f'default_hooks.checkpoint.interval={training.length}',
        'default_hooks.checkpoint.save_best=None',
        'default_hooks.checkpoint.save_optimizer=False',
        'default_hooks.logger.interval=1',  # one line per iteration, with its own time
        'log_processor.window_size=1',
        f'load_from={load_from}',
        *training.options,
    ]
    command = [sys.executable, 'tools/train.py', training.config, '--work-dir', str(work_dir)]
    return [*command, '--cfg-options', *options]


def world_commands(size: Size, workers: int) -> list[list[str]]:
    """How the world is made and converted; what is finished is not made again."""
    camera, image = ([str(length) for length in pair] for pair in (size.camera_size, size.image_size))
    make = ['tools/make_synthetic.py', 'scannet', '--out', size.raw_root, '--scenes', str(size.scenes)]
    make += ['--val-scenes', str(size.val_scenes), '--test-scenes', '0', '--frames', str(size.frames), '--seed', '0']
    make += ['--color-size', *camera, '--depth-size', *camera, '--mesh-edge', str(size.mesh_edge)]
    convert = ['tools/create_data.py', 'scannet', '--root-path', size.raw_root, '--out-dir', size.data_root]
    convert += ['--image-size', *image]
    return [[sys.executable, *command, '--workers', str(workers)] for command in (make, convert)]
