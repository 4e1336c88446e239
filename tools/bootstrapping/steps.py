"""Steps that are done once: a stamp each, written last, so that a stopped set-up goes on where it was."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import Callable, NamedTuple

from .shell import BootstrapError, clock


class Step(NamedTuple):
    """One step: done when its stamp holds ``fingerprint``; the stamp is written after ``verify`` has passed."""

    name: str
    title: str
    expected: str
    fingerprint: str
    present: Callable[[], bool]  # cheap look at the disk, made each time
    install: Callable[[], None]
    verify: Callable[[], None]  # raises BootstrapError


def fingerprint(*parts: object) -> str:
    return hashlib.sha256('\0'.join(map(str, parts)).encode()).hexdigest()[:16]


def read_pins(path: Path) -> dict[str, list[str]]:
    """Sections (``# [name]``) of a constraints file, each a list of ``package==version``."""
    sections: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        header = re.match(r'# \[(\w+)\]', line)
        if header:
            current = sections.setdefault(header.group(1), [])
        elif line and not line.startswith('#'):
            current.append(line.strip())
    return sections


def _canonical(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name.lower())


def missing_pins(site_packages: Path, pins: list[str]) -> list[str]:
    """Pins not completely installed. pip writes INSTALLER after all files of a package, so a cut one counts too."""
    done = {_canonical(folder.name[:-len('.dist-info')]) for folder in site_packages.glob('*.dist-info')
            if (folder / 'INSTALLER').is_file()}
    return [pin for pin in pins if _canonical(pin.replace('==', '-')) not in done]


def forget_cut_packages(site_packages: Path) -> None:
    """Remove the records of packages whose installation was cut: pip would take them for installed."""
    for folder in site_packages.glob('*.dist-info'):
        if not (folder / 'INSTALLER').is_file():
            shutil.rmtree(folder)


def run_steps(steps: list[Step], state: Path) -> None:
    """Bring every step to done, in order; what is done already is only looked at.

    A step with the right stamp and its files in place is skipped. One without any stamp whose files are in place (an
    environment made by hand) is verified and adopted. Everything else is installed, verified, and stamped last, so
    that a kill at any moment costs the running step only.
    """
    state.mkdir(parents=True, exist_ok=True)
    for number, step in enumerate(steps, 1):
        stamp, start = state / step.name, time.monotonic()
        label = f'[{number}/{len(steps)}] {step.title}'
        written = stamp.read_text() if stamp.is_file() else None
        if written == step.fingerprint and step.present():
            print(f'{label}: ready', flush=True)
            continue
        if written is None and step.present():
            print(f'{label}: found, verifying ...', flush=True)
            try:
                step.verify()
                _write(stamp, step.fingerprint)
                print('      works, adopted', flush=True)
                continue
            except BootstrapError:
                pass  # what is there does not work: install it anew
        print(f'{label}: installing, {step.expected} ...', flush=True)
        stamp.unlink(missing_ok=True)
        step.install()
        if not step.present():
            raise BootstrapError(f'{step.title}: the installer ended well, yet not everything is there; logs: {state}')
        step.verify()
        _write(stamp, step.fingerprint)
        print(f'      done in {clock(time.monotonic() - start)}', flush=True)


def _write(stamp: Path, text: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    temporary = stamp.with_suffix('.tmp')
    temporary.write_text(text)
    os.replace(temporary, stamp)
