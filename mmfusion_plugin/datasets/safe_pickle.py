"""Reading pickled info files without giving them the power to run code."""

from __future__ import annotations

import collections
import io
import pickle
from typing import Any, Callable

import numpy as np


class UnsafePickleError(pickle.UnpicklingError):
    """A pickle asks for something other than plain containers, numbers, strings and numpy arrays."""


def _encode_latin1(text: str, encoding: str) -> bytes:
    # Protocol 2, which mmengine writes, stores bytes as text to be encoded; no other codec is ever needed.
    if encoding != 'latin1':
        raise UnsafePickleError(f'bytes encoded as {encoding!r}')
    return text.encode('latin1')


def _bytes_of(kind: type) -> Callable[..., Any]:
    def make(content: Any = b'', encoding: str = 'latin1') -> Any:
        # A number would ask for that much memory.
        if not isinstance(content, (bytes, str)):
            raise UnsafePickleError(f'{kind.__name__} of a {type(content).__name__}')
        return kind(content if isinstance(content, bytes) else _encode_latin1(content, encoding))

    return make


def _set_of(kind: type) -> Callable[..., Any]:
    def make(items: Any = ()) -> Any:
        # A range would be counted out.
        if not isinstance(items, (list, tuple)):
            raise UnsafePickleError(f'{kind.__name__} of a {type(items).__name__}')
        return kind(items)

    return make


_ARRAY_TYPE = 'numpy.ndarray'  # stands for the class, which a pickle could call with any size


def _empty_array(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """What pickled arrays start from; their size comes with their content."""
    if kind != _ARRAY_TYPE or shape != (0,):
        raise UnsafePickleError(f'an array {kind} of shape {shape}')
    return np.ndarray(shape, np.int8)


def _allowed() -> dict[tuple[str, str], Any]:
    array, scalar = np.zeros(1), np.float64(0)
    allowed: dict[tuple[str, str], Any] = {
        ('collections', 'OrderedDict'): collections.OrderedDict,
        ('_codecs', 'encode'): _encode_latin1,
        ('numpy', 'ndarray'): _ARRAY_TYPE,
        ('numpy', 'dtype'): np.dtype,
    }
    for module in ('builtins', '__builtin__'):
        for kind in (complex, slice, range):
            allowed[module, kind.__name__] = kind
        for kind in (bytes, bytearray):
            allowed[module, kind.__name__] = _bytes_of(kind)
        for kind in (set, frozenset):
            allowed[module, kind.__name__] = _set_of(kind)
    # numpy 2 renamed numpy.core; files of either version are read by either.
    for core in ('numpy.core', 'numpy._core'):
        allowed[f'{core}.multiarray', '_reconstruct'] = _empty_array
        allowed[f'{core}.multiarray', 'scalar'] = scalar.__reduce__()[0]
        allowed[f'{core}.numeric', '_frombuffer'] = array.__reduce_ex__(5)[0]
    return allowed


class _RestrictedUnpickler(pickle.Unpickler):
    """Finds the allowed names only; every other reference in the file is an error before anything is called."""

    _names = _allowed()

    def find_class(self, module: str, name: str) -> Any:
        """The allowed object of that name; :class:`UnsafePickleError` for every other."""
        try:
            return self._names[module, name]
        except KeyError:
            raise UnsafePickleError(f'{module}.{name}') from None


def safe_pickle_loads(content: bytes, origin: str) -> Any:
    """Unpickle plain data.

    Args:
        content: The pickle.
        origin: Name of the file for messages.

    Returns:
        Containers, numbers, strings, and numpy arrays and scalars.

    Raises:
        UnsafePickleError: The file refers to anything else; nothing in it has run.
        ValueError: The file is not a complete pickle.
    """
    try:
        return _RestrictedUnpickler(io.BytesIO(content)).load()
    except UnsafePickleError as error:
        raise UnsafePickleError(
            f'{origin} refers to {error}, which plain info files never hold, and was not read: it may have been made '
            'to run code. Generate the file from the raw data with tools/create_data.py.'
        ) from None
    except Exception as error:  # damaged bytes can read as any operation on any value
        raise ValueError(
            f'{origin} is not a complete pickle ({type(error).__name__}: {error}): copy or generate it again'
        ) from error
