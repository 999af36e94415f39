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
EXTRAS = {'local': ['local', 'spark', 'twin', 'dashboard'], 'dev': ['local', 'spark', 'twin', 'dashboard', 'bench', 'dev']}

def entries(lock): # [(Requirement, number of hashes)]
    text = re.sub(r'^#.*\n', '', lock.read_text(), flags=re.M).replace('\\\n', ' ')
    return [(Requirement(re.split(r'\s--hash', line)[0].strip()), line.count('--hash=sha256:')) for line in text.splitlines() if line.strip()]

def settings():
    parser = ConfigParser(delimiters=['='])
    parser.read(ROOT/'settings.ini')
    return parser['DEFAULT']

@pytest.mark.parametrize('lock', LOCKS, ids=lambda p: p.name)
def test_pinned_and_hashed(lock):
    wrong = [str(r) for r, hashes in entries(lock) if not re.fullmatch(r'==[^*,]+', str(r.specifier)) or r.url or not hashes]
    assert entries(lock) and not wrong
    assert not re.search(r'^\s*(-|https?:)', re.sub(r'^ +--hash.*', '', lock.read_text(), flags=re.M), re.M), 'the lock names an index or a file'

@pytest.mark.parametrize('name', EXTRAS)
def test_satisfies_settings(name):
    cfg = settings()
    asked = cfg['requirements'].split() + [r for extra in EXTRAS[name] for r in cfg[f'{extra}_requirements'].split()]
    held = {}
    for r, _ in entries(ROOT/'requirements'/f'{name}.lock'): held.setdefault(canonicalize_name(r.name), []).append(str(r.specifier)[2:])
    wrong = [a for a in map(Requirement, asked) if not held.get(canonicalize_name(a.name)) or not all(a.specifier.contains(v, prereleases=True) for v in held[canonicalize_name(a.name)])]
    assert not wrong, f'run requirements/lock.sh: {", ".join(map(str, wrong))}'

def test_locks_hold_the_same_versions():
    pins = lambda lock: {(canonicalize_name(r.name), str(r.specifier)) for r, _ in entries(lock)} # noqa: E731
    dev = pins(ROOT/'requirements/dev.lock')
    for lock in LOCKS:
        if lock.name != 'build.lock': assert pins(lock) <= dev | pins(ROOT/'requirements/build.lock'), f'{lock.name} holds {sorted(pins(lock) - dev)}'

def test_what_modules_import_is_in_the_lock_that_runs_them():
    "A package that only the dev lock holds would be missed on a user's machine; the bench, which installs the dev lock, may use those too."
    used, bench = {}, {}
    for path in (ROOT/'stock_pipeline').rglob('*.py'):
        if path.name.startswith('peer_'): continue # a program for an environment of its own
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names: (bench if path.parent.name == 'bench' else used).setdefault(name.split('.')[0], path.relative_to(ROOT))
    owners = packages_distributions()
    def missing(used, lock):
        held = {canonicalize_name(r.name) for r, _ in entries(ROOT/'requirements'/lock)}
        third = {n: p for n, p in used.items() if n not in sys.stdlib_module_names and n != 'stock_pipeline'}
        assert third
        return [f'{n} (in {p}) is not in {lock}' for n, p in third.items() if not {canonicalize_name(o) for o in owners.get(n, [])} & held]
    wrong = missing(used, 'local.lock') + missing(bench, 'dev.lock')
    assert not wrong, ', '.join(wrong)
