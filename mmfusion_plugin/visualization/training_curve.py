"""The course of a training, from the log that mmengine writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, Optional, Sequence, Union

import numpy as np
from matplotlib.axes import Axes

from .style import FAINT, INK, SOFT, PathLike, new_figure, save_figure

Series = tuple[np.ndarray, np.ndarray]
Curves = dict[str, Series]

LINES = ('#0969da', '#bc4c00', '#1a7f37', '#8250df', '#bf3989', '#57606a')
STROKES = ('-', '--', ':')  # where there are more curves than colours


class TrainingLog(NamedTuple):
    """Numbers of a training run by iteration.

    Attributes:
        train: Name to ``(steps, values)`` of what was logged while training (losses, lr, ...).
        val: Name to ``(steps, values)`` of the validation metrics, placed at the iteration they were measured at.
    """

    train: Curves
    val: Curves


def read_log(source: PathLike) -> TrainingLog:
    """Read ``scalars.json``, or all of them below a work directory (a resumed run has several; the later wins).

    Raises:
        FileNotFoundError: There is no log.
        ValueError: A line is no JSON object, or nothing was logged. The last line of a file may be cut off, as a killed
            run leaves it, and is then left out.
    """
    source = Path(source)
    files = [source] if source.is_file() else sorted(source.glob('**/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(f'no vis_data/scalars.json in {source}: give a work directory or such a file')
    train: dict[str, dict[int, float]] = {}
    val: dict[str, dict[int, float]] = {}
    last_of_epoch: dict[int, int] = {}
    for path in files:
        *lines, cut_off = path.read_text().split('\n')  # every whole line ends with one
        lines += [cut_off] if cut_off.endswith('}') else []
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                step = int(row.pop('step'))
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise ValueError(f'{path}:{number} is no line of an mmengine log: {error!r}') from error
            training = 'loss' in row or 'lr' in row
            if training and 'epoch' in row:
                epoch = int(row['epoch'])
                last_of_epoch[epoch] = max(step, last_of_epoch.get(epoch, 0))
            # An epoch-based loop numbers validations by epoch, an iteration-based one by iteration.
            place = step if training else last_of_epoch.get(step, step)
            for name, value in row.items():
                if isinstance(value, (int, float)) and name not in ('epoch', 'iter'):
                    (train if training else val).setdefault(name, {})[place] = float(value)
    if not train and not val:
        raise ValueError(f'nothing was logged in {", ".join(map(str, files))}')
    return TrainingLog(_series(train), _series(val))


def training_curve(
    path: PathLike,
    sources: Union[PathLike, Sequence[PathLike]],
    keys: Optional[Sequence[str]] = None,
    names: Optional[Sequence[str]] = None,
    title: str = '',
) -> Path:
    """Draw what was logged in training above validation metrics, over the iterations; several runs in one picture.

    Args:
        path: PNG to write.
        sources: What :func:`read_log` reads; one or several.
        keys: Logged names, with or without a prefix ('val/miou'). None takes the mIoU and, of a single run, every
            loss, the total first; of several runs, the total loss.
        names: Name of each run in the legend; None takes those of its files.
        title: Heading of the figure.

    Raises:
        ValueError: A name that a log does not hold; the text lists those it does.
    """
    sources = [sources] if isinstance(sources, (str, Path)) else list(sources)
    names = [Path(source).name for source in sources] if names is None else list(names)
    if len(names) != len(sources):
        raise ValueError(f'{len(names)} names for {len(sources)} logs')
    train: Curves = {}
    val: Curves = {}
    for name, source in zip(names, sources):
        log = read_log(source)
        for key in _default_keys(log, len(sources)) if keys is None else keys:
            label = key.replace('_', ' ').replace('miou', 'mIoU')
            label = label if len(sources) == 1 else f'{name}: {label}'
            series, is_val = _find(log, key)
            (val if is_val else train)[label] = series
    figure = new_figure(8.5, 0.9 + 2.9 * (bool(train) + bool(val)))
    panels = figure.subplots(bool(train) + bool(val), 1, sharex=True, squeeze=False)[:, 0]
    if train:
        _draw_training(panels[0], train)
    if val:
        _draw_validation(panels[-1], val, first_colour=2 if len(sources) == 1 else 0)
    panels[-1].set_xlabel('iteration', color=INK)
    figure.suptitle(title, fontsize=12, color=INK)
    figure.tight_layout()
    return save_figure(figure, path)


def _default_keys(log: TrainingLog, runs: int) -> list[str]:
    losses = sorted((name for name in log.train if 'loss' in name), key=lambda name: (name != 'loss', name))
    metric = [name for name in log.val if name.rsplit('/', 1)[-1] == 'miou']
    return (losses if runs == 1 else losses[:1]) + metric


def _series(columns: dict[str, dict[int, float]]) -> Curves:
    sorted_columns = {name: sorted(column.items()) for name, column in columns.items()}
    return {
        name: (np.array([step for step, _ in rows]), np.array([value for _, value in rows]))
        for name, rows in sorted_columns.items()
    }


def _find(log: TrainingLog, name: str) -> tuple[Series, bool]:
    """A logged series, and whether it comes from validation."""
    for columns in (log.train, log.val):
        for key in columns:
            if key == name or key.rsplit('/', 1)[-1] == name:
                return columns[key], columns is log.val
    raise ValueError(f'the log holds no {name!r}; it has {", ".join(sorted({**log.train, **log.val}))}')


def _draw_training(axes: Axes, curves: Curves) -> None:
    for number, (name, (steps, values)) in enumerate(curves.items()):
        colour = LINES[number % len(LINES)]
        window = max(1, len(values) // 20)
        axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.3 if window > 1 else 1.0)
        stroke = STROKES[number // len(LINES) % len(STROKES)]
        axes.plot(steps, _running_mean(values, window), color=colour, linewidth=1.8, linestyle=stroke, label=name)
    _dress(axes, 'training')
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]) if any((v < 0).any() for _, v in curves.values()) else 0)
    beside = dict(loc='upper left', bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0) if len(curves) > 4 else {}
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, **beside)


def _draw_validation(axes: Axes, curves: Curves, first_colour: int) -> None:
    for number, (name, (steps, values)) in enumerate(curves.items()):
        colour = LINES[(number + first_colour) % len(LINES)]
        axes.plot(steps, 100 * values, color=colour, linewidth=1.8, marker='o', markersize=5, label=name)
        if np.isfinite(values).any():
            best = int(np.nanargmax(values))
            axes.annotate(f'best {100 * values[best]:.1f}', (steps[best], 100 * values[best]), xytext=(0, 7),
                          textcoords='offset points', ha='center', fontsize=9, color=colour)
    _dress(axes, 'validation, %')
    axes.margins(y=0.18)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, loc='lower right')


def _dress(axes: Axes, label: str) -> None:
    axes.set_ylabel(label, color=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=8)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ('left', 'bottom'))
        spine.set_color(SOFT)


def _running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of up to ``window`` values before and at each place."""
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(end - window, 0)
    return (total[end] - total[begin]) / (end - begin)
