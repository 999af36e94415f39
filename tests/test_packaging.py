"What a wheel must carry: every data file of the package matches a pattern of setup.py; one version everywhere."
import ast
from configparser import ConfigParser
from pathlib import Path

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
