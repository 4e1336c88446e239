"""Commands that show how far they are, keep a log, and do not outlive the one who started them."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Iterator


class BootstrapError(RuntimeError):
    """A step failed; the message says where its log is and how it ended."""


def clock(seconds: float) -> str:
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d}'


def ask(python: Path, code: str) -> str:
    """What ``python -c code`` prints."""
    done = subprocess.run([python, '-c', code], capture_output=True, text=True)
    if done.returncode:
        raise BootstrapError(f'{python} -c {code!r} ended with status {done.returncode}:\n{done.stderr.strip()}')
    return done.stdout.strip()


@contextlib.contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold the lock file ``path``; where another process holds it, print ``waiting`` and wait. Dies with its holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _die_with_parent() -> None:
    """In the child, on Linux: end when the parent is killed, so that a new start does not meet an old installer."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 = PR_SET_PDEATHSIG


def run_logged(command: list, log: Path, env: dict[str, str] | None = None, counter: str | None = None) -> None:
    """Run a command with its output in ``log``, showing how far it is.

    Args:
        counter: Regular expression; once it matches, its last match is shown instead of the last line.

    Raises:
        BootstrapError: It failed; names the log and shows its last lines.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    start, shown, last, counted = time.monotonic(), 0., [''], False
    with log.open('a') as sink:
        print(f'$ {" ".join(map(str, command))}', file=sink, flush=True)
        process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors='replace', env={**os.environ, **(env or {})}, start_new_session=True, preexec_fn=_die_with_parent)

        def follow() -> None:
            nonlocal counted
            for line in process.stdout:
                sink.write(line)
                sink.flush()
                found = re.search(counter, line) if counter else None
                counted = counted or found is not None
                if found or (line.strip() and not counted and not line.startswith('WARNING')):
                    last[0] = (found.group(0) if found else line.strip())[:70]

        reader = threading.Thread(target=follow, daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                reader.join(1)
                elapsed, tty = time.monotonic() - start, sys.stdout.isatty()
                if reader.is_alive() and (tty or elapsed - shown >= 20):
                    shown = elapsed
                    text = f'      {clock(elapsed)}  {last[0]}'
                    print(f'\r{text:<84}' if tty else text, end='' if tty else '\n', flush=True)
            status = process.wait()
        finally:
            if process.poll() is None:  # stopped: take its compilers along
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    if sys.stdout.isatty():
        print(f'\r{"":<84}\r', end='')
    if status:
        tail = '\n'.join('      | ' + line for line in log.read_text(errors='replace').splitlines()[-15:])
        raise BootstrapError(f'{" ".join(map(str, command[:6]))} ... ended with status {status}.\n{tail}\n'
                             f'      The whole log: {log}')
