"""What the study compares: trainings, what is measured of each, baselines, and numbers of models."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from make_sketches import STYLE
from mmengine.config import Config

from mmfusion_plugin.apis.study import Run, decisive_settings, digest, read_config
from mmfusion_plugin.synthetic.shapenet import GENERATION

ROOT = Path(__file__).resolve().parents[2]
EMBEDDERS = ('cisp', 'cisp-cnn', 'cisp-batch-16', 'cisp-narrow')
DENOISERS = ('ic3d-cisp', 'ic3d-images', 'ic3d-unguided')
TRAININGS = (*EMBEDDERS, 'classifier', *DENOISERS)
EMBEDDER, REFERENCE = 'cisp', 'ic3d-cisp'  # what the others are compared with
PATHS = {f'{name}-paths': name for name in DENOISERS[:2]}  # measured by score_paths.py, of a training
BASELINES = ('retrieved', 'random-category', 'random', 'retrieved-sketches')  # of score_baseline.py
ONE = ('model.sampling.num_samples=1',)
# An exact EMD of 2048 points takes seconds, and of 512 a thirtieth of one.
EMD = (*ONE, 'test_evaluator.points=512', 'test_evaluator.emd=exact', 'test_evaluator.set_distances=[emd]')


@dataclass(frozen=True)
class Training:
    """How something is trained.

    Attributes:
        config: From the project's folder.
        length: Epochs, or iterations where the config counts these.
        options: ``--cfg-options`` of its own.
        encoder: Training whose image network it takes over, frozen.
    """

    config: str
    length: int
    options: tuple[str, ...] = ()
    encoder: Optional[str] = None

    @property
    def unit(self) -> str:
        """``'epochs'`` or ``'iters'``, whatever the config counts."""
        return 'iters' if 'max_iters' in load_config(self.config).train_cfg else 'epochs'

    @property
    def checkpoint(self) -> str:
        """Name of the file with its weights."""
        return f'{"iter" if self.unit == "iters" else "epoch"}_{self.length}.pth'


@dataclass(frozen=True)
class Test:
    """What tools/test.py measures of a finished training on the part ``test``.

    Attributes:
        trained: Which training.
        options: ``--cfg-options``, beside those of the training.
        sketches: Show the network sketches in place of the pictures.
    """

    trained: str
    options: tuple[str, ...] = ()
    sketches: bool = False


def tests_of(steps: int) -> dict[str, Test]:
    """All tests, of networks that draw shapes in so many steps otherwise."""
    return {
        **{f'{name}-sketches': Test(name, sketches=True) for name in EMBEDDERS[:2]},
        **{f'{name}-shapes': Test(name) for name in DENOISERS},
        **{f'{name}-one': Test(name, ONE) for name in DENOISERS[:2]},  # beside which the following stand
        **{f'{name}-sketches': Test(name, ONE, sketches=True) for name in DENOISERS[:2]},
        **{f'ic3d-cisp-w{w}': Test('ic3d-cisp', (*ONE, f'model.sampling.guidance={w}')) for w in (0, 3)},
        'ic3d-cisp-half-steps': Test('ic3d-cisp', (*ONE, f'model.sampling.steps={steps // 2}')),
        'ic3d-cisp-twice-steps': Test('ic3d-cisp', (*ONE, f'model.sampling.steps={steps * 2}')),
        **{f'{name}-emd': Test(name, EMD) for name in DENOISERS},
    }


TESTS = tuple(tests_of(2))
VARIANTS = (*TRAININGS, *TESTS, *PATHS, *BASELINES)
CORE = tuple(name for name in VARIANTS if not name.endswith('-emd'))


@dataclass(frozen=True)
class Size:
    """How much of everything there is.

    Attributes:
        data_root: Where the generated models go.
        models: Of each of the 13 categories, of which the five of CISP are used; a fifth of them to test.
        views: Pictures of each.
        samples: Shapes drawn for each test picture.
        steps: In which they are drawn.
        pairs: Of test models of each category between which shapes are drawn, and as many across categories.
        trainings: By name; 'classifier' only where it has to be trained.
        sampling: ``--cfg-options`` of the networks that draw.
        scoring: ``--cfg-options`` of their tests, and of the baselines.
    """

    data_root: str
    models: int
    views: int
    samples: int
    steps: int
    pairs: int
    trainings: dict[str, Training]
    sampling: tuple[str, ...] = ()
    scoring: tuple[str, ...] = ('test_evaluator.points=2048', 'test_evaluator.emd=none')

    @property
    def sketches(self) -> str:
        """Where the sketches go."""
        return f'{self.data_root}_sketches'

    @property
    def tests(self) -> dict[str, Test]:
        """By name."""
        return tests_of(self.steps)

    def needs(self, name: str) -> Optional[str]:
        """The training that a run begins with."""
        if name in self.trainings:
            return self.trainings[name].encoder
        if name in BASELINES:
            return EMBEDDER if name.startswith('retrieved') else None
        return PATHS[name] if name in PATHS else self.tests[name].trained

    def settings(self) -> dict:
        """What results depend on, for the file that holds them."""
        plain = json.loads(json.dumps(asdict(self)))
        del plain['trainings']  # each has its digest: one that changes spoils no other
        return {**plain, 'generation': GENERATION, 'digests': self.digests()}

    def digests(self) -> dict[str, str]:
        """Of what each run depends on: of a training, its resolved config, options and encoder; of what is measured,
        its training, options, data and scores."""
        found: dict[str, str] = {}
        for name, training in self.trainings.items():
            settings = decisive_settings(load_config(training.config))
            found[name] = digest(settings, training.length, training.options, found.get(training.encoder or ''))
        for name, test in self.tests.items():
            cfg = load_config(self.trainings[test.trained].config).to_dict()
            scored = [cfg[key] for key in ('test_dataloader', 'test_evaluator')]
            found[name] = digest(found[test.trained], test.options, scored, STYLE if test.sketches else None)
        found.update({name: digest(found[trained]) for name, trained in PATHS.items()})
        cfg = load_config(self.trainings[REFERENCE].config).to_dict()
        for name in BASELINES:
            begun = found[EMBEDDER] if self.needs(name) else None
            style = STYLE if name.endswith('sketches') else None
            found[name] = digest(name, begun, cfg['test_dataloader'], cfg['test_evaluator'], style)
        return found


def load_config(path: str) -> Config:
    """A config, named from the project's folder."""
    return read_config(ROOT / path)


def plan_runs(size: Size, names: list[str], seeds: list[int]) -> list[Run]:
    """Seed after seed ``names``, and what they need; the trainings first."""
    wanted = {name for name in names if name in size.trainings or name not in TRAININGS}
    for name in reversed(VARIANTS):
        needed = size.needs(name) if name in wanted else None
        wanted |= {needed} if needed else set()
    return [Run(name, seed) for seed in seeds for name in VARIANTS if name in wanted]
