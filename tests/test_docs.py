"""Documentation that cannot rot: every command in it names files and flags that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_OURS = {'.venv', '.pytest_cache', 'data', 'work_dirs', 'build'}
PAGES = sorted(p for p in ROOT.rglob('*.md') if not set(p.relative_to(ROOT).parts) & NOT_OURS)
COMMANDS = re.compile(r'```(?:bash|sh|shell|console)\n(.*?)```', re.S)
FOLDERS = 'tools|configs|projects|docs|tests|requirements|constraints|mmfusion_plugin'
OUR_FILE = re.compile(rf'(?<![\w/.-])((?:{FOLDERS})/[\w./-]+\.\w+)')
LINK = re.compile(r'\]\((?!https?:|#|mailto:)([^)#\s]+)')


def commands(page: Path) -> list[str]:
    """Each command line of a page, continuation lines joined, prompts and comments gone."""
    lines = []
    for block in COMMANDS.findall(page.read_text()):
        for line in block.replace('\\\n', ' ').splitlines():
            line = line.strip().removeprefix('$ ')
            if line and not line.startswith('#'):
                lines.append(line)
    return lines


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_commands_name_existing_files(page):
    missing = [(line, path) for line in commands(page) for path in OUR_FILE.findall(line) if not (ROOT / path).exists()]
    assert not missing, f'{name(page)} names files that do not exist: {missing}'


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_links_lead_somewhere(page):
    dead = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert not dead, f'{name(page)} links to {dead}'


def documented_flags() -> dict[str, set[str]]:
    flags: dict[str, set[str]] = {}
    for page in PAGES:
        for line in commands(page):
            for tool in re.findall(r'python (tools/[\w/]+\.py)', line):
                flags.setdefault(tool, set()).update(re.findall(r'(?<=\s)--[\w-]+', line.split(tool, 1)[1]))
    return flags


@pytest.mark.parametrize('tool', sorted(documented_flags()))
def test_documented_flags_exist(tool):
    """A flag in a README stands in the tool's own source, in a package beside it, or in its subcommands' help."""
    path = ROOT / tool
    source = path.read_text()
    packages = [path.parent / package for package in re.findall(r'^(?:from|import) (\w+)', source, re.M)]
    source += ''.join(part.read_text() for package in packages for part in package.glob('*.py'))
    unknown = {flag for flag in documented_flags()[tool] if f"'{flag}'" not in source and f'"{flag}"' not in source}
    if unknown:
        shown = subprocess.run([sys.executable, tool, '--help'], capture_output=True, text=True, cwd=ROOT, check=True)
        unknown = {flag for flag in unknown if flag not in shown.stdout}
    assert not unknown, f'{tool} has no {sorted(unknown)}'


def make_targets(text: str) -> set[str]:
    return set(re.findall(r'^([a-z][\w-]*):', text, re.M))


def test_make_targets_exist():
    targets = make_targets((ROOT / 'Makefile').read_text())
    named = {t for page in PAGES for line in commands(page) for t in re.findall(r'^make ([a-z][\w-]*)', line)}
    assert {'demo', 'test'} <= named, 'the README shows the two commands'
    assert named <= targets, f'no such make target: {sorted(named - targets)}'


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_no_placeholder_is_left(page):
    found = re.findall(r'@@\w*@@|\bTODO\b|\bFIXME\b|\bTBD\b', page.read_text())
    assert not found, f'{name(page)} still holds {found}'
