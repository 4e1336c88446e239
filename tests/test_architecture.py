"""The direction of imports that docs/architecture.md promises."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'mmfusion_plugin'
LIBRARY = {'files', 'ops', 'structures', 'converters', 'datasets', 'models', 'evaluation', 'visualization'}
# Which rooms a room may import, besides itself.
MAY_IMPORT = {
    'ops': set(),
    'files': set(),
    'parallel': set(),
    'structures': {'ops'},
    'converters': {'ops', 'structures', 'files', 'parallel'},
    'synthetic': {'ops', 'structures', 'files', 'converters'},
    'datasets': {'ops', 'structures', 'files', 'parallel', 'converters'},
    'models': {'ops', 'structures'},
    'evaluation': {'files', 'ops', 'converters'},
    'visualization': {'files', 'ops', 'structures'},
    'engine': {'compat', *LIBRARY},
    'apis': {'compat', 'engine', 'synthetic', *LIBRARY},
}
OPS_MAY_IMPORT = {'torch', 'numpy', 'scipy'}


def imports(path: Path) -> list[tuple[str, bool]]:
    """Absolute names of imported modules, and whether the import stands at the top of the file."""
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = ('mmfusion_plugin', *path.relative_to(PACKAGE).parts)[: -node.level] if node.level else ()
            found.append(('.'.join([*package, *([node.module] if node.module else [])]), id(node) in top))
    return found


def room(module: str) -> str:
    return module.split('.')[1] if module.startswith('mmfusion_plugin.') else ''


@pytest.mark.parametrize('name', sorted(MAY_IMPORT))
def test_room_imports_only_what_lies_below(name):
    folder = PACKAGE / name
    sources = sorted(folder.rglob('*.py')) if folder.is_dir() else [PACKAGE / f'{name}.py']
    assert sources
    wrong = [f'{path.relative_to(PACKAGE)} imports {module}' for path in sources for module, _ in imports(path)
             if room(module) not in {'', name, 'version'} | MAY_IMPORT[name]]
    assert not wrong, wrong


def test_every_room_has_its_rule():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / '__init__.py').is_file()}
    assert rooms <= set(MAY_IMPORT)


@pytest.mark.skipif(sys.version_info < (3, 10), reason='Python 3.10 is the first to know the names of its library')
def test_ops_need_torch_numpy_and_scipy_alone():
    wrong = [f'{path.name} imports {module}' for path in (PACKAGE / 'ops').glob('*.py') for module, top in imports(path)
             if top and module.split('.')[0] not in OPS_MAY_IMPORT | set(sys.stdlib_module_names) | {'mmfusion_plugin'}]
    assert not wrong, wrong


def test_package_never_imports_a_project():
    wrong = [str(path) for path in PACKAGE.rglob('*.py') for module, _ in imports(path)
             if module.split('.')[0] in ('projects', 'tools', 'tests')]
    assert not wrong, wrong
