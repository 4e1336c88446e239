"""Packaging, pins and the steps of the set-up."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmfusion_plugin.environment import DISTRIBUTIONS, REQUIREMENTS, judge
from mmfusion_plugin.version import __version__

SHIPPED = ('mmfusion_plugin', 'configs', 'tools', 'requirements', 'setup.py', 'pyproject.toml', 'MANIFEST.in',
           'LICENSE', 'README.md', 'CHANGELOG.md', 'model-index.yml', '.gitignore')


@pytest.fixture()
def boot(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules behind ``tools/bootstrap.py``."""
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    import bootstrap
    from bootstrapping import mmcv_wheel, shell, steps
    return SimpleNamespace(main=bootstrap, mmcv_wheel=mmcv_wheel, shell=shell, steps=steps)


# --- packaging ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def checkout(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is built from, under git, so that building cannot touch the real one."""
    copy = tmp_path_factory.mktemp('checkout')
    for name in SHIPPED:
        source = repo_root / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns('__pycache__', '.mim'))
        elif source.is_file():
            shutil.copy2(source, copy / name)
    git = ['git', '-c', 'user.name=t', '-c', 'user.email=t@t', '-C', str(copy)]
    for command in (['init', '-q'], ['add', '-A'], ['commit', '-q', '-m', 'copy']):
        subprocess.run(git + command, check=True, capture_output=True)
    return copy


def pip(*arguments: object, without_torch: Path) -> None:
    """Run pip with a ``torch`` that cannot be imported: building the package must not need one."""
    without_torch.mkdir()
    (without_torch / 'torch.py').write_text('raise SystemExit("torch was imported while building")')
    done = subprocess.run(
        [sys.executable, '-m', 'pip', *map(str, arguments)], capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': str(without_torch), 'PIP_DISABLE_PIP_VERSION_CHECK': '1', 'PIP_NO_INPUT': '1'})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_wheel_carries_package_and_mim(checkout: Path, tmp_path: Path) -> None:
    pip('wheel', '--no-build-isolation', '--no-deps', '--no-index', '-w', tmp_path / 'w', checkout,
        without_torch=tmp_path / 'blocked')
    (wheel, ) = (tmp_path / 'w').glob('*.whl')
    assert wheel.name == f'mmfusion_plugin-{__version__}-py3-none-any.whl'
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f'mmfusion_plugin-{__version__}.dist-info/METADATA').decode()
    modules = {path.relative_to(checkout).as_posix() for path in (checkout / 'mmfusion_plugin').rglob('*.py')}
    assert modules <= names
    shipped = {f'mmfusion_plugin/.mim/{path.relative_to(checkout).as_posix()}' for folder in ('configs', 'tools')
               for path in (checkout / folder).rglob('*') if path.is_file() and '__pycache__' not in path.parts}
    assert len(shipped) > 5 and shipped | {'mmfusion_plugin/.mim/model-index.yml'} <= names
    assert not [name for name in names if name.startswith('tests') or '__pycache__' in name]
    assert set(re.findall(r'^Requires-Python: (.*)$', metadata, re.M)[0].split(',')) == {'>=3.9', '<3.13'}
    assert {'nuscenes', 'spconv', 'vis', 'dev'} <= set(re.findall(r'^Provides-Extra: (.*)$', metadata, re.M))
    assert re.search(r'^Requires-Dist: spconv-cu126.*extra == .spconv.', metadata, re.M)
    assert not re.search(r'^Requires-Dist: (torch|mmcv|mmdet)', metadata, re.M)
    dirty = subprocess.run(['git', '-C', str(checkout), 'status', '--porcelain'], capture_output=True, text=True).stdout
    assert dirty == '', 'building a wheel litters the checkout'


def test_editable_install_shows_mim(checkout: Path, tmp_path: Path) -> None:
    # --ignore-installed: pip would remove the project from the environment that runs this test.
    pip('install', '--ignore-installed', '--no-build-isolation', '--no-deps', '--no-index',
        '--prefix', tmp_path / 'prefix', '-e', checkout, without_torch=tmp_path / 'blocked')
    (site_packages, ) = (tmp_path / 'prefix').rglob('site-packages')
    code = (f'import site; site.addsitedir({str(site_packages)!r}); import importlib.util as u; '
            "print(u.find_spec('mmfusion_plugin').origin)")
    found = subprocess.run([sys.executable, '-I', '-S', '-c', code], capture_output=True, text=True, cwd=tmp_path)
    assert Path(found.stdout.strip()) == checkout / 'mmfusion_plugin' / '__init__.py', found.stderr
    mim = checkout / 'mmfusion_plugin' / '.mim'
    assert (mim / 'model-index.yml').read_text() == (checkout / 'model-index.yml').read_text()
    (checkout / 'configs' / 'new.py').write_text('')
    assert (mim / 'configs' / 'new.py').is_file(), 'an edit of a config is not seen through .mim'
    (checkout / 'configs' / 'new.py').unlink()
    dirty = subprocess.run(['git', '-C', str(checkout), 'status', '--porcelain'], capture_output=True, text=True).stdout
    assert dirty == '', 'an editable install litters the checkout'


def test_setuptools_without_editable_mode_builds(checkout: Path, tmp_path: Path) -> None:
    """Before 64 it knew only ``develop``."""
    code = ('import runpy, sys; from setuptools.command.build_py import build_py; '
            'del build_py.editable_mode; build_py.run = lambda self: vars(self).pop("editable_mode"); '
            f'sys.argv[1:] = ["-q", "build", "-b", {str(tmp_path)!r}]; runpy.run_path("setup.py")')
    done = subprocess.run([sys.executable, '-c', code], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'lib/mmfusion_plugin/.mim/model-index.yml').is_file()


def test_index_lists_every_metafile(repo_root: Path) -> None:
    listed = re.findall(r'^\s+- (\S+)$', (repo_root / 'model-index.yml').read_text(), re.M)
    there = [path.relative_to(repo_root).as_posix() for path in sorted(repo_root.glob('configs/*/metafile.yml'))]
    assert sorted(listed) == there


# --- pins --------------------------------------------------------------------------------------------------------


@pytest.fixture()
def pins(boot: SimpleNamespace) -> dict:
    """``{package: version}`` of the constraints file."""
    sections = boot.steps.read_pins(boot.main.CONSTRAINTS)
    assert list(sections) == ['torch', 'build', 'mmcv', 'packages', 'dev']
    lines = sum(sections.values(), [])
    assert all(re.fullmatch(r'[\w.-]+==[\w.]+', line) for line in lines)
    names = [re.sub(r'[-_.]+', '-', line.split('==')[0].lower()) for line in lines]
    assert len(set(names)) == len(names), 'a package is pinned twice'
    return dict(zip(names, (line.split('==')[1] for line in lines)))


def test_reference_set(pins: dict) -> None:
    reference = {
        'torch': '2.7.1', 'torchvision': '0.22.1', 'numpy': '1.26.4', 'mmengine': '0.10.7', 'mmcv': '2.1.0',
        'mmdet': '3.2.0', 'mmdet3d': '1.4.0', 'mmpretrain': '1.2.0', 'nuscenes-devkit': '1.2.0'}
    assert {name: pins[name] for name in reference} == reference
    assert int(pins['setuptools'].split('.')[0]) < 81
    assert 'opencv-python-headless' in pins and not {'opencv-python', 'open3d', 'spconv-cu126'} & set(pins)


def test_pins_ranges_and_requirements_agree(pins: dict, repo_root: Path) -> None:
    assert {r.name: judge(r, pins[r.name]) for r in REQUIREMENTS} == {r.name: 'ok' for r in REQUIREMENTS}
    for path in (repo_root / 'requirements').glob('*.txt'):
        for line in path.read_text().split('\n'):
            name = re.match(r'[\w-]*', line).group(0).lower()
            assert not name or name in pins or name == 'spconv-cu126', f'{path.name}: {name} has no pin'


@pytest.mark.skipif(sys.version_info < (3, 10), reason='Python 3.10 is the first to know the names of its library')
@pytest.mark.parametrize(('folders', 'files'), [
    (('mmfusion_plugin', 'tools'), ('runtime', 'mminstall', 'nuscenes', 'scannet', 'spconv', 'vis')),
    (('tests', ), ('runtime', 'mminstall', 'nuscenes', 'scannet', 'spconv', 'vis', 'dev'))])
def test_every_import_is_required(repo_root: Path, folders: tuple, files: tuple) -> None:
    sources = [path for folder in folders for path in (repo_root / folder).rglob('*.py') if '.mim' not in path.parts]
    ours = [path for base in ('projects', 'tests', 'tools') for path in (repo_root / base).rglob('*.py')]
    packages = {path.name for base in ('tests', 'tools') for path in (repo_root / base).iterdir() if path.is_dir()}
    own = {path.stem for path in ours} | packages | {'mmfusion_plugin'}
    imported = set()
    for node in (node for path in sources for node in ast.walk(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add(node.module.split('.')[0])
    distributions = {**DISTRIBUTIONS, 'spconv': 'spconv-cu126'}
    needed = {distributions.get(name, name) for name in imported - own - set(sys.stdlib_module_names)}
    lines = [line for name in files for line in (repo_root / 'requirements' / f'{name}.txt').read_text().split()]
    required = {re.match(r'[\w-]+', line).group(0) for line in lines}
    # torch is chosen by whoever installs; geomloss is measured beside where it happens to be installed.
    assert len(needed) > 10 and needed - required <= {'torch', 'torchvision', 'geomloss'}


def test_missing_pins_sees_a_cut_installation(boot: SimpleNamespace, tmp_path: Path) -> None:
    for folder, complete in (('typing_extensions-4.1.dist-info', True), ('mmcv-2.1.0.dist-info', False)):
        (tmp_path / folder).mkdir()
        if complete:
            (tmp_path / folder / 'INSTALLER').touch()
    wanted = ['typing-extensions==4.1', 'mmcv==2.1.0', 'typing_extensions==4.2']
    assert boot.steps.missing_pins(tmp_path, wanted) == ['mmcv==2.1.0', 'typing_extensions==4.2']
    boot.steps.forget_cut_packages(tmp_path)  # pip would not install mmcv again beside its record
    assert [path.name for path in tmp_path.iterdir()] == ['typing_extensions-4.1.dist-info']


# --- steps -------------------------------------------------------------------------------------------------------


def toy_steps(boot: SimpleNamespace, folder: Path, calls: list, cut: str = '', broken: str = '',
              lost: str = '') -> list:
    """Three steps that write a file each; ``cut`` stops half-way, ``broken`` does not verify, ``lost`` writes none."""
    def make(name: str) -> object:
        def install() -> None:
            calls.append(name)
            (folder / name).write_text('half')
            if name == cut:
                raise KeyboardInterrupt
            (folder / name).write_text('whole')
            if name == lost:
                (folder / name).unlink()

        def verify() -> None:
            if name == broken or (folder / name).read_text() != 'whole':
                raise boot.shell.BootstrapError(f'{name} does not work')

        return boot.steps.Step(name, name, 'a moment', f'{name} 1', (folder / name).is_file, install, verify)

    return [make(name) for name in 'abc']


@pytest.mark.parametrize('cut', ['a', 'b', 'c'])
def test_steps_resume_after_a_stop_anywhere(boot: SimpleNamespace, tmp_path: Path, cut: str) -> None:
    calls: list = []
    with pytest.raises(KeyboardInterrupt):
        boot.steps.run_steps(toy_steps(boot, tmp_path, calls, cut=cut), tmp_path / 'state')
    assert calls == list('abc'[:'abc'.index(cut) + 1])
    calls.clear()
    boot.steps.run_steps(toy_steps(boot, tmp_path, calls), tmp_path / 'state')
    assert calls == list('abc'['abc'.index(cut):]), 'the cut step is done anew, the ones before it are not'
    calls.clear()
    boot.steps.run_steps(toy_steps(boot, tmp_path, calls), tmp_path / 'state')
    assert calls == []


def test_a_failed_check_leaves_no_stamp(boot: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(boot.shell.BootstrapError, match='b does not work'):
        boot.steps.run_steps(toy_steps(boot, tmp_path, [], broken='b'), tmp_path / 'state')
    assert sorted(path.name for path in (tmp_path / 'state').iterdir()) == ['a']


def test_an_installer_that_leaves_something_out_is_no_success(boot: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(boot.shell.BootstrapError, match='b: .*not everything is there'):
        boot.steps.run_steps(toy_steps(boot, tmp_path, [], lost='b'), tmp_path / 'state')
    assert sorted(path.name for path in (tmp_path / 'state').iterdir()) == ['a']


def test_what_lies_there_is_adopted_or_mended(boot: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / 'a').write_text('whole')
    (tmp_path / 'b').write_text('half')
    calls: list = []
    boot.steps.run_steps(toy_steps(boot, tmp_path, calls), tmp_path / 'state')
    assert calls == ['b', 'c']
    (tmp_path / 'a').unlink()  # uninstalled behind our back
    calls.clear()
    changed = toy_steps(boot, tmp_path, calls)
    changed[2] = changed[2]._replace(fingerprint='c 2')
    boot.steps.run_steps(changed, tmp_path / 'state')
    assert calls == ['a', 'c'], 'a step whose files went or whose pins changed is done again'


def test_the_real_steps_need_no_process_when_done(boot: SimpleNamespace, tmp_path: Path) -> None:
    state = tmp_path / '.venv' / '.bootstrap'
    state.mkdir(parents=True)
    steps = [step._replace(present=lambda: True, install=pytest.fail, verify=pytest.fail)
             for step in boot.main.make_steps(tmp_path / '.venv', state)]
    assert [step.name for step in steps] == ['venv', 'torch', 'build', 'packages', 'mmcv', 'project']
    for step in steps:
        (state / step.name).write_text(step.fingerprint)
    start = time.monotonic()
    boot.steps.run_steps(steps, state)
    assert time.monotonic() - start < 1


def test_failed_command_names_its_log(boot: SimpleNamespace, tmp_path: Path) -> None:
    log = tmp_path / 'logs' / 'x.log'
    with pytest.raises(boot.shell.BootstrapError, match='status 3') as failed:
        boot.shell.run_logged([sys.executable, '-c', 'print("the reason"); raise SystemExit(3)'], log)
    assert 'the reason' in str(failed.value) and str(log) in str(failed.value)


def test_long_command_shows_its_counter(boot: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code = 'import time; print("[12/77] c++ x.o", flush=True); time.sleep(2.5)'
    monotonic = iter(range(0, 10_000, 30))
    boot.shell.time = SimpleNamespace(monotonic=lambda: next(monotonic))  # half a minute passes between two looks
    try:
        boot.shell.run_logged([sys.executable, '-c', code], tmp_path / 'x.log', counter=r'\[\s*\d+/\d+\]')
    finally:
        boot.shell.time = time
    assert re.search(r'\d+:\d\d  \[12/77\]', capsys.readouterr().out)


@pytest.mark.skipif(sys.platform != 'linux', reason='children end with their parent on Linux only')
def test_kill_takes_the_running_installer_along(boot: SimpleNamespace, tmp_path: Path, repo_root: Path) -> None:
    code = (f'import sys; sys.path.insert(0, {str(repo_root / "tools")!r})\n'
            'from pathlib import Path\nfrom bootstrapping.shell import run_logged\n'
            "run_logged([sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'], "
            f'Path({str(tmp_path / "x.log")!r}))')
    parent = subprocess.Popen([sys.executable, '-c', code])
    log, deadline = tmp_path / 'x.log', time.monotonic() + 30
    while time.monotonic() < deadline and not (log.is_file() and re.search(r'^\d+$', log.read_text(), re.M)):
        time.sleep(.05)
    child = int(re.search(r'^\d+$', log.read_text(), re.M).group(0))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while time.monotonic() < deadline and alive(child):
        time.sleep(.05)
    assert not alive(child)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie nobody has waited for does not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


# --- the mmcv wheel ----------------------------------------------------------------------------------------------


@pytest.fixture()
def wheels(boot: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
           request: pytest.FixtureRequest) -> SimpleNamespace:
    """A cache folder, and stand-ins for pip and the compiler that note what they are asked for."""
    monkeypatch.setenv('MMFUSION_CACHE', str(tmp_path / 'cache'))
    tag = getattr(request, 'param', 'torch2.7.1-cp311-cpu')
    monkeypatch.setattr(boot.mmcv_wheel, 'cache_tag', lambda python: tag)
    noted = SimpleNamespace(commands=[], bad=set(), folder=tmp_path / 'cache' / 'wheels' / tag)

    def run(command: list, log: Path, env: dict | None = None, counter: str | None = None) -> None:
        words = [str(word) for word in command]
        noted.commands.append(SimpleNamespace(words=words, env=env or {}))
        if 'download' in words:
            tree = Path(words[words.index('-d') + 1])
            (tree / 'mmcv-2.1.0').mkdir()
            (tree / 'mmcv-2.1.0' / 'setup.py').touch()
            shutil.make_archive(str(tree / 'mmcv-2.1.0'), 'gztar', tree, 'mmcv-2.1.0')
            shutil.rmtree(tree / 'mmcv-2.1.0')
        elif words[2:4] == ['pip', 'wheel']:
            assert (Path(words[-1]) / 'setup.py').is_file()
            if 'build' in noted.bad:
                raise boot.shell.BootstrapError('killed')
            (Path(words[words.index('-w') + 1]) / 'mmcv-2.1.0-cp311-linux.whl').write_text('new')
        elif words[2:4] == ['pip', 'install']:
            noted.installed = Path(words[-1]).read_text()
        elif words[1] == '-c' and noted.installed in noted.bad:
            raise boot.shell.BootstrapError('undefined symbol')

    monkeypatch.setattr(boot.mmcv_wheel, 'run_logged', run)
    monkeypatch.setattr(boot.mmcv_wheel, '_stripped', lambda python, wheel, scratch, log: wheel)
    noted.install = lambda: boot.mmcv_wheel.install(Path(sys.executable), 'mmcv==2.1.0', tmp_path / 'log')
    noted.builds = lambda: [c for c in noted.commands if c.words[2:4] == ['pip', 'wheel']]
    return noted


def test_cache_is_keyed_by_torch_python_and_cuda(boot: SimpleNamespace) -> None:
    import torch
    tag = f'torch{torch.__version__.split("+")[0]}-cp{sys.version_info[0]}{sys.version_info[1]}'
    assert re.fullmatch(re.escape(tag) + r'-(cpu|cu\d+)', boot.mmcv_wheel.cache_tag(Path(sys.executable)))


def test_a_python_without_torch_says_what_it_misses(boot: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / 'python').write_text('#!/bin/sh\necho "no module named torch" >&2\nexit 1\n')
    (tmp_path / 'python').chmod(0o755)
    with pytest.raises(boot.shell.BootstrapError, match='no module named torch'):
        boot.mmcv_wheel.cache_tag(tmp_path / 'python')


@pytest.mark.parametrize('wheels', ['torch2.7.1-cp311-cpu', 'torch2.7.1-cp311-cu126'], indirect=True)
def test_gpus_are_hidden_from_a_build_for_the_cpu(
        wheels: SimpleNamespace, boot: SimpleNamespace, tmp_path: Path) -> None:
    """mmcv's setup.py wants nvcc wherever it sees a GPU, and its CPU kernels cannot pass a check on one."""
    wheels.install()
    boot.mmcv_wheel.verify(Path(sys.executable), tmp_path / 'log')
    download, build, _, check = wheels.commands
    assert 'download' in download.words and build in wheels.builds() and check.words[1] == '-c'
    cpu = wheels.folder.name.endswith('-cpu')
    for command in (download, build, check):
        assert command.env['FORCE_CUDA'] == ('0' if cpu else '1')
        assert command.env.get('CUDA_VISIBLE_DEVICES') == ('' if cpu else None)


def test_checkouts_that_share_the_cache_build_once(
        wheels: SimpleNamespace, boot: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    lock = tmp_path / 'cache' / 'build' / f'{wheels.folder.name}.lock'
    with boot.shell.locked(lock, 'free so far'):
        second = threading.Thread(target=wheels.install)
        second.start()
        said, deadline = '', time.monotonic() + 30
        while 'waiting for its wheel' not in said and time.monotonic() < deadline:
            time.sleep(.01)
            said += capsys.readouterr().out
        assert str(lock) in said and 'free so far' not in said and not wheels.commands
        wheels.folder.mkdir(parents=True)
        (wheels.folder / 'mmcv-2.1.0-cp311-linux.whl').write_text('theirs')
    second.join(30)
    assert wheels.installed == 'theirs' and not wheels.builds()


def test_wheel_is_built_once_without_pips_cache(wheels: SimpleNamespace) -> None:
    wheels.install()
    (build, ) = wheels.builds()
    assert {'--no-cache-dir', '--no-build-isolation', '--no-deps', '-v'} <= set(build.words)
    assert build.env['MMCV_WITH_OPS'] == '1' and build.env['FORCE_CUDA'] == '0'
    assert [path.read_text() for path in wheels.folder.iterdir()] == ['new'], 'one wheel and no leftovers'
    wheels.install()
    assert len(wheels.builds()) == 1


def test_broken_wheel_is_built_anew(wheels: SimpleNamespace) -> None:
    wheels.folder.mkdir(parents=True)
    (wheels.folder / 'mmcv-2.1.0-cp311-linux.whl').write_text('stale')
    wheels.bad.add('stale')
    wheels.install()
    assert len(wheels.builds()) == 1 and wheels.installed == 'new'


def test_stopped_build_keeps_its_tree_and_no_wheel(wheels: SimpleNamespace, boot: SimpleNamespace) -> None:
    wheels.bad.add('build')
    with pytest.raises(boot.shell.BootstrapError):
        wheels.install()
    assert list(wheels.folder.iterdir()) == []
    wheels.bad.clear()
    wheels.install()
    assert sum('download' in command.words for command in wheels.commands) == 1, 'the compiled half is thrown away'
    assert wheels.installed == 'new'


# --- make --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(('target', 'command'), [
    ('demo', '.venv/bin/python tools/demo.py'), ('test', '.venv/bin/python -m pytest tests'),
    ('fast', '.venv/bin/python -m pytest tests -m "not slow"'), ('lint', '.venv/bin/python -m ruff check .')])
def test_make_targets(repo_root: Path, target: str, command: str) -> None:
    ask = ['make', '--no-print-directory', '-n', target]
    said = subprocess.run(ask, cwd=repo_root, capture_output=True, text=True).stdout.splitlines()
    assert any('tools/bootstrap.py' in line for line in said[:-1]) and said[-1] == command


def test_ci_runs_make_test(repo_root: Path) -> None:
    script = repo_root / '.ci' / 'run'
    assert os.access(script, os.X_OK) and script.read_text().splitlines()[-1] == 'make test'
    assert subprocess.run(['bash', '-n', str(script)]).returncode == 0


def test_make_names_a_missing_python(repo_root: Path) -> None:
    done = subprocess.run(['make', 'env', 'PYTHON=python-nowhere'], cwd=repo_root, capture_output=True, text=True)
    assert done.returncode != 0 and 'python-nowhere not found' in done.stderr
