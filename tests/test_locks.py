"The locks: pinned, hashed, without an index, and what settings.ini asks for."
import ast, re, sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT/'requirements').glob('*.lock'))
EXTRAS = {'local': ['local', 'spark', 'twin', 'dashboard'],
          'dev': ['local', 'spark', 'twin', 'dashboard', 'bench', 'dev']}

def entries(lock): # [(Requirement, number of hashes)]
    text = re.sub(r'^#.*\n', '', lock.read_text(), flags=re.M).replace('\\\n', ' ')
    lines = [line for line in text.splitlines() if line.strip()]
    return [(Requirement(re.split(r'\s--hash', line)[0].strip()), line.count('--hash=sha256:')) for line in lines]

def settings():
    parser = ConfigParser(delimiters=['='])
    parser.read(ROOT/'settings.ini')
    return parser['DEFAULT']

@pytest.mark.parametrize('lock', LOCKS, ids=lambda p: p.name)
def test_pinned_and_hashed(lock):
    is_pinned = lambda r: re.fullmatch(r'==[^*,]+', str(r.specifier)) and not r.url
    wrong = [str(r) for r, hashes in entries(lock) if not is_pinned(r) or not hashes]
    assert entries(lock) and not wrong
    text = re.sub(r'^ +--hash.*', '', lock.read_text(), flags=re.M)
    assert not re.search(r'^\s*(-|https?:)', text, re.M), 'the lock names an index or a file'

@pytest.mark.parametrize('name', EXTRAS)
def test_satisfies_settings(name):
    cfg = settings()
    asked = cfg['requirements'].split() + [r for extra in EXTRAS[name] for r in cfg[f'{extra}_requirements'].split()]
    held = {}
    for r, _ in entries(ROOT/'requirements'/f'{name}.lock'):
        held.setdefault(canonicalize_name(r.name), []).append(str(r.specifier)[2:])
    def satisfied(r):
        versions = held.get(canonicalize_name(r.name))
        return versions and all(r.specifier.contains(v, prereleases=True) for v in versions)
    wrong = [r for r in map(Requirement, asked) if not satisfied(r)]
    assert not wrong, f'run requirements/lock.sh: {", ".join(map(str, wrong))}'

def test_locks_hold_the_same_versions():
    pins = lambda lock: {(canonicalize_name(r.name), str(r.specifier)) for r, _ in entries(lock)}
    dev, build = (pins(ROOT/'requirements'/name) for name in ('dev.lock', 'build.lock'))
    for lock in LOCKS:
        if lock.name in ('build.lock', 'uv.lock'): continue
        assert not (more := pins(lock) - dev - build), f'{lock.name} holds {sorted(more)}'

def imported(path): # top names of other packages
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import): names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level: names = [node.module]
        else: continue
        yield from (name.split('.')[0] for name in names)

def test_what_modules_import_is_in_the_lock_that_runs_them():
    """A package that only the dev lock holds would be missed on a user's machine.

    The bench, which installs the dev lock, may use those too."""
    used, bench = {}, {}
    for path in (ROOT/'stock_pipeline').rglob('*.py'):
        if path.name.startswith('peer_'): continue # a program for an environment of its own
        for name in imported(path):
            (bench if path.parent.name == 'bench' else used).setdefault(name, path.relative_to(ROOT))
    owners = packages_distributions()
    def missing(used, lock):
        held = {canonicalize_name(r.name) for r, _ in entries(ROOT/'requirements'/lock)}
        third = {n: p for n, p in used.items() if n not in sys.stdlib_module_names and n != 'stock_pipeline'}
        assert third
        is_held = lambda n: {canonicalize_name(o) for o in owners.get(n, [])} & held
        return [f'{n} (in {p}) is not in {lock}' for n, p in third.items() if not is_held(n)]
    wrong = missing(used, 'local.lock') + missing(bench, 'dev.lock')
    assert not wrong, ', '.join(wrong)
