"""Comparing variants of a system over seeds by real trainings: what the studies in ``projects/`` share."""

from .bars import draw_bars
from .command import add_study_options, run_command
from .configs import decisive_settings, digest, read_config
from .logs import class_means, read_metrics, read_scores
from .page import markdown, sharing, write_into
from .pool import Task, run_all
from .process import Usage, show, train
from .publish import publish
from .results import Results, Run, plan
from .spread import Spread, by_variant, paired_difference
from .timing import time_all, timing_table

__all__ = [
    'Results', 'Run', 'Spread', 'Task', 'Usage', 'add_study_options', 'by_variant', 'class_means',
    'decisive_settings', 'digest', 'draw_bars', 'markdown', 'paired_difference', 'plan', 'publish', 'read_config',
    'read_metrics', 'read_scores', 'run_all', 'run_command', 'sharing', 'show', 'time_all', 'timing_table', 'train',
    'write_into',
]  # fmt: skip
