"""What studies share: resuming, order of trainings, processes, and statistics against plain numpy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmfusion_plugin.apis.study import (
    Results,
    Run,
    Spread,
    Task,
    Usage,
    by_variant,
    class_means,
    draw_bars,
    markdown,
    paired_difference,
    plan,
    publish,
    read_config,
    read_metrics,
    read_scores,
    run_all,
    sharing,
    time_all,
    timing_table,
    train,
    write_into,
)

ORDER = ('first', 'plain', 'fused')
SETTINGS = {'epochs': 8, 'digests': {name: f'digest of {name}' for name in ORDER}}
SEEDS = [0, 1, 2]
SLEEPER = 'import os, sys, time; open(sys.argv[1], "w").write(str(os.getpid())); time.sleep(90)'
STUDY_OF_A_SLEEPER = f"""
import sys
from pathlib import Path
from mmfusion_plugin.apis.study import Results, Run, Task, run_all, run_command

folder = Path(sys.argv.pop())
results = Results(folder / 'results.json', {{'digests': {{}}}}, ['a'])
command = [sys.executable, '-c', {SLEEPER!r}, str(folder / 'pid')]
run_command(lambda: run_all([Task(Run('a', 0), command, folder / 'work')], results, 1, lambda _: {{}}), folder)
"""


class Stub:
    """Takes the place of trainings: notes when each begins and ends, fails and leaves out products on demand."""

    def __init__(self, fail_at: str = '', lose: bool = False) -> None:
        self.fail_at, self.lose, self.events, self.lock = fail_at, lose, [], threading.Lock()

    @property
    def called(self) -> list[str]:
        return [name for what, name in self.events if what == 'begin']

    def __call__(self, command: list, work_dir: Path, threads: int) -> Usage:
        self._note('begin', work_dir.name)
        if work_dir.name == self.fail_at:
            raise RuntimeError(f'{work_dir.name} failed')
        if work_dir.name.startswith('first') and not self.lose:
            (work_dir / 'weights.pth').touch()
        self._note('end', work_dir.name)
        return Usage(seconds=120.0, peak_memory_mb=None)

    def _note(self, what: str, name: str) -> None:
        with self.lock:
            self.events.append((what, name))


def open_results(folder: Path, **changes: object) -> Results:
    return Results(folder / 'cpu.json', {**SETTINGS, **changes}, ORDER)


def tasks(folder: Path, runs: list[Run], needs: str = '') -> list[Task]:
    """``needs``: the variant that needs the first one's weights."""
    made = []
    for run in runs:
        work_dir = folder / 'work' / run.name
        product = work_dir / 'weights.pth' if run.variant == 'first' else None
        needed = Run('first', run.seed) if run.variant == needs else None
        made.append(Task(run, [sys.executable, 'train'], work_dir, {'note': run.seed}, needed, product))
    return made


def finish(folder: Path, variants: list, needs: str = '', jobs: int = 2, stub: Stub | None = None) -> Stub:
    stub = stub or Stub()
    run_all(tasks(folder, plan(variants, SEEDS), needs), open_results(folder), jobs, lambda _: {'miou': 0.5}, stub)
    return stub


def saved(folder: Path) -> list[dict]:
    return json.loads((folder / 'cpu.json').read_text())['runs']


def test_runs_are_seed_major():
    runs = plan(['plain', 'fused'], [3, 4])
    assert [run.name for run in runs] == ['plain_seed3', 'fused_seed3', 'plain_seed4', 'fused_seed4']


def test_entries(tmp_path):
    finish(tmp_path, ['plain'])
    entry = saved(tmp_path)[1]
    assert (entry['variant'], entry['seed'], entry['miou'], entry['note']) == ('plain', 1, 0.5, 1)
    assert (entry['seconds'], entry['peak_memory_mb'], entry['command']) == (120.0, None, 'python train')
    assert (entry['jobs'], entry['threads']) == (2, max(1, os.cpu_count() // 2)) and len(entry['load_average']) == 3


def test_finished_runs_are_not_repeated(tmp_path):
    first = finish(tmp_path, ['plain'])
    before = saved(tmp_path)
    (tmp_path / 'work' / 'fused_seed0' / 'half').mkdir(parents=True)  # an attempt that was killed
    second = finish(tmp_path, ['fused', 'plain'])
    assert len(first.called) == 3 and sorted(second.called) == [f'fused_seed{seed}' for seed in SEEDS]
    after = saved(tmp_path)
    assert [entry for entry in after if entry['variant'] == 'plain'] == before
    assert not (tmp_path / 'work' / 'fused_seed0' / 'half').exists()
    assert [(entry['seed'], entry['variant']) for entry in after] == [(s, v) for s in SEEDS for v in ORDER[1:]]
    assert not finish(tmp_path, ['plain', 'fused']).called


@pytest.mark.parametrize('jobs', [1, 2, 6])
def test_a_run_waits_for_what_it_needs(tmp_path, jobs):
    events = finish(tmp_path, ['fused', 'first', 'plain'], 'fused', jobs).events
    assert len(events) == 18
    for seed in SEEDS:
        assert events.index(('end', f'first_seed{seed}')) < events.index(('begin', f'fused_seed{seed}'))


def test_a_needed_product_that_is_gone_is_made_again(tmp_path):
    finish(tmp_path, ['first'])
    (tmp_path / 'work' / 'first_seed1' / 'weights.pth').unlink()
    assert not finish(tmp_path, ['first']).called, 'nobody needs it'
    called = finish(tmp_path, ['first', 'fused'], 'fused', jobs=1).called
    assert called == ['fused_seed0', 'first_seed1', 'fused_seed1', 'fused_seed2']
    assert len(saved(tmp_path)) == 6, 'its entry is replaced'
    (tmp_path / 'work' / 'first_seed1' / 'weights.pth').unlink()
    assert not finish(tmp_path, ['first', 'fused'], 'fused').called, 'all that need it are there'


def test_needs_must_be_there(tmp_path):
    with pytest.raises(ValueError, match='fused_seed0 needs first_seed0, which is not among the runs'):
        finish(tmp_path, ['fused'], 'fused')
    with pytest.raises(RuntimeError, match='has not written .*weights.pth, which other runs begin with'):
        finish(tmp_path, ['first', 'fused'], 'fused', stub=Stub(lose=True))
    assert not (tmp_path / 'cpu.json').exists()


def test_a_failure_keeps_what_is_finished(tmp_path):
    stub = Stub(fail_at='plain_seed1')
    with pytest.raises(RuntimeError, match='plain_seed1 failed'):
        finish(tmp_path, ['plain'], jobs=1, stub=stub)
    assert [entry['seed'] for entry in saved(tmp_path)] == [0] and stub.called == ['plain_seed0', 'plain_seed1']


def test_a_failure_awaits_what_runs_beside_it(tmp_path):
    barrier, stub = threading.Barrier(2, timeout=60), Stub(fail_at='plain_seed0')

    def together(command: list, work_dir: Path, threads: int) -> Usage:
        barrier.wait()  # both have begun
        time.sleep(0.3 * (work_dir.name == 'plain_seed1'))
        return stub(command, work_dir, threads)

    with pytest.raises(RuntimeError, match='plain_seed0 failed'):
        finish(tmp_path, ['plain'], jobs=2, stub=together)
    assert [entry['seed'] for entry in saved(tmp_path)] == [1]


def test_other_settings_are_refused(tmp_path):
    finish(tmp_path, ['plain'])
    with pytest.raises(ValueError, match=r'cpu.json holds runs of other settings \(epochs\): move it away'):
        open_results(tmp_path, epochs=9)


def test_a_fault_in_a_config_is_said_in_one_line(tmp_path):
    (tmp_path / 'slip.py').write_text('width = 1\nmodel = dict(width=height)\n')
    with pytest.raises(ValueError, match='slip.py cannot be read as a config .NameError: .*height'):
        read_config(tmp_path / 'slip.py')
    (tmp_path / 'slip.py').write_text('width = 1\n')
    assert read_config(tmp_path / 'slip.py').to_dict() == {'width': 1}


def test_a_changed_digest_is_noticed(tmp_path):
    finish(tmp_path, ['plain'])
    before = (tmp_path / 'cpu.json').read_bytes()
    open_results(tmp_path, digests={**SETTINGS['digests'], 'fused': 'other'})
    assert (tmp_path / 'cpu.json').read_bytes() != before, 'no run of it is there: its digest is taken over'
    with pytest.raises(ValueError, match=r'other settings \(config of plain\)'):
        open_results(tmp_path, digests={**SETTINGS['digests'], 'plain': 'other'})


def test_results_older_than_the_digests_are_taken_once(tmp_path):
    finish(tmp_path, ['plain'])
    path = tmp_path / 'cpu.json'
    content = json.loads(path.read_text())
    del content['settings']['digests']
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'other settings \(epochs\)'):
        open_results(tmp_path, epochs=9)
    assert 'digests' not in json.loads(path.read_text())['settings']
    assert open_results(tmp_path).done(Run('plain', 2))
    assert json.loads(path.read_text()) == dict(content, settings=SETTINGS)
    with pytest.raises(ValueError, match='config of plain'):
        open_results(tmp_path, digests={'plain': 'other'})


def write_log(folder: Path, rows: list[dict]) -> None:
    log = folder / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(f'{json.dumps(row)}\n' for row in rows))


def test_scores_are_the_last_logged(tmp_path):
    steps = [dict(loss=1.0, time=seconds) for seconds in (9.0, 1.0, 3.0, 2.0, 2.0)]
    early = dict(miou=0.1, iou_wall=0.1, iou_bed=0.1, iou_sofa=0.1)
    last = dict(miou=0.4, iou_wall=0.3, iou_bed=float('nan'), iou_sofa=0.5)
    with pytest.raises(ValueError, match='holds no validation'):
        read_scores(tmp_path, ['wall'], {})
    write_log(tmp_path, [*steps, early, last])
    scores = read_scores(tmp_path, ['wall', 'bed', 'sofa'], {'flat': ['wall', 'bed'], 'none': ['bed']})
    assert scores == dict(miou=0.4, flat=0.3, none=None, iou=dict(wall=0.3, bed=None, sofa=0.5), iterations=5,
                          seconds_per_iteration=2.0)
    assert class_means(dict(a=0.2, b=0.6, c=9.0), {'two': 'ab'}) == {'two': pytest.approx(0.4)}


def test_metrics_are_the_last_logged(tmp_path):
    early, last = ({'accuracy/top1': value, 'f1': value / 2} for value in (50.0, 60.0))
    write_log(tmp_path, [dict(loss=1.0, time=2.0), early, last, {'accuracy/top1': 70.0}])
    steps = dict(iterations=1, seconds_per_iteration=2.0)
    assert read_metrics(tmp_path, {'accuracy/top1': 'accuracy', 'f1': 'f1'}) == dict(accuracy=60.0, f1=30.0, **steps)
    with pytest.raises(ValueError, match='no validation with f1, recall'):
        read_metrics(tmp_path, {'f1': 'f1', 'recall': 'recall'})


def test_what_is_said_of_a_finished_run(tmp_path, capfd):
    results, scores = open_results(tmp_path), {'f1': 0.5}
    run_all(tasks(tmp_path, [Run('plain', 0)]), results, 1, lambda _: scores, Stub(), lambda entry: f"F1 {entry['f1']}")
    assert 'plain_seed0: F1 0.5, 120 s' in ''.join(capfd.readouterr())


def test_times_are_measured_alone(tmp_path):
    finish(tmp_path, ['plain'])
    results, called, seconds = open_results(tmp_path), [], [1, 3]  # the second time takes the place of the first

    def runner(command: list, work_dir: Path, threads: int) -> Usage:
        called.append((command, threads))
        write_log(work_dir, [dict(loss=1.0, time=seconds[0])] * 5)
        return Usage(seconds=60.0, peak_memory_mb=500.0)

    while seconds:
        time_all(('fused', 'plain'), lambda name, folder: [name, folder.name], results, tmp_path / 'work', 5, runner)
        seconds.pop(0)
    assert called[:2] == [(['fused', 'fused_timing'], os.cpu_count()), (['plain', 'plain_timing'], os.cpu_count())]
    content = json.loads((tmp_path / 'cpu.json').read_text())
    assert len(content['runs']) == 3 and [entry['variant'] for entry in content['timing']] == ['plain', 'fused']
    entry = open_results(tmp_path).timing[1]
    assert (entry['seconds_per_iteration'], entry['iterations'], entry['peak_memory_mb']) == (3, 5, 500)
    assert entry['threads'] == os.cpu_count() and len(entry['load_before']) == len(entry['load_average']) == 3
    rows = timing_table(content['timing']).splitlines()
    assert len(rows) == 4 and rows[3].startswith('| fused | 3.00 | 500 |')
    seconds.append(1)
    with pytest.raises(ValueError, match='5 iterations, not 6'):
        time_all(('plain',), lambda name, folder: [name], results, tmp_path / 'work', 6, runner)


def test_a_real_process_is_measured(tmp_path):
    code = 'import time; block = b"1" * 300_000_000; time.sleep(0.6)'
    usage = train([sys.executable, '-c', code], tmp_path, 1)
    assert 286 <= usage.peak_memory_mb < 700 and 0 < usage.seconds < 60
    small = train([sys.executable, '-c', 'import time; time.sleep(0.6)'], tmp_path, 1)
    assert small.peak_memory_mb < 100, 'of this process, neither of its parent nor of the largest so far'
    with pytest.raises(RuntimeError, match='(?s)status 3.*the reason'):
        train([sys.executable, '-c', 'print("the reason"); raise SystemExit(3)'], tmp_path, 1)


def test_stopping_the_study_stops_its_trainings(tmp_path):
    command = [sys.executable, '-c', STUDY_OF_A_SLEEPER, str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (tmp_path / 'pid').is_file() and (tmp_path / 'pid').read_text())
    training = int((tmp_path / 'pid').read_text())
    process.terminate()
    assert 'run_study: stopped' in process.communicate(timeout=60)[1]
    with pytest.raises(ProcessLookupError):
        os.kill(training, 0)
    assert not (tmp_path / 'results.json').exists()


def wait_for(condition: Callable[[], object], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_statistics_against_numpy():
    values = np.random.default_rng(0).random((2, 3))
    runs = [dict(variant=name, seed=seed, miou=values[row, seed])
            for row, name in enumerate(ORDER[1:]) for seed in SEEDS]  # fmt: skip
    variants = by_variant(runs, ORDER)
    assert list(variants) == ['plain', 'fused'] and list(variants['fused']) == SEEDS
    spread = Spread.of([entry['miou'] for entry in variants['plain'].values()])
    assert spread.mean == pytest.approx(values[0].mean()) and spread.deviation == pytest.approx(values[0].std(ddof=1))
    assert spread.text(100) == f'{100 * values[0].mean():.2f} ± {100 * values[0].std(ddof=1):.2f}'
    gain = paired_difference(variants['fused'], {s: variants['plain'][s] for s in (2, 0)}, 'miou')
    pairs = (values[1] - values[0])[[0, 2]]
    assert gain.text(sign='+') == f'{pairs.mean():+.2f} ± {pairs.std(ddof=1):.2f}' and gain.count == 2
    assert Spread.of([None, 0.5]).text() == '0.50' and Spread.of([None]).text() == '–'


def test_sharing_counts_trainings():
    entry = dict(threads=1, device='two cores')
    runs = [dict(entry, jobs=2, load_average=[9, 9, load]) for load in (1.0, 2.0)] + [entry]
    assert sharing(runs) == ('Trainings: 2 with 2 at once, 1 thread each, on two cores (load average 1.0 to 2.0); '
                             '1 with an unrecorded number at once, 1 thread each, on two cores.')


def test_page_and_picture(tmp_path):
    page = tmp_path / 'README.md'
    page.write_text('before\n<!-- results cpu: begin -->\nold\n<!-- results cpu: end -->\nafter\n')
    table = markdown([['a', 'b'], ['1', r'\g<0>']])
    for _ in range(2):
        write_into(page, 'cpu', table)
        assert page.read_text() == (
            'before\n<!-- results cpu: begin -->\n\n| a | b |\n|---|---|\n| 1 | \\g<0> |\n\n<!-- results cpu: end -->\n'
            'after\n'
        )
    with pytest.raises(ValueError, match='README.md has 0 pairs of the lines <!-- results gpu'):
        write_into(page, 'gpu', table)
    variants = {'plain': {0: dict(miou=0.5, few=None), 1: dict(miou=0.7, few=None)}}
    drawn = draw_bars(tmp_path / 'bars.png', variants, {'miou': 'mIoU', 'few': 'few'}, 'Title')
    assert len(np.unique(np.asarray(Image.open(drawn).convert('RGB')).reshape(-1, 3), axis=0)) > 20


def test_publish(tmp_path, capsys):
    page = tmp_path / 'README.md'
    page.write_text('before\n<!-- results cpu: begin -->\nold\n<!-- results cpu: end -->\nafter\n')
    results = Results(tmp_path / 'cpu.json', {'digests': {}}, [])
    with pytest.raises(ValueError, match='cpu.json holds no finished run: leave --table out'):
        publish(page, 'cpu', results, [])
    assert 'old' in page.read_text()
    publish(page, 'cpu', results, ['a table', 'a picture'])
    marked = '<!-- results cpu: begin -->\n\na table\n\na picture\n\n<!-- results cpu: end -->'
    assert page.read_text() == f'before\n{marked}\nafter\n' and capsys.readouterr().out == 'a table\n\na picture\n'
