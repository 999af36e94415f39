"What a wheel must carry and what not: each data file of the package, nothing that only tests use; one version."
import ast, shutil, subprocess, sys, zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
import stock_pipeline

ROOT = Path(__file__).resolve().parent.parent

def patterns():
    "The patterns of `package_data`, read without running setup.py."
    nodes = ast.walk(ast.parse((ROOT/'setup.py').read_text()))
    call = next(n for n in nodes if isinstance(n, ast.keyword) and n.arg == 'package_data')
    return ast.literal_eval(call.value)['stock_pipeline']

def test_data_files_are_packaged():
    package = ROOT/'stock_pipeline'
    packaged = {p for pattern in patterns() for p in package.glob(pattern)}
    wrong = [p for p in package.rglob('*') if p.is_file() and p.suffix not in ('.py', '.pyc') and p not in packaged]
    names = [str(p.relative_to(ROOT)) for p in wrong]
    assert packaged and not wrong, f'add a pattern to package_data in setup.py for {names}'

def test_version():
    parser = ConfigParser(delimiters=['='])
    parser.read(ROOT/'settings.ini')
    assert stock_pipeline.__version__ == parser['DEFAULT']['version']

@pytest.fixture(scope='module')
def wheel(tmp_path_factory): # names of the files in a wheel that was built from a copy
    source = tmp_path_factory.mktemp('source')
    for name in ('setup.py', 'settings.ini', 'pyproject.toml', 'README.md', 'LICENSE'): shutil.copy(ROOT/name, source)
    shutil.copytree(ROOT/'stock_pipeline', source/'stock_pipeline', ignore=shutil.ignore_patterns('__pycache__'))
    command = [sys.executable, 'setup.py', '-q', 'bdist_wheel', '-d', 'dist']
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return set(zipfile.ZipFile(next((source/'dist').glob('*.whl'))).namelist())

def test_a_wheel_holds_the_package(wheel):
    package = ROOT/'stock_pipeline'
    files = [p for p in package.rglob('*') if p.is_file() and p.suffix != '.pyc' and 'fixtures' not in p.parts]
    missing = {str(p.relative_to(ROOT)) for p in files} - wheel
    assert files and not missing, sorted(missing)

def test_a_wheel_holds_nothing_that_only_tests_use(wheel):
    assert (ROOT/'stock_pipeline/local/fixtures/shared_stack.py').exists()
    assert not [name for name in wheel if 'fixtures' in name]
