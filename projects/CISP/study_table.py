"""The study's figures as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from study_plan import BASELINES, DENOISERS, EMBEDDER, EMBEDDERS, PATHS, REFERENCE, TRAININGS, VARIANTS

from mmfusion_plugin.apis.study import Spread, by_variant, markdown, paired_difference, sharing
from mmfusion_plugin.converters.shapenet_taxonomy import CISP_CATEGORIES

TOP = {'top1': 1, 'top5': 5, 'top10': 10}
WAYS = {'i2s': 'image to shape', 's2i': 'shape to image'}
LABELS = {
    'cisp': 'CISP: transformer for shapes',
    'cisp-cnn': 'convolutions for shapes',
    'cisp-batch-16': 'batches of 16 instead of 64',
    'cisp-narrow': 'narrower embedding',
    'ic3d-cisp': 'guided by CISP',
    'ic3d-images': 'guided by an image network that saw no shape',
    'ic3d-unguided': 'unguided',
    'retrieved': 'training shape nearest by CISP',
    'random-category': 'random training shape of the category',
    'random': 'random training shape',
}
SHAPES = {'iou_mean': ('IoU', 1), 'iou_best': ('IoU, best', 1), 'f_score_mean': ('F-score', 1),
          'f_score_best': ('F-score, best', 1), 'cd_mean': ('CD x100', 2), 'nna_cd': ('1-NNA', 1), 'cov_cd': ('COV', 1),
          'mmd_cd': ('MMD x100', 2), 'empty': ('empty shapes', 1)}  # fmt: skip
SETS = ('iou_mean', 'f_score_mean', 'nna_cd', 'cov_cd', 'mmd_cd', 'empty')
EMD = {'emd_mean': ('EMD x100', 2), 'nna_emd': ('1-NNA', 1), 'cov_emd': ('COV', 1), 'mmd_emd': ('MMD x100', 2)}
DRAWN = {**{f'{name}-shapes': name for name in DENOISERS}, **{name: name for name in BASELINES[:3]}}
# Each beside pictures of which as many shapes are drawn.
SKETCHED = {'ic3d-cisp-sketches': 'ic3d-cisp-one', 'ic3d-images-sketches': 'ic3d-images-one',
            'retrieved-sketches': 'retrieved'}  # fmt: skip
CHANGED = {'ic3d-cisp-one': 'as above', 'ic3d-cisp-w0': 'w = 0', 'ic3d-cisp-w3': 'w = 3',
           'ic3d-cisp-half-steps': 'half as many steps', 'ic3d-cisp-twice-steps': 'twice as many'}  # fmt: skip
Entries = dict[int, dict]
Found = dict[str, Entries]


def tables(runs: list[dict]) -> str:
    """Markdown: retrieval; generation, each category, by EMD; sketches; guidance and steps; paths; what the trainings
    end at, and how all was scored. Differences are taken seed by seed; a table without a run is left out."""
    found = by_variant(runs, VARIANTS)
    parts = [
        retrieval(found),
        generation(found),
        categories(found),
        rows_of(found, 'by EMD', {f'{name}-emd': LABELS[name] for name in DENOISERS}, EMD),
        sketches(found),
        rows_of(found, 'guided by CISP, one shape for each picture', CHANGED, {key: SHAPES[key] for key in SETS}),
        paths(found),
        endings(found),
        protocols(runs),
    ]
    trained = [entry for entry in runs if entry['variant'] in TRAININGS]
    return '\n\n'.join([*(part for part in parts if part), *([sharing(trained)] if trained else [])])


def retrieval(found: Found) -> Optional[str]:
    """A row per embedder, then of sketches, then what the category alone and what chance would give."""
    keys = [f'{way}_{top}' for way in WAYS for top in TOP]
    titles = [f'{way}, top-{k}' for way in WAYS.values() for k in TOP.values()]
    rows = [['retrieval (%)', 'seeds', *titles, *(f'{way}, top-1 − CISP' for way in WAYS.values())]]
    shown = {name: LABELS[name] for name in EMBEDDERS}
    shown.update({f'{name}-sketches': f'{LABELS[name]}; sketches' for name in EMBEDDERS[:2]})
    for name in (name for name in shown if name in found):
        entries, reference = found[name], found.get(EMBEDDER, {})
        more = [_difference(entries, reference, f'{way}_top1', 1) for way in WAYS]
        cells = [*(_text(entries, key, 1) for key in keys), *(['', ''] if name == EMBEDDER else more)]
        rows.append([shown[name], _seeds(entries), *cells])
    if len(rows) == 1:
        return None
    (count,) = {entry['pictures'] for name in shown for entry in found.get(name, {}).values()}
    for name, models in (('the category alone', count // len(CISP_CATEGORIES)), ('chance', count)):
        share = [f'{100 * min(k / models, 1):.1f}' for k in TOP.values()]
        rows.append([f'{name}: k of {models}', '–', *share * 2, '', ''])
    return markdown(rows)


def generation(found: Found) -> Optional[str]:
    """A row per denoiser and baseline, with what it has over :data:`REFERENCE`."""
    return rows_of(found, 'shapes for pictures', {name: LABELS[label] for name, label in DRAWN.items()}, SHAPES,
                   f'{REFERENCE}-shapes')  # fmt: skip


def rows_of(
    found: Found, title: str, labels: dict[str, str], scores: dict[str, tuple[str, int]], reference: str = ''
) -> Optional[str]:
    """A row per variant that is there: ``scores`` (names and digits), and the difference of the first to
    ``reference``."""
    against = [f'IoU − {LABELS[DRAWN[reference]]}'] if reference else []
    rows = [[title, 'seeds', *(name for name, _ in scores.values()), *against]]
    for name in (name for name in labels if name in found):
        entries = found[name]
        cells = [_text(entries, key, digits) for key, (_, digits) in scores.items()]
        if reference:
            own = name == reference
            cells.append('' if own else _difference(entries, found.get(reference, {}), 'iou_mean', 1))
        rows.append([labels[name], _seeds(entries), *cells])
    return markdown(rows) if len(rows) > 1 else None


def categories(found: Found) -> Optional[str]:
    """IoU of each category."""
    shown = {name: LABELS[label] for name, label in DRAWN.items() if name in found}
    each = [list(found[name].values()) for name in shown]
    rows = [['IoU (%)', *shown.values()]]
    for category in each[0][0]['categories'] if each else ():
        spreads = [Spread.of([entry['categories'][category] for entry in entries]) for entries in each]
        rows.append([category, *(spread.text(100, 1) for spread in spreads)])
    return markdown(rows) if each else None


def sketches(found: Found) -> Optional[str]:
    """Sketches beside the pictures that they are of."""
    names = {key: SHAPES[key][0] for key in ('iou_mean', 'f_score_mean')}
    columns = [f'{name}, {what}' for name in names.values() for what in ('pictures', 'sketches', 'difference')]
    rows = [['shapes for sketches', 'seeds', *columns]]
    for name in (name for name in SKETCHED if name in found):
        drawn, pictured = found[name], found.get(SKETCHED[name], {})
        cells = [cell for key in names for cell in (
            _text(pictured, key, 1), _text(drawn, key, 1), _difference(drawn, pictured, key, 1))]  # fmt: skip
        rows.append([LABELS[name.removesuffix('-sketches')], _seeds(drawn), *cells])
    return markdown(rows) if len(rows) > 1 else None


def paths(found: Found) -> Optional[str]:
    """Steps between neighbours on the way between two pictures."""
    kinds = ('within', 'across')
    columns = [f'{name}, {kind} categories' for kind in kinds
               for name in ('mean step', 'largest step', 'between the ends')]  # fmt: skip
    rows = [['paths: CD x100', 'seeds', *columns]]
    for name in (name for name in PATHS if name in found):
        for mode in ('lerp', 'slerp'):
            keys = [f'{mode}_{kind}_{score}' for kind in kinds for score in ('mean_step', 'max_step', 'ends')]
            cells = [Spread.of([entry[key] for entry in found[name].values()]).text(1, 3) for key in keys]
            rows.append([f'{LABELS[PATHS[name]]}, {mode}', _seeds(found[name]), *cells])
    if len(rows) == 1:
        return None
    entry = next(iter(next(found[name] for name in PATHS if name in found).values()))
    counts = f'{entry["pairs_within"]} pairs within categories, {entry["pairs_across"]} across'
    said = f'{counts}; {entry["shapes"]} shapes from end to end, 2048 points of each.'
    return f'{markdown(rows)}\n\n{" ".join([said, *empty_shapes(found)])}'


def empty_shapes(found: Found) -> list[str]:
    """Sentence, if it was counted: a step between two empty shapes is 0, which looks smooth."""
    parts = []
    for name in (name for name in PATHS if name in found):
        keys = {mode: f'{mode}_empty' for mode in ('lerp', 'slerp')}
        if all(entry.get(key) is not None for entry in found[name].values() for key in keys.values()):
            shares = ', '.join(f'{_text(found[name], key, 1)} ({mode})' for mode, key in keys.items())
            parts.append(f'{LABELS[PATHS[name]]} {shares}')
    return [f'Shapes without any voxel, between which steps are 0, in %: {"; ".join(parts)}.'] if parts else []


def endings(found: Found) -> Optional[str]:
    """Sentence: what the trainings that are not in another table came to."""
    parts = []
    if 'classifier' in found:
        text = _text(found['classifier'], 'accuracy', 1)
        parts.append(f'The image network that saw no shape names the category of {text} % of the test pictures.')
    errors = [f'{LABELS[name]} {_text(found[name], "noise_error", 2)}' for name in DENOISERS if name in found]
    if errors:
        parts.append(f'`noise_error` x100 on the part `val`: {"; ".join(errors)}.')
    return ' '.join(parts) or None


def protocols(runs: Sequence[dict]) -> Optional[str]:
    """Sentences: how all was compared."""
    lines = dict.fromkeys(f'{entry["pictures"]} pictures; {entry["protocol"]}' for entry in runs if 'protocol' in entry)
    return '\n\n'.join(f'Scored: {line}.' for line in lines) or None


def _seeds(entries: Entries) -> str:
    return ', '.join(map(str, sorted(entries)))


def _text(entries: Entries, key: str, digits: int) -> str:
    return Spread.of([entry.get(key) for entry in entries.values()]).text(100, digits)


def _difference(entries: Entries, reference: Entries, key: str, digits: int) -> str:
    return paired_difference(entries, reference, key).text(100, digits, '+')
