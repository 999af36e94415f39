"`ruff check` finds nothing; what it looks for stands in ruff.toml."
import json, subprocess, sys
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {p.name for p in (ROOT/'stock_pipeline').iterdir() if (p/'__init__.py').exists()}
PLACES = sorted(ROOMS | {'the top', 'tests'})

def place(path): # a path below the top folder
    "The room of a notebook or module, else the folder at the top."
    parts = path.parts
    if parts[0] == 'nbs' and len(parts) > 2: return parts[1][3:]
    if parts[0] == 'stock_pipeline' and len(parts) > 2: return parts[1]
    return 'tests' if parts[0] == 'tests' else 'the top'

@lru_cache
def found(): # {place: findings, one a line}
    "One run of ruff over everything."
    command = [sys.executable, '-m', 'ruff', 'check', '--no-cache', '--output-format', 'json', '.']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    out = defaultdict(list)
    for f in json.loads(done.stdout):
        path, row = Path(f['filename']).relative_to(ROOT), f['location']['row']
        where = f'{path} cell {f["cell"]}:{row}' if f.get('cell') else f'{path}:{row}'
        out[place(path)].append(f'{where}: {f["code"]} {f["message"]}')
    return out

def test_each_finding_has_its_place(): assert set(found()) <= set(PLACES)

@pytest.mark.parametrize('name', PLACES)
def test_ruff_finds_nothing(name):
    assert not found()[name], '\n'.join(found()[name])
