"""Checkpoints: what must load, loads; what could run, is refused before it runs. Gloo on a CPU."""

from __future__ import annotations

import functools
import http.server
import os
import pickle
import socket
import subprocess
import sys
import threading
import traceback
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint

from mmfusion_plugin import compat


class Touch:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f'touch {self.path}', )


class Named:
    """Pickles as a call of ``function``."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def log_history() -> dict:
    history = HistoryBuffer()
    for value in (3., 1., 2.):
        history.update(value)
    return {'log_scalars': {'train/loss': history}, 'runtime_info': {'lr': np.float32(.5), 'seen': np.array([1, 2])},
            'resumed_keys': {}}


@pytest.fixture(autouse=True, scope='module')
def _installed() -> None:
    compat.install_safe_checkpoint_loading()


@pytest.fixture()
def stock(tmp_path: Path) -> Path:
    """A file with everything that a stock mmengine checkpoint holds."""
    checkpoint = {
        'meta': {'epoch': 1, 'cfg': "lr = 0.5\nmodel = dict(type='Toy', sizes=[1, -2])", 'dataset_meta': ConfigDict(
            classes=('a', 'b'), palette=np.zeros((2, 3), np.uint8))},
        'state_dict': torch.nn.Linear(2, 1).state_dict(), 'message_hub': log_history()}
    torch.save(checkpoint, tmp_path / 'stock.pth')
    return tmp_path / 'stock.pth'


def rewritten(source: Path, target: Path, old: bytes, new: bytes) -> Path:
    """Copy a checkpoint with ``old`` replaced in its pickle."""
    with zipfile.ZipFile(source) as have, zipfile.ZipFile(target, 'w') as made:
        for name in have.namelist():
            data = have.read(name)
            made.writestr(name, data.replace(old, new) if name.endswith('data.pkl') else data)
    return target


def both_readers() -> list:
    return [pytest.param(compat.safe_torch_load, id='weights_only'),
            pytest.param(functools.partial(compat._restricted_load, map_location='cpu'), id='torch<2.4')]


@pytest.mark.parametrize('read', both_readers())
def test_stock_checkpoint_loads(stock: Path, read: object) -> None:
    checkpoint = read(str(stock))
    history = checkpoint['message_hub']['log_scalars']['train/loss']
    assert (history.min(), history.mean(), history.current()) == (1., 2., 2.)
    assert checkpoint['message_hub']['runtime_info']['lr'] == np.float32(.5)
    np.testing.assert_array_equal(checkpoint['message_hub']['runtime_info']['seen'], [1, 2])
    dataset_meta = checkpoint['meta']['dataset_meta']
    assert type(dataset_meta) is dict and dataset_meta['classes'] == ('a', 'b')
    assert dataset_meta['palette'].dtype == np.uint8
    torch.nn.Linear(2, 1).load_state_dict(checkpoint['state_dict'])


@pytest.mark.parametrize('read', both_readers())
@pytest.mark.parametrize('module', [b'numpy.core.multiarray', b'numpy._core.multiarray'])
def test_files_of_either_numpy_load(stock: Path, tmp_path: Path, module: bytes, read: object) -> None:
    here = np.array(0).__reduce__()[0].__module__.encode()
    path = rewritten(stock, tmp_path / 'other.pth', here, module)
    assert read(str(path))['message_hub']['runtime_info']['lr'] == np.float32(.5)


@pytest.mark.parametrize('read', both_readers())
def test_malicious_file_is_refused_and_does_not_run(tmp_path: Path, read: object) -> None:
    marker = tmp_path / 'ran'
    torch.save({'state_dict': {}, 'extra': Touch(marker)}, tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError, match=r'posix\.system|nt\.system'):
        read(str(tmp_path / 'bad.pth'))
    assert not marker.exists()


@pytest.mark.parametrize('payload', [
    pytest.param(Named(getattr, OrderedDict, 'fromkeys'), id='getattr-other'),
    pytest.param(Named(getattr, HistoryBuffer, '__init__'), id='getattr-dunder'),
    pytest.param(Named(eval, '1'), id='eval'),
    pytest.param(Named(np.load, 'x.npy'), id='numpy-function'),
    pytest.param(Path('x'), id='harmless-class'),
])
def test_refusal_names_global_file_and_remedy(tmp_path: Path, payload: object) -> None:
    path = tmp_path / 'bad.pth'
    torch.save({'state_dict': {}, 'extra': payload}, path)
    with pytest.raises(compat.CheckpointRefusedError) as refused:
        compat.safe_torch_load(path)
    message = str(refused.value)
    assert str(path) in message and 'it names' in message and 'weights.pth' in message
    if isinstance(payload, Named):
        assert payload.call[0].__name__ in message


def test_object_scalar_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"dtype\('O'\)"):
        compat._numpy_scalar(np.dtype('O'), b'')


def test_every_way_of_mmengine_is_safe(tmp_path: Path) -> None:
    marker = tmp_path / 'ran'
    torch.save({'state_dict': {}, 'extra': Touch(marker)}, tmp_path / 'bad.pth')
    with pytest.raises(compat.CheckpointRefusedError):
        load_checkpoint(torch.nn.Linear(1, 1), str(tmp_path / 'bad.pth'))
    with pytest.raises(compat.CheckpointRefusedError):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'bad.pth'))
    assert not marker.exists()
    assert all(getattr(loader, 'reads_weights_only', False) for loader in CheckpointLoader._schemes.values())


@pytest.fixture()
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it can be fetched."""
    folder = tmp_path / 'served'
    folder.mkdir()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch_home'))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *args: None
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f'http://127.0.0.1:{server.server_address[1]}'
    server.shutdown()
    server.server_close()


def test_fetched_files_are_read_the_same_way(served: tuple[Path, str], stock: Path, tmp_path: Path) -> None:
    folder, address = served
    (folder / 'good.pth').write_bytes(stock.read_bytes())
    torch.save({'state_dict': {}, 'extra': Touch(tmp_path / 'ran')}, folder / 'bad.pth')
    checkpoint = CheckpointLoader.load_checkpoint(f'{address}/good.pth', map_location='cpu')
    assert checkpoint['message_hub']['log_scalars']['train/loss'].current() == 2.
    with pytest.raises(compat.CheckpointRefusedError, match='bad.pth.*system'):
        CheckpointLoader.load_checkpoint(f'{address}/bad.pth', map_location='cpu')
    assert not (tmp_path / 'ran').exists()


def test_loading_leaves_the_process_as_it_was(stock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')  # a user's escape hatch for other files
    monkeypatch.delenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', raising=False)
    schemes = dict(CheckpointLoader._schemes)
    compat.install_safe_checkpoint_loading()
    assert schemes == dict(CheckpointLoader._schemes)
    allowed = set(torch.serialization.get_safe_globals())
    compat.safe_torch_load(stock)
    assert set(torch.serialization.get_safe_globals()) == allowed
    assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


@pytest.mark.parametrize('key', ['cfg', 'config'])
@pytest.mark.parametrize('text', [
    'import os\nos.system("true")', 'x = __import__("os")', 'x = [i for i in (1,)]', 'x = (lambda: 0)()',
    'dict(a=1).update(b=2)', 'f"{print()}"', 'x = "{{$HOME:\' + open(1) + \'}}"', "_base_ = '/etc/x.py'",
    "_base_: list = ['x.py']", 'dict = eval\nx = dict("1")', 'list, x = eval, 1', 'x = custom_imports = dict(a=1)',
    'x = dict', 'x = {**dict(a=1)}', 'x = f"{1}"', 'x = ' + '-' * 5000 + '1', "custom_imports = 1\nx = '{' '{ a }}'",
    'a.b = 1', 'def f(): pass', 'not python at all (',
])
def test_config_text_with_code_is_left_out(tmp_path: Path, key: str, text: str) -> None:
    torch.save({'state_dict': {}, 'meta': {key: text, 'epoch': 3}}, tmp_path / 'coded.pth')
    with pytest.warns(UserWarning, match=f'coded.pth.*{key}'):
        checkpoint = compat.safe_torch_load(tmp_path / 'coded.pth')
    assert checkpoint['meta'] == {'epoch': 3}


@pytest.mark.parametrize('key', ['cfg', 'config'])
@pytest.mark.parametrize('text', [
    "custom_imports = dict(imports=['evil_mod'])\nlr = 0.5", "lr = 0.5; custom_imports = {'imports': 'evil_mod'}",
    "dict = exec\nx = dict('import evil_mod')", "custom_imports, lr = dict(imports=['evil_mod']), 0.5"])
def test_config_text_imports_nothing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, text: str) -> None:
    (tmp_path / 'evil_mod.py').write_text(f'open({str(tmp_path / "ran")!r}, "w")')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, 'evil_mod', raising=False)
    torch.save({'state_dict': {}, 'meta': {key: text, 'epoch': 3}}, tmp_path / 'evil.pth')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        meta = CheckpointLoader.load_checkpoint(str(tmp_path / 'evil.pth'))['meta']
    assert meta['epoch'] == 3
    if key in meta:  # what Runner.resume and the inferencers do with it
        assert Config.fromstring(meta[key], file_format='.py').to_dict() == {'lr': .5}
    assert not (tmp_path / 'ran').exists()
    try:
        Config.fromstring(text, file_format='.py')
    except (TypeError, ValueError):
        pass
    assert (tmp_path / 'ran').exists(), 'this text was harmless from the start'


def test_config_text_of_literals_stays(stock: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert 'Toy' in compat.safe_torch_load(stock)['meta']['cfg']


def test_missing_and_truncated_files_say_so(stock: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        compat.safe_torch_load(tmp_path / 'nowhere.pth')
    cut = tmp_path / 'cut.pth'
    for size in (stock.stat().st_size // 2, 1, 0):
        cut.write_bytes(stock.read_bytes()[:size])
        with pytest.raises((RuntimeError, compat.CheckpointRefusedError), match='cut.pth'):
            compat.safe_torch_load(cut)


@pytest.mark.parametrize('content', [
    b'<!DOCTYPE html><html>404</html>', b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n',
    b'Not found', b'Internal Server Error\n', b'{"message": "no"}', b'\x89PNG\r\n\x1a\n', bytes(100)])
@pytest.mark.parametrize('weights_only', [True, False], ids=['weights_only', 'torch<2.4'])
def test_other_files_are_called_what_they_are(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, weights_only: bool) -> None:
    if not weights_only:
        monkeypatch.delattr(torch.serialization, 'add_safe_globals')
    path = tmp_path / 'page.pth'
    path.write_bytes(content)
    with pytest.raises(compat.CheckpointRefusedError, match='page.pth: not a checkpoint') as refused:
        compat.safe_torch_load(path)
    assert repr(content[:40]) in str(refused.value)
    shown = ''.join(traceback.format_exception(refused.type, refused.value, refused.tb))
    assert 'weights_only=False' not in shown and 'trust' not in shown, "torch's advice would run the next file"


@pytest.mark.parametrize('weights_only', [True, False], ids=['weights_only', 'torch<2.4'])
@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
def test_any_text_is_called_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights_only: bool) -> None:
    """Each letter is an instruction to a pickle: 'hello' recalls what was noted under 101, which is a KeyError."""
    if not weights_only:
        monkeypatch.delattr(torch.serialization, 'add_safe_globals')
    path = tmp_path / 'text.pth'
    for first in range(256):
        for rest in (b'ello world\n', b'1\n.', bytes(30), b''):
            path.write_bytes(bytes([first]) + rest)
            with pytest.raises((RuntimeError, compat.CheckpointRefusedError), match='text.pth: '):
                compat.safe_torch_load(path)
    path.write_bytes(b"default_scope = 'mmdet3d'\n")
    with pytest.raises(compat.CheckpointRefusedError, match="begins with b.default_scope.*a config .* comes first"):
        compat.safe_torch_load(path)


def test_fetched_text_is_no_checkpoint(served: tuple[Path, str]) -> None:
    (served[0] / 'page.pth').write_text('hello world')
    with pytest.raises((RuntimeError, compat.CheckpointRefusedError), match='page.pth: '):
        CheckpointLoader.load_checkpoint(f'{served[1]}/page.pth', map_location='cpu')


class Toy(BaseModel):
    """One linear layer, trained towards zero."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def forward(self, inputs: torch.Tensor, data_samples: object = None, mode: str = 'loss') -> dict:
        return {'loss': self.layer(torch.stack(list(inputs))).pow(2).mean()}


def toy_runner(work_dir: Path, epochs: int, **kwargs: object) -> Runner:
    rows = [{'inputs': torch.full((3, ), float(i))} for i in range(4)]
    return Runner(
        Toy(), str(work_dir), train_dataloader={'dataset': rows, 'batch_size': 2, 'sampler': {
            'type': 'DefaultSampler', 'shuffle': True}}, train_cfg={'by_epoch': True, 'max_epochs': epochs},
        optim_wrapper={'optimizer': {'type': 'AdamW', 'lr': .01}},
        param_scheduler=[{'type': 'CosineAnnealingLR', 'T_max': 4}],
        default_hooks={'logger': {'type': 'LoggerHook', 'interval': 1}},
        experiment_name=f'toy_{work_dir.name}_{epochs}', **kwargs)


def test_stock_runner_resumes_its_own_checkpoint(tmp_path: Path) -> None:
    first = toy_runner(tmp_path, 1)
    first.train()
    state = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    assert isinstance(state['message_hub']['log_scalars']['train/loss'], HistoryBuffer)  # the hard kind of file
    again = toy_runner(tmp_path, 2, resume=True)
    again.load_or_resume()
    assert torch.equal(again.model.layer.weight, first.model.layer.weight)
    assert again.message_hub.get_scalar('train/loss').current() == first.message_hub.get_scalar('train/loss').current()
    again.train()
    assert again.epoch == 2 and (tmp_path / 'epoch_2.pth').is_file()


GLOO = """
import importlib.util, os, sys, torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
spec = importlib.util.spec_from_file_location('compat', sys.argv[1])  # alone: the whole package takes seconds
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
assert compat.init_cpu_distributed('pytorch') and compat.init_cpu_distributed('pytorch')
assert torch.distributed.get_backend() == 'gloo'
layer = torch.nn.Linear(1, 1, bias=False)
torch.nn.init.ones_(layer.weight)
model = MODEL_WRAPPERS.build(dict(module=layer, **compat.cpu_model_wrapper_cfg()))
model(torch.full((1, 1), float(os.environ['RANK']) * 2)).sum().backward()
assert layer.weight.grad.item() == 1., layer.weight.grad  # the mean of 0 and 2
torch.distributed.destroy_process_group()
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason='gloo is for machines without CUDA')
def test_gloo_ranks_share_gradients(tmp_path: Path) -> None:
    (tmp_path / 'rank.py').write_text(GLOO)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    ranks = [subprocess.Popen(
        [sys.executable, tmp_path / 'rank.py', compat.__file__], stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'RANK': rank, 'LOCAL_RANK': rank, 'WORLD_SIZE': '2',
             'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port}) for rank in '01']
    errors = [process.communicate(timeout=300)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], errors[0][-2000:] + errors[1][-2000:]


@pytest.mark.skipif(torch.cuda.is_available(), reason='gloo is for machines without CUDA')
def test_launcher_without_its_environment_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match='RANK.*dist_train.sh'):
        compat.init_cpu_distributed('pytorch')
    assert compat.init_cpu_distributed('none') is False
    assert not torch.distributed.is_initialized()
