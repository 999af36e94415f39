"mypy in its basic form finds nothing; runner/typed.py says how it is shown what `@patch` does."
import subprocess, sys
from collections import defaultdict
from pathlib import Path

import pytest
from runner import typed

ROOT = Path(__file__).resolve().parent.parent
ROOMS = sorted(p.name for p in (ROOT/'stock_pipeline').iterdir() if (p/'__init__.py').exists())

PATCHED = '''"A module."
import x

class Pump:
    "Moves water."
    def __init__(self): self.hose, self.speed = None, 1

@patch
def run(self:Pump, text="""
a"""): return text

@patch(as_prop=True)
def wet(self:Pump) -> bool: return True

@patch
def far(self:Elsewhere): pass
'''
MOVED = '''"A module."
import x
import typing as __typing

class Pump:
    "Moves water."
    def __init__(self): self.hose, self.speed = None, 1
    hose: "__typing.Any"
    def run(self:Pump, text="""
a"""): return text
    @property
    def wet(self:Pump) -> bool: return True



@patch
def far(self:Elsewhere): pass'''

def test_patched_methods_stand_in_their_class():
    lines = typed.moved(PATCHED)
    assert '\n'.join(line for line, _ in lines) == MOVED
    assert [i for line, i in lines if 'def' in line] == [6, 9, 13, 16]

def test_errors_are_told_with_the_lines_of_the_modules():
    said = 'a.py:2: error: bad  [misc]\nFound 1 error'
    assert typed.told(said, {'a.py': [1, 40]}) == [(Path('a.py'), 40, 'bad  [misc]')]

@pytest.fixture(scope='module')
def copy(tmp_path_factory): # (folder, numbers of lines)
    folder = tmp_path_factory.mktemp('typed')
    return folder, typed.copy_package(ROOT/'stock_pipeline', folder)

@pytest.fixture(scope='module')
def found(copy): # {room: errors, one a line}
    folder, numbers = copy
    command = [sys.executable, '-m', 'mypy', '--config-file', str(ROOT/'mypy.ini'), '--cache-dir', '/dev/null',
               'stock_pipeline']
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    out = defaultdict(list)
    for path, line, message in typed.told(done.stdout, numbers): out[path.parts[1]].append(f'{path}:{line}: {message}')
    return out

@pytest.mark.parametrize('room', ROOMS)
def test_mypy_finds_nothing(found, room):
    assert not found[room], '\n'.join(found[room])
