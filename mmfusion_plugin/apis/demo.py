"""The whole way once, on generated streets: raw data, conversion, 2DDATA beside its LiDAR-only baseline, a submission.

Each stage is the command that a user would type for the real dataset; this module only runs them in order, stops at the
first that fails, and gathers what they wrote. Every stage resumes or skips what it finds done, so the demo can be
interrupted and started again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmfusion_plugin.apis.demo_report import DemoScores, draw_pictures, score_baselines, score_submission
from mmfusion_plugin.engine.config_files import read_config_file
from mmfusion_plugin.evaluation.nuscenes_submission import submission_paths
from mmfusion_plugin.files import write_text
from mmfusion_plugin.synthetic.nuscenes import GENERATION
from mmfusion_plugin.version import __version__

RESULTS = ('lidar_only', '2ddata', 'submission', 'pictures')  # folders of results in the demo's work_dir


@dataclass(frozen=True)
class DemoOptions:
    """Where the demo works and how much of it there is.

    Attributes:
        config: Config of the segmentor that images teach; its ``data_root`` says where the generated world lies.
        baseline: Config of the same network on points alone. It also runs the taught network's weights, once its
            training branches are taken out.
        work_dir: Everything the demo writes beside the world.
        scenes: Generated scenes; one in five is for validation.
        keyframes: Keyframes a scene.
        processes: Training processes (GPUs, or gloo processes on a machine without one).
        workers: Processes that generate and convert the world.
    """

    config: str
    baseline: str
    work_dir: Path
    scenes: int = 10
    keyframes: int = 4
    processes: int = 1
    workers: int = 2


class DemoProgress:
    """What an earlier, perhaps interrupted run of the same demo has spent; results of another demo are removed.

    Args:
        work_dir: Created where missing. An old ``summary.json`` is removed: it appears when all stages are done.
        mark: :func:`fingerprint`. Where the one in ``work_dir/progress.json`` differs, training would resume from
            another world's or config's weights, so everything but the world goes.

    Attributes:
        seconds: Per stage, over all attempts. A stage that was finished before adds the little time of finding out.
        resumed: Whether an earlier run is continued.
    """

    def __init__(self, work_dir: Path, mark: str) -> None:
        work_dir.mkdir(parents=True, exist_ok=True)
        self._path, self._mark = work_dir / 'progress.json', mark
        (work_dir / 'summary.json').unlink(missing_ok=True)
        known = json.loads(self._path.read_text()) if self._path.is_file() else {}
        self.resumed = known.get('fingerprint') == mark
        self.seconds: dict[str, float] = known['seconds'] if self.resumed else {}
        if not self.resumed:
            for name in RESULTS:
                if (work_dir / name).exists():
                    print(f'{work_dir / name} belongs to another world or config: removed')
                    shutil.rmtree(work_dir / name)
        self._save()

    def add(self, stage: str, seconds: float) -> None:
        """Add an attempt's seconds to a stage."""
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + seconds, 1)
        self._save()

    def _save(self) -> None:
        write_text(self._path, json.dumps(dict(fingerprint=self._mark, seconds=self.seconds), indent=1) + '\n')


def fingerprint(options: DemoOptions, *cfgs: Config) -> str:
    """Digest of what the demo's results depend on: configs, size of the world, number of processes, the package."""
    texts = [cfg.pretty_text for cfg in cfgs]
    parts = (*texts, options.scenes, options.keyframes, options.processes, GENERATION, __version__)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def stages(options: DemoOptions, data_root: Path) -> list[tuple[str, list[str]]]:
    """Title and command line of each stage, in order."""
    python, submission = sys.executable, options.work_dir / 'submission'
    alone, taught = (options.work_dir / name for name in RESULTS[:2])
    count = str(options.processes)

    def train(config: str, folder: Path) -> list[str]:
        return ['bash', 'tools/dist_train.sh', config, count, '--work-dir', str(folder / 'train'), '--resume']

    def test(weights: str, folder: Path, *more: str) -> list[str]:
        # The baseline's config for both: 2DDATA's network is the same once its training branches are gone.
        out = str(folder / 'test')
        return ['bash', 'tools/dist_test.sh', options.baseline, weights, count, '--work-dir', out, *more]

    return [
        ('generate raw nuScenes data', [
            python, 'tools/make_synthetic.py', 'nuscenes', '--out', str(data_root), '--scenes', str(options.scenes),
            '--keyframes', str(options.keyframes), '--seed', '0', '--workers', str(options.workers)]),
        ('convert it', [
            python, 'tools/create_data.py', 'nuscenes', '--root-path', str(data_root), '--out-dir', str(data_root),
            '--version', 'v1.0-trainval', '--workers', str(options.workers)]),
        ('check every file', [python, 'tools/check_data.py', options.config]),
        ('train the LiDAR-only baseline', train(options.baseline, alone)),
        ('test it', test(f'@{alone / "train" / "last_checkpoint"}', alone)),
        ('train 2DDATA', train(options.config, taught)),
        ('take out what only its training needs', [
            python, 'tools/model_converters/strip_training_branches.py', f'@{taught / "train" / "last_checkpoint"}',
            str(taught / 'lidar_network.pth')]),
        ('test it without images and write the submission', test(
            str(taught / 'lidar_network.pth'), taught,
            '--cfg-options', f'test_evaluator.submission_prefix={submission}')),
        ('check the submission', [
            python, 'tools/check_submission.py', 'nuscenes', str(submission), '--dataroot', str(data_root),
            '--version', 'v1.0-trainval', '--eval-set', 'val']),
    ]


def run_stage(number: int, total: int, title: str, command: list[str]) -> float:
    """Run one command with its output on the terminal; returns its seconds.

    An argument ``@FILE`` stands for the text in that file, read when the stage begins (mmengine's ``last_checkpoint``).

    Raises:
        RuntimeError: The command failed; the text holds the command line to repeat it.
    """
    command = [Path(word[1:]).read_text().strip() if word.startswith('@') else word for word in command]
    shown = shlex.join(['python' if word == sys.executable else word for word in command])
    print(f'\n[{number}/{total}] {title}\n    {shown}', flush=True)
    begin = time.perf_counter()
    # The shell launchers call $PYTHON: it is the interpreter that runs the demo. Another job may hold the default port.
    status = subprocess.run(command, env={'PORT': 'auto', **os.environ, 'PYTHON': sys.executable}).returncode
    if status:
        raise RuntimeError(f'stage "{title}" failed with status {status}; to repeat it alone: {shown}')
    return time.perf_counter() - begin


def newest_scores(folder: Path) -> dict[str, float]:
    """The metrics that the last ``tools/test.py`` below ``folder`` wrote."""
    found = sorted(folder.glob('*/*.json'), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f'no metrics below {folder}: did the test stage run?')
    return json.loads(found[-1].read_text().splitlines()[-1])


def run_demo(options: DemoOptions) -> dict:
    """Run all stages, draw the pictures, print the table; returns what ``summary.json`` holds.

    Raises:
        FileNotFoundError: A config does not exist, or a stage left no metrics.
        RuntimeError: A stage failed.
        ValueError: A config has a fault.
    """
    cfg, baseline_cfg = (read_config_file(path) for path in (options.config, options.baseline))
    data_root = Path(cfg.data_root)
    progress = DemoProgress(options.work_dir, fingerprint(options, cfg, baseline_cfg))
    planned = stages(options, data_root)
    total = len(planned) + 2
    for number, (title, command) in enumerate(planned, 1):
        progress.add(title, run_stage(number, total, title, command))
    begin = time.perf_counter()

    print(f'\n[{total - 1}/{total}] score with the official devkit, and two baselines without a network', flush=True)
    alone, taught = (newest_scores(options.work_dir / name / 'test') for name in RESULTS[:2])
    devkit = score_submission(data_root, options.work_dir / 'submission')
    baselines = score_baselines(baseline_cfg)
    scores = DemoScores(taught=taught, devkit=devkit, lidar_only=alone, baselines=baselines)
    scores.check()

    print(f'\n[{total}/{total}] draw', flush=True)
    taught_dir = options.work_dir / '2ddata'
    weights = taught_dir / 'lidar_network.pth'
    pictures = draw_pictures(baseline_cfg, weights, options.work_dir / 'pictures', taught_dir / 'train')
    progress.add('score and draw', time.perf_counter() - begin)
    summary = dict(
        miou=scores.miou, devkit_miou=scores.devkit_miou, lidar_only_miou=alone['miou'], submission_valid=True,
        seconds=round(sum(progress.seconds.values()), 1), stage_seconds=progress.seconds, resumed=progress.resumed,
        **{f'{name}_miou': score['miou'] for name, score in baselines.items()},
        pictures=[str(path) for path in pictures])
    write_text(options.work_dir / 'summary.json', json.dumps(summary, indent=1) + '\n')
    print('\n' + scores.table())
    _say_where(options, data_root, pictures, summary)
    return summary


def _say_where(options: DemoOptions, data_root: Path, pictures: list[Path], summary: dict) -> None:
    work = options.work_dir
    rows = [('raw data and infos', data_root), ('checkpoints, logs, configs', work / '2ddata'),
            ('the same of the baseline', work / 'lidar_only'),
            ('submission to upload', submission_paths(work / 'submission', 'val')[2]),
            ('summary', work / 'summary.json')]
    print(f'\nval mIoU {summary["miou"]:.4f} (devkit {summary["devkit_miou"]:.4f}; LiDAR only '
          f'{summary["lidar_only_miou"]:.4f}), submission valid, {summary["seconds"]:.0f} s')
    for what, where in rows:
        print(f'  {what:<26} {where}')
    for path in pictures:
        print(f'  {"picture":<26} {path}')
