"""What the study compares: trainings, baselines and numbers of models, and the commands that a user would type."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mmengine.config import Config

from mmfusion_plugin.apis.study import Run, decisive_settings, digest, plan, read_config
from mmfusion_plugin.synthetic.shapenet import GENERATION

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = ('cd', 'cd-emd', 'diversity', 'psgn-mlp')
REFERENCE = 'cd-emd'  # what the others are compared with
BASELINES = ('mean-shape', 'nearest-image')  # nothing in them depends on a seed: each is one run, called seed 0
SAMPLED = {name: f'{name}-samples' for name in ('cd-emd', 'diversity')}  # run that draws from a finished training
DIVERSITY = ('model.head.loss_diversity.type=DiversityLoss', 'model.head.loss_diversity.loss_weight=10.0')


@dataclass(frozen=True)
class Training:
    """How a variant is trained: a config, from the project's folder, and ``--cfg-options`` of its own."""

    config: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Size:
    """How much of everything there is.

    Attributes:
        data_root: Where the generated models go.
        models: Of each of the 13 categories; a fifth of them to validate.
        views: Pictures of each.
        val_views: How many of these, the first, are scored of each validation model.
        samples: Clouds drawn of each of these pictures.
        length: Epochs, or iterations where the configs count these; validated once, at the end.
        trainings: Of all variants.
        options: ``--cfg-options`` of all trainings.
    """

    data_root: str
    models: int
    views: int
    val_views: int
    samples: int
    length: int
    trainings: dict[str, Training]
    options: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """``'epochs'`` or ``'iters'``, whatever the configs count."""
        return 'iters' if 'max_iters' in load_config(self.trainings[REFERENCE].config).train_cfg else 'epochs'

    @property
    def checkpoint(self) -> str:
        """Name of the file with a training's weights."""
        return f'{"iter" if self.unit == "iters" else "epoch"}_{self.length}.pth'

    @property
    def data_options(self) -> list[str]:
        """``--cfg-options`` of trainings and baselines alike: the models, and how a prediction is scored."""
        sets = [f'{split}_dataloader.dataset' for split in ('train', 'val', 'test')]
        views = f'[{",".join(map(str, range(self.val_views)))}]'
        return [
            *(f'{place}.data_root={self.data_root}/' for place in sets),
            *(f'{place}.num_views={self.views}' for place in sets),
            *(f'{place}.views={views}' for place in sets[1:]),
            'val_evaluator.emd=exact',
        ]

    def settings(self) -> dict:
        """What results depend on, for the file that holds them."""
        plain = json.loads(json.dumps(asdict(self)))
        del plain['trainings']  # each has its digest: one that changes spoils no other
        return {**plain, 'generation': GENERATION, 'digests': self.digests()}

    def digests(self) -> dict[str, str]:
        """Of what each run depends on: its resolved config and options; of a baseline, the data and the scores."""
        found = {}
        for name, training in self.trainings.items():
            settings = decisive_settings(load_config(training.config))
            found[name] = digest(settings, training.options)
            if name in SAMPLED:
                found[SAMPLED[name]] = found[name]
            if name == REFERENCE:
                data = [settings[key] for key in ('train_dataloader', 'val_dataloader', 'val_evaluator')]
                points = settings['model']['head']['num_points']
                found.update({baseline: digest(baseline, data, points) for baseline in BASELINES})
        return found


def load_config(path: str) -> Config:
    """A config, named from the project's folder."""
    return read_config(ROOT / path)


def _config(name: str) -> Training:
    return Training(f'configs/reconstnet/{name}.py')


SMALL = Size(
    data_root='data/study/shapenet',
    models=60,
    views=12,
    val_views=3,
    samples=6,
    length=300,
    trainings={
        'cd': _config('reconstnet-tiny_1xb16_synthetic-shapenet-cd'),
        'cd-emd': _config('reconstnet-tiny_1xb16_synthetic-shapenet'),
        'diversity': _config('reconstnet-tiny_1xb16_synthetic-shapenet-diversity'),
        'psgn-mlp': _config('psgn-mlp-tiny_1xb16_synthetic-shapenet'),
    },
)
# The question that 300 iterations leave open: do longer trainings beat the nearest image?
LONG = replace(SMALL, length=1500)
SIZES = {
    'cpu': SMALL,
    'cpu-long': LONG,
    # ResNet-50 with ImageNet's weights, which are downloaded, and 1024 points at 128 x 128 pixels on one GPU. The
    # learning rate is halved at the published shares of the schedule.
    'gpu': Size(
        data_root='data/study_large/shapenet',
        models=200,
        views=24,
        val_views=3,
        samples=6,
        length=20,
        trainings={
            'cd': _config('reconstnet_1xb32-50e_shapenet-cd'),
            'cd-emd': _config('reconstnet_1xb32-50e_shapenet'),
            'diversity': replace(_config('reconstnet_1xb32-50e_shapenet'), options=DIVERSITY),
            'psgn-mlp': _config('psgn-mlp_1xb32-50e_shapenet'),
        },
        options=('param_scheduler.0.milestones=[8,16]',),
    ),
}


def plan_runs(names: list[str], seeds: list[int]) -> list[Run]:
    """The baselines among ``names``, then seed after seed the trainings, each with what draws from it."""
    trained = [name for name in VARIANTS if name in names]
    rows = [row for name in trained for row in (name, SAMPLED.get(name)) if row]
    return [*plan([name for name in BASELINES if name in names], [0]), *plan(rows, seeds)]


def training_command(size: Size, run: Run, work_dir: Path) -> list[str]:
    """The training of a run in a folder of its own, its scores in ``work_dir/scores``; order of samples and true points
    depend on the seed alone (``ReproducibleHook``)."""
    training = size.trainings[run.variant]
    options = [
        f'randomness.seed={run.seed}',
        *size.data_options,
        f'val_evaluator.out_dir={work_dir / "scores"}',
        f'train_cfg.max_{size.unit}={size.length}',
        f'train_cfg.val_interval={size.length}',
        f'default_hooks.checkpoint.interval={size.length}',
        'default_hooks.checkpoint.save_best=None',
        'default_hooks.checkpoint.save_optimizer=False',
        'default_hooks.logger.interval=1',  # one line per iteration, with its own time
        'log_processor.window_size=1',
        *training.options,
        *size.options,
    ]
    command = [sys.executable, 'tools/train.py', training.config, '--work-dir', str(work_dir)]
    return [*command, '--cfg-options', *options]


def sampling_command(size: Size, trained: Run, work_dir: Path, out: Path) -> list[str]:
    """Clouds drawn by a training that ``work_dir`` holds, with the config that it has written there."""
    config, weights = work_dir / Path(size.trainings[trained.variant].config).name, work_dir / size.checkpoint
    script = str(Path('projects', '3D-ReConstNet', 'sample_spread.py'))
    return [sys.executable, script, str(config), str(weights), '--samples', str(size.samples), '--out', str(out)]


def baseline_command(size: Size, name: str, out: Path) -> list[str]:
    """A baseline's fit on the training pictures of :data:`REFERENCE`, and its scores in ``out``."""
    script, config = str(Path('projects', '3D-ReConstNet', 'score_baseline.py')), size.trainings[REFERENCE].config
    return [sys.executable, script, name, config, '--out', str(out), '--cfg-options', *size.data_options]


def world_command(size: Size, workers: int) -> list[str]:
    """How the models are made; what is finished is not made again."""
    make = ['tools/make_synthetic.py', 'shapenet', '--out', size.data_root, '--models', str(size.models)]
    return [sys.executable, *make, '--views', str(size.views), '--seed', '0', '--workers', str(workers)]
