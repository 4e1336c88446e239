"""How much models lose when views are few, missing, black, swapped, misaligned or full of holes."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from mmfusion_plugin.engine.launch import build_runner, read_config

from .robustness_conditions import Condition, conditions_for, num_views
from .robustness_report import write_report
from .robustness_rows import Row, Rows, scores
from .study.configs import digest

MEASURED = ('scans', 'miou', 'iou')


class Model(NamedTuple):
    """A checkpoint in the comparison.

    Attributes:
        name: Shown in tables and curves; checkpoints of one name are averaged.
        config: Config file.
        checkpoint: Its weights.
    """

    name: str
    config: str
    checkpoint: str


def compare_robustness(
    models: Sequence[Model],
    values: Mapping[str, Sequence[float]],
    out: Path,
    options: Optional[dict[str, Any]] = None,
) -> list[Row]:
    """Test each model under each condition with its config's test data and evaluator.

    Writes ``robustness.json``, after each test and so that a stopped run goes on where it was, ``robustness.md`` and
    ``robustness.png``. A finished test is known by a digest of model, test data, evaluator and checkpoint as the config
    names them; data that change in place are not noticed.

    Args:
        models: What is compared.
        values: Values of each kind of condition; see
            :data:`~mmfusion_plugin.apis.robustness_conditions.VALUES`.
        out: Folder to write to.
        options: Overrides of every config.

    Returns:
        The rows of this comparison; see :class:`~mmfusion_plugin.apis.robustness_rows.Rows`.

    Raises:
        FileNotFoundError: A config or checkpoint does not exist.
        ValueError: A checkpoint is named twice or does not fit its config, a condition is unknown, or a test gives no
            mIoU.
    """
    _check(models)
    rows, finished = Rows(out / 'robustness.json'), []
    plans = [_plan(model, values, options) for model in models]
    with tqdm(total=sum(len(plan) for _, plan in plans), unit='test') as progress:
        for model, (cfg, plan) in zip(models, plans):
            tester = _Tester(cfg, model, out / 'logs')
            for condition, key, views in plan:
                progress.set_description(f'{model.name}, {condition.kind} {condition.value:g}')
                known = rows.find(key)
                found = {name: known[name] for name in MEASURED} if known else tester.test(condition)
                row = {'key': key, 'model': model.name, 'config': model.config, 'checkpoint': model.checkpoint,
                       'kind': condition.kind, 'value': condition.value, 'views': views, **found}  # fmt: skip
                rows.put(row)
                finished.append(row)
                progress.update()
    write_report(finished, out)
    return finished


def _check(models: Sequence[Model]) -> None:
    for model in models:
        if not Path(model.checkpoint).is_file():
            raise FileNotFoundError(f'checkpoint {model.checkpoint!r} of {model.name} does not exist')
        if models.count(model) > 1:
            raise ValueError(f'{model.checkpoint} is named twice for {model.name}: it would count twice in the mean')


def _plan(
    model: Model, values: Mapping[str, Sequence[float]], options: Optional[dict[str, Any]]
) -> tuple[Config, list[tuple[Condition, str, Optional[int]]]]:
    """The config, and the conditions of its tests, each with its key and its number of views."""
    cfg = read_config(model.config, options)
    weights = hashlib.sha256(Path(model.checkpoint).read_bytes()).hexdigest()
    plain = cfg.to_dict()
    settings = [plain['model'], plain['test_evaluator'], plain.get('test_cfg'), weights]
    return cfg, [
        (case, digest(case.apply(cfg).to_dict()['dataset'], *settings), num_views(cfg, case))
        for case in conditions_for(cfg, values)
    ]


class _Tester:
    """A model that is built and loaded once, when the first condition asks for it.

    Args:
        cfg: Config of the model.
        model: Names of its files.
        work_dir: Folder for the runner's logs.
    """

    def __init__(self, cfg: Config, model: Model, work_dir: Path) -> None:
        self.cfg, self.model, self.work_dir = cfg, model, work_dir
        self._runner: Optional[Runner] = None

    def test(self, condition: Condition) -> Row:
        """What a row of this condition says beside its names: :data:`MEASURED`."""
        loader = condition.apply(self.cfg)
        if self._runner is None:
            self._runner = self._build()
        loop = self._runner.test_loop
        loop.dataloader = self._runner.build_dataloader(loader)
        miou, iou = scores(loop.run())
        return {'scans': len(loop.dataloader.dataset), 'miou': miou, 'iou': iou}

    def _build(self) -> Runner:
        cfg = Config(self.cfg.to_dict(), filename=self.cfg.filename)
        cfg.update(launcher='none', load_from=None, resume=False, log_level='WARNING', work_dir=str(self.work_dir))
        cfg.pop('visualizer', None)  # mmengine keeps one of each name, and nothing is drawn
        cfg.experiment_name = f'{Path(self.model.config).stem}_{uuid.uuid4().hex[:8]}'
        runner = build_runner(cfg)
        runner.register_hook(_Bar())
        runner.call_hook('before_run')
        try:
            # Strictly: weights that a file lacks would be tested as they were drawn.
            runner.load_checkpoint(self.model.checkpoint, strict=True)
        except RuntimeError as error:
            raise ValueError(f'{self.model.checkpoint} does not fit {self.model.config}: {error}') from error
        return runner


class _Bar(Hook):
    """Progress over the batches of a test."""

    def before_test_epoch(self, runner: Runner) -> None:
        """Start a bar."""
        self._bar = tqdm(total=len(runner.test_dataloader), unit='batch', leave=False)

    def after_test_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Go on."""
        self._bar.update()

    def after_test_epoch(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Remove it."""
        self._bar.close()
