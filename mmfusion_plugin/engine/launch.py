"""What ``tools/train.py`` and ``tools/test.py`` do between the command line and a running mmengine ``Runner``.

Flags and their meaning are those of mmdet3d 1.4, so that its users' scripts keep working. What is added works where
mmdet3d stops: mixed precision and distributed runs without CUDA, and vote counts for test-time augmentation.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.logging import print_log
from mmengine.registry import RUNNERS, init_default_scope
from mmengine.runner import Runner

from mmfusion_plugin.compat import cpu_model_wrapper_cfg, init_cpu_distributed, install_safe_checkpoint_loading
from mmfusion_plugin.datasets.wrapped import innermost_dataset_cfgs

from .config_files import read_config_file

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
# mmdet3d's tasks, and ours.
VISUALIZATION_TASKS = (
    'mono_det',
    'multi-view_det',
    'lidar_det',
    'lidar_seg',
    'multi-modality_det',
    'multi-modality_seg',
)
SEGMENTATION_TASKS = ('lidar_seg', 'multi-modality_seg')


class OptionAction(DictAction):
    """mmengine's ``KEY=VALUE`` action, except that blanks stay: ``root="my data"``, ``classes=[traffic cone,car]``.

    A value is a Python literal, or a list of bare words in Python's or mmengine's spelling, or else plain text.
    """

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        text = val.strip('\'"')
        for literal in (val, text, re.sub(r'[^][(),]+', _quote_word, text)):
            try:
                items = ast.literal_eval(f'[{literal}]')
            except (ValueError, SyntaxError):
                continue
            if len(items) > 1:
                return items
            if items and isinstance(items[0], (list, tuple, dict)):
                return items[0]
        return DictAction._parse_int_float_bool(text)


def _quote_word(match: re.Match) -> str:
    """A bare word between brackets and commas as a Python literal."""
    word = match.group().strip().strip('\'"')
    return repr(DictAction._parse_int_float_bool(word)) if word else ''


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that training and testing share to ``parser``."""
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    parser.add_argument('--ceph', action='store_true', help='read data through the ceph storage backend')
    add_config_options(parser, '--cfg-options')
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='who started the processes')
    # torch < 2 launches with --local_rank, torch >= 2 with --local-rank; torchrun sets LOCAL_RANK instead of both.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by older launchers')


def add_config_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the flag ``names`` (its value lands in ``cfg_options``) that overrides settings of a config."""
    parser.add_argument(
        *names,
        dest='cfg_options',
        nargs='+',
        action=OptionAction,
        metavar='KEY=VALUE',
        help='override settings of the config, e.g. train_dataloader.batch_size=2 model.scales="[2,4]"',
    )


def read_config(path: str, options: dict[str, Any] | None = None) -> Config:
    """Read a config for use without a runner: with ``options`` merged in, and its registry scope made the default.

    Raises:
        FileNotFoundError: When the config does not exist.
        ValueError: When it has a fault.
    """
    cfg = read_config_file(path)
    cfg.merge_from_dict(options or {})
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    return cfg


def load_config(args: argparse.Namespace) -> Config:
    """Read ``args.config`` and apply the shared flags; the work folder comes from the flag, the file or its name.

    Raises:
        FileNotFoundError: When the config does not exist.
        ValueError: When it has a fault.
    """
    cfg = read_config_file(args.config)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.ceph:
        from mmdet3d.utils import replace_ceph_backend

        cfg = replace_ceph_backend(cfg)
    cfg.launcher = args.launcher
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', Path(args.config).stem)
    return cfg


def apply_train_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Write the flags of ``tools/train.py`` into ``cfg``, in place."""
    if args.amp:
        enable_amp(cfg)
    if args.sync_bn != 'none':
        if not torch.cuda.is_available():
            raise ValueError(f'--sync_bn {args.sync_bn} needs CUDA, which this machine does not offer: leave it out')
        cfg.sync_bn = args.sync_bn
    if args.auto_scale_lr:
        scaling = cfg.get('auto_scale_lr') or {}
        if 'base_batch_size' not in scaling:
            raise ValueError(
                f'--auto-scale-lr: {args.config} does not say which batch size its learning rate belongs to; '
                'add auto_scale_lr = dict(enable=False, base_batch_size=<samples over all processes>)'
            )
        cfg.auto_scale_lr.enable = True
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = find_moved_checkpoint(cfg.work_dir) if args.resume == 'auto' else args.resume
        if cfg.load_from is not None and '://' not in cfg.load_from and not Path(cfg.load_from).is_file():
            raise FileNotFoundError(f'--resume: checkpoint {cfg.load_from!r} does not exist')


def enable_amp(cfg: Config) -> None:
    """Train ``cfg`` in mixed precision: float16 with loss scaling on CUDA, bfloat16 (which needs none) on a CPU."""
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'BFloat16OptimWrapper'):
        raise ValueError(f'--amp works with optim_wrapper.type OptimWrapper, but the config has {kind!r}')
    if kind != 'OptimWrapper':
        print_log(f'--amp: the config already trains in mixed precision ({kind})', logger='current')
    elif torch.cuda.is_available():
        wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')
    else:
        wrapper.type = 'BFloat16OptimWrapper'


def find_moved_checkpoint(work_dir: str) -> str | None:
    """Latest checkpoint of a work folder that was moved since: ``last_checkpoint`` holds an absolute path.

    Returns None when there is nothing to mend; mmengine then finds the latest checkpoint itself.
    """
    pointer = Path(work_dir, 'last_checkpoint')
    if not pointer.is_file():
        return None
    latest = pointer.read_text().strip()
    here = pointer.with_name(Path(latest).name)
    return str(here) if not Path(latest).exists() and here.is_file() else None


def apply_test_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Write the flags of ``tools/test.py`` into ``cfg``, in place."""
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.show or args.show_dir:
        enable_visualization(cfg, args)
    if args.tta or args.num_votes is not None:
        enable_tta(cfg, args.num_votes)


def enable_visualization(cfg: Config, args: argparse.Namespace) -> None:
    """Switch on the config's visualization hook as the flags ask; for segmentation that hook is ours.

    Raises:
        ValueError: Without ``--task`` where the config's hook does not tell it, with ``--show`` for segmentation, or
            when the config has no such hook.
    """
    hook = cfg.get('default_hooks', {}).get('visualization')
    ours = hook is not None and hook.type == 'SegmentationPicturesHook'
    if args.task is None and not ours:
        raise ValueError(f'--show and --show-dir need --task, one of {", ".join(VISUALIZATION_TASKS)}')
    if args.task in SEGMENTATION_TASKS or args.task is None:
        if args.show:
            raise ValueError('--show: no window is opened for segmentation; write pictures with --show-dir instead')
        if hook is None or hook.type != 'SegmentationPicturesHook':
            hook = ConfigDict(type='SegmentationPicturesHook')
        hook.out_dir = args.show_dir
        cfg.setdefault('default_hooks', ConfigDict()).visualization = hook
        return
    if hook is None or hook.type == 'SegmentationPicturesHook':
        needed = "default_hooks.visualization=dict(type='Det3DVisualizationHook')"
        raise ValueError(f'--show and --show-dir for {args.task} need {needed} in the config')
    hook.update(draw=True, vis_task=args.task, score_thr=args.score_thr)
    if args.show:
        hook.update(show=True, wait_time=args.wait_time)
    if args.show_dir:
        hook.update(test_out_dir=args.show_dir)


def enable_tta(cfg: Config, num_votes: int | None = None) -> None:
    """Wrap the model of ``cfg`` in its ``tta_model`` and read test samples through its ``tta_pipeline``.

    Args:
        num_votes: Predictions to merge per sample; None keeps the config's count.

    Raises:
        ValueError: The config has no ``tta_model`` or ``tta_pipeline``, or the pipeline no votes to count.
    """
    missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
    if missing:
        raise ValueError(f'--tta: the config has no {" and no ".join(missing)}')
    if num_votes is not None:
        set_num_votes(cfg.tta_pipeline, num_votes)
    for dataset in innermost_dataset_cfgs(cfg.test_dataloader.dataset):
        dataset.pipeline = cfg.tta_pipeline
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)


def set_num_votes(pipeline: list[dict], num_votes: int) -> None:
    """Give each list of numbered votes (``dict(..., vote=i)``) in a TTA pipeline ``num_votes`` entries, in place."""
    if num_votes < 1:
        raise ValueError(f'--num-votes must be at least 1, got {num_votes}')
    groups = [group for step in pipeline for group in step.get('transforms', []) if isinstance(group, list)]
    groups = [group for group in groups if group and all('vote' in vote for vote in group)]
    if not groups:
        raise ValueError('--num-votes: tta_pipeline holds no list of numbered votes, such as VoteRotTrans(vote=0)')
    for group in groups:
        group[:] = [ConfigDict(group[0], vote=vote) for vote in range(num_votes)]


def build_runner(cfg: Config) -> Runner:
    """Start the process group that ``cfg.launcher`` names and build the runner of ``cfg``, on CUDA or on a CPU."""
    install_safe_checkpoint_loading()
    if not torch.cuda.is_available():
        adapt_to_cpu(cfg)
        init_cpu_distributed(cfg.launcher, **_timeout(cfg))
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def _timeout(cfg: Config) -> dict[str, float]:
    """``env_cfg.dist_cfg.timeout`` in seconds, when the config sets it."""
    seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
    return {} if seconds is None else {'timeout': float(seconds)}


def adapt_to_cpu(cfg: Config) -> None:
    """Replace what mmengine allows on an accelerator only: float16 loss scaling, and DDP's device ids."""
    wrapper = cfg.get('optim_wrapper') or {}
    if wrapper.get('type') == 'AmpOptimWrapper':
        wrapper.type = 'BFloat16OptimWrapper'
    if cfg.launcher != 'none' and cfg.get('model_wrapper_cfg') is None:
        cfg.model_wrapper_cfg = dict(
            cpu_model_wrapper_cfg(), find_unused_parameters=cfg.get('find_unused_parameters', False)
        )
