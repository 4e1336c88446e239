"""What depends on versions and machines: checkpoints that cannot run code, and gloo on CPUs.

Checkpoints. A ``.pth`` file is a pickle, and a pickle can run code. Every way by which mmengine reads one
(``load_checkpoint``, ``--resume``, ``load_from``, ``init_cfg``, the inferencers) goes through
``CheckpointLoader``; :func:`install_safe_checkpoint_loading` puts ``weights_only=True`` into each of its schemes and
allows, beside torch's own list, the few names that mmengine's logs need, each through a narrow stand-in. Nothing of
torch or mmengine is patched: schemes are replaced by the registration call that mmengine offers for it.
"""

from __future__ import annotations

import ast
import contextlib
import datetime
import functools
import os
import pickle
import re
import types
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader

__all__ = [
    'CheckpointRefusedError', 'cpu_model_wrapper_cfg', 'init_cpu_distributed', 'install_safe_checkpoint_loading',
    'safe_torch_load'
]


class CheckpointRefusedError(pickle.UnpicklingError, ValueError):
    """A file holds something that is neither weights nor mmengine's log; nothing in it has been run.

    A ``ValueError`` as other faults in files are, for whoever turns these into a line of explanation.
    """


# --- stand-ins: what a stock mmengine checkpoint names in its pickle, reduced to what it needs -------------------


def _history_buffer_method(owner: Any, name: str) -> Callable:
    """For ``builtins.getattr``, by which HistoryBuffer pickles its four statistics; any other use is refused."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL builtins.getattr with {owner!r}, {name!r}')
    return getattr(owner, name)


def _array_shell(subtype: type, shape: tuple, typecode: bytes) -> np.ndarray:
    """For numpy's ``_reconstruct``: an empty array that the pickle then fills through ``__setstate__``."""
    if subtype is not np.ndarray:
        raise pickle.UnpicklingError(f'Unsupported class {subtype!r} for a numpy array')
    return np.ndarray(shape, dtype='b')


def _numpy_scalar(dtype: np.dtype, payload: bytes = b'') -> Any:
    """For numpy's ``scalar``; refuses object dtypes, whose payload would be a Python object."""
    if dtype.hasobject:
        raise pickle.UnpicklingError(f'Unsupported class numpy.{dtype!r} for a scalar')
    return np.frombuffer(payload, dtype=dtype)[0]


def _plain_dict(*args: Any) -> dict:
    """For ``ConfigDict``, which would import whatever a lazy object in it names: a plain dict."""
    return dict(*args)


def _named(function: Callable, path: str) -> Callable:
    """A copy of ``function`` that carries the global name ``path``; torch < 2.6 takes names from the object only."""
    copy = types.FunctionType(function.__code__, function.__globals__, closure=function.__closure__)
    copy.__defaults__ = function.__defaults__
    copy.__module__, _, copy.__name__ = path.rpartition('.')
    copy.__qualname__ = copy.__name__
    return copy


def _allowed() -> list:
    """Objects to allow beside torch's own list. numpy 2 moved ``numpy.core`` to ``numpy._core``: files hold either."""
    names = {
        'builtins.getattr': _history_buffer_method,
        'mmengine.config.config.ConfigDict': _plain_dict,
        'numpy.core.multiarray._reconstruct': _array_shell,
        'numpy._core.multiarray._reconstruct': _array_shell,
        'numpy.core.multiarray.scalar': _numpy_scalar,
        'numpy._core.multiarray.scalar': _numpy_scalar,
    }
    dtype_classes = {type(np.dtype(code)) for code in '?bhilqBHILQefdFDSU'}
    return [HistoryBuffer, np.ndarray, np.dtype, *dtype_classes, *(_named(f, path) for path, f in names.items())]


_ALLOWED = _allowed()


# --- reading -----------------------------------------------------------------------------------------------------

_FORCE_FLAGS = ('TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD')


@contextlib.contextmanager
def _forced_weights_only() -> Iterator[None]:
    """Make each ``torch.load`` inside the block a ``weights_only`` one, also where the caller says nothing or False."""
    before = {name: os.environ.get(name) for name in _FORCE_FLAGS}
    os.environ.pop(_FORCE_FLAGS[1], None)
    os.environ[_FORCE_FLAGS[0]] = '1'
    try:
        if hasattr(torch.serialization, 'safe_globals'):  # torch >= 2.5
            with torch.serialization.safe_globals(_ALLOWED):
                yield
        else:
            if hasattr(torch.serialization, 'add_safe_globals'):  # torch 2.4
                torch.serialization.add_safe_globals(_ALLOWED)
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_TENSOR_GLOBALS = {
    'collections.OrderedDict', '_codecs.encode', 'builtins.set', 'torch.Size', 'torch.device',
    'torch._utils._rebuild_tensor', 'torch._utils._rebuild_tensor_v2', 'torch._utils._rebuild_parameter',
    'torch.nn.parameter.Parameter'
}


class _RestrictedUnpickler(pickle.Unpickler):
    """The same allow-list for torch < 2.4, whose ``weights_only`` cannot be extended."""

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a global of the pickle, or refuse it; pickle calls nothing that has not come through here."""
        path = f'{module.replace("__builtin__", "builtins")}.{name}'  # protocol 2 keeps Python 2's name
        allowed = {f'{item.__module__}.{item.__qualname__}': item for item in _ALLOWED}
        if path in allowed:
            return allowed[path]
        if path in _TENSOR_GLOBALS or re.fullmatch(r'torch(\.storage)?\.\w+Storage', path) or _is_dtype(path):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL {path} was not an allowed global')


def _is_dtype(path: str) -> bool:
    module, _, name = path.rpartition('.')
    return module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype)


def _restricted_load(file: str | BinaryIO, map_location: Any) -> Any:
    module = types.SimpleNamespace(
        __name__='restricted_pickle', Unpickler=_RestrictedUnpickler,
        load=lambda stream, **kwargs: _RestrictedUnpickler(stream, **kwargs).load())
    try:
        return torch.load(file, map_location=map_location, pickle_module=module, weights_only=False)
    except ValueError as error:  # text that happens to begin like a pickle
        raise pickle.UnpicklingError(str(error)) from error


def _without_code(checkpoint: Any, source: str) -> Any:
    """Leave in ``checkpoint['meta']`` only config texts that run nothing: mmengine executes them."""
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    for key in ('cfg', 'config'):
        text = meta.get(key) if isinstance(meta, dict) else None
        if not isinstance(text, str):
            continue
        harmless = _harmless(text)
        if harmless is not None:
            meta[key] = harmless
            continue
        del meta[key]
        warnings.warn(
            f"{source}: its meta['{key}'] is a config with code in it, which mmengine would run; it has been left "
            'out. Name the config file yourself where one is needed.', stacklevel=3)
    return checkpoint


_CONTAINERS = ('dict', 'list', 'tuple', 'set')


def _harmless(config_text: str) -> str | None:
    """A config text that only assigns literals to names, without its ``custom_imports``; None if there is more in it.

    mmengine imports what ``custom_imports`` names, which every config of a plugin does: whoever uses the text has
    imported the plugin already. ``_base_`` would read another file, and ``{{...}}`` is replaced before the text runs.
    """
    try:
        tree = ast.parse(config_text)
        for statement in tree.body:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if (not isinstance(target, ast.Name) or len(statement.targets) > 1
                    or target.id in ('_base_', *_CONTAINERS) or not _is_literal(statement.value)):
                return None
        kept = [statement for statement in tree.body if statement.targets[0].id != 'custom_imports']
        text = config_text if len(kept) == len(tree.body) else ast.unparse(ast.Module(kept, []))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return None if '{{' in text else text


def _is_literal(node: ast.expr | None) -> bool:
    """Whether an expression is a constant, or a container of such written in brackets or as ``dict(a=1)``."""
    if isinstance(node, ast.Dict):  # the key of **other is None
        return all(map(_is_literal, node.keys + node.values))
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return all(map(_is_literal, node.elts))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Name) and node.func.id in _CONTAINERS
        return named and all(map(_is_literal, [*node.args, *(keyword.value for keyword in node.keywords)]))
    return isinstance(node, ast.Constant)


def _refusal(error: Exception, source: str) -> CheckpointRefusedError:
    """Our error for an ``UnpicklingError``, which itself would advise to switch the protection off."""
    found = re.search(r'(?:GLOBAL|Unsupported class|unrecognized function|but got) (\S+)', str(error))
    if found is None:
        return _no_checkpoint(source)
    return CheckpointRefusedError(
        f'{source}: refused, because it names {found.group(1)}, which is neither weights nor a training log; nothing '
        'in the file has been run. If you trust its author, extract the weights on a machine that may be lost: '
        "torch.save({'state_dict': torch.load(FILE, weights_only=False)['state_dict']}, 'weights.pth'), "
        'and load weights.pth here.')


def _no_checkpoint(source: str) -> CheckpointRefusedError:
    """Our error for a file of another kind."""
    start = f'it begins with {_start(source)!r}; ' if os.path.isfile(source) else ''
    return CheckpointRefusedError(
        f'{source}: not a checkpoint ({start}a web page or the pointer of git-lfs is often saved in place of the '
        'file): fetch it again, and compare its size with that at its source; where a config is named too, it comes '
        'first')


def _start(source: str) -> bytes:
    with open(source, 'rb') as file:
        return file.read(40)


def safe_torch_load(file: str | os.PathLike | BinaryIO, map_location: Any = None) -> Any:
    """Read a checkpoint without running anything in it.

    Args:
        file: Path of a ``.pth`` file, or an open binary stream.
        map_location: As in :func:`torch.load`.

    Returns:
        What was saved: tensors, plain containers, numpy arrays and scalars, HistoryBuffer. Config texts in ``meta``,
        which mmengine executes on resume, come without their ``custom_imports``; those that hold code are left out
        with a warning.

    Raises:
        FileNotFoundError: No such file.
        CheckpointRefusedError: The file names a global beyond the allow-list, or is no checkpoint at all; the message
            says which, and the remedy.
        RuntimeError: The file is damaged or truncated.
    """
    source = str(file) if isinstance(file, (str, os.PathLike)) else 'checkpoint stream'
    if isinstance(file, (str, os.PathLike)):
        file = str(Path(file).expanduser())
        if not Path(file).is_file():
            raise FileNotFoundError(f'{file}: no such checkpoint')
    with _explained(source):
        if hasattr(torch.serialization, 'add_safe_globals'):
            with _forced_weights_only():
                checkpoint = torch.load(file, map_location=map_location, weights_only=True)
        else:
            checkpoint = _restricted_load(file, map_location)
    return _without_code(checkpoint, source)


_STARTS = (b'PK', b'\x80')  # a zip archive, or a pickle of protocol 2 or later
_DAMAGE = ('zip', 'PytorchStreamReader', 'Invalid magic number')


@contextlib.contextmanager
def _explained(source: str) -> Iterator[None]:
    """Turn the errors of ``torch.load`` into ones that name the file and the remedy."""
    try:
        yield
    except CheckpointRefusedError:
        raise
    except pickle.UnpicklingError as error:
        raise _refusal(error, source) from None
    except OSError:
        raise
    except Exception as error:  # the bytes of any file are instructions to a pickle, which fail in any way
        local = os.path.isfile(source)
        if local and os.path.getsize(source) and not _start(source).startswith(_STARTS):
            raise _no_checkpoint(source) from None
        if isinstance(error, RuntimeError) and not any(word in str(error) for word in _DAMAGE):
            raise
        recall = isinstance(error, KeyError) and isinstance(error.args[0], int)  # of what the pickle never noted
        if not (local or recall or isinstance(error, (EOFError, RuntimeError, IndexError))):
            raise
        what = str(error).splitlines()[0] if str(error) else 'it ends too early'
        raise RuntimeError(f'{source}: damaged or truncated checkpoint ({what}); use an earlier one or fetch it again'
                           ) from error


def install_safe_checkpoint_loading() -> None:
    """Put safe loading into every scheme of mmengine's ``CheckpointLoader``; calling it again changes nothing.

    Local files go through :func:`safe_torch_load`. The other schemes (http, torchvision, open-mmlab, s3 ...) keep
    mmengine's own downloading, with ``weights_only`` forced while they read.
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not getattr(loader, 'reads_weights_only', False):
            CheckpointLoader.register_scheme(prefix, _safe(loader, local=prefix == ''), force=True)


def _safe(loader: Callable, local: bool) -> Callable:
    @functools.wraps(loader)  # mmengine logs the name of the loader
    def load(filename: str, map_location: Any = None, **kwargs: Any) -> Any:
        """mmengine's loader, reading weights only."""
        if local:
            return safe_torch_load(filename, map_location)
        with _explained(filename), _forced_weights_only():
            checkpoint = loader(filename, map_location=map_location, **kwargs)
        return _without_code(checkpoint, filename)

    load.reads_weights_only = True
    return load


# --- machines without CUDA ---------------------------------------------------------------------------------------


def init_cpu_distributed(launcher: str, timeout: float = 1800.) -> bool:
    """Start gloo for the pytorch launcher where there is no CUDA; call it before the Runner is built.

    mmengine's own start-up calls ``torch.cuda.set_device`` for this launcher, but leaves alone a process group that
    exists already.

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``; anything but ``'pytorch'`` is left to mmengine.
        timeout: Seconds after which a collective call gives up waiting for the other ranks.

    Returns:
        Whether this process is now a rank of a gloo group; its config then needs :func:`cpu_model_wrapper_cfg`.

    Raises:
        RuntimeError: The launcher's environment variables are missing.
    """
    if launcher != 'pytorch' or torch.cuda.is_available():
        return False
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
               if name not in os.environ]
    if missing:
        raise RuntimeError(f'--launcher pytorch, but {", ".join(missing)} not set: start with tools/dist_train.sh or '
                           'tools/dist_test.sh, or leave --launcher away for a single process')
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo', timeout=datetime.timedelta(seconds=timeout))
    return True


def cpu_model_wrapper_cfg() -> dict:
    """The ``model_wrapper_cfg`` for gloo: mmengine's default one asks for a CUDA device by its number."""
    return dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
