"What is promised to others is there: the list of the package, and under `What you may import` of each room."
import ast, json, re, subprocess, sys
from pathlib import Path

import pytest
import stock_pipeline
from test_layers import ROOMS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT/'stock_pipeline'
FIRST = {p.name[3:]: min(p.glob('01_*.ipynb')) for p in (ROOT/'nbs').iterdir() if p.name[:2].isdigit()}

def promised(text): # module and names, in the list of the package
    return [(module, names.split(', ')) for module, names in re.findall(r'^ {4}(\w+\.\w+) +(.+)$', text, re.M)]

def said(notebook):
    "What stands under the heading, up to the next one or to the end of the cell."
    cells = json.loads(notebook.read_text(encoding='utf-8'))['cells']
    texts = (''.join(c['source']) for c in cells if c['cell_type'] == 'markdown')
    found = [re.search(r'^#+ What you may import\n(.*?)(?=^#+ |\Z)', text, re.M | re.S) for text in texts]
    return next((match[1] for match in found if match), '')

def public(room): # its modules, their public names, and both with a point between
    out = set()
    for path in (PACKAGE/room).glob('*.py'):
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if not (isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '__all__'): continue
            out |= {path.stem, f'{room}.{path.stem}'}
            for name in ast.literal_eval(node.value): out |= {name, f'{path.stem}.{name}', f'{room}.{path.stem}.{name}'}
    return out

def test_the_package_gives_what_it_lists():
    listed = promised(stock_pipeline.__doc__)
    assert len(listed) > 10
    lines = [f"from stock_pipeline.{module} import {', '.join(names)}" for module, names in listed]
    done = subprocess.run([sys.executable, '-c', '\n'.join(lines)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for module, names in listed: assert {f'{module}.{name}' for name in names} <= public(module.split('.')[0])

def test_the_package_lists_its_rooms_in_their_order():
    order = [ROOMS.index(module.split('.')[0]) for module, _ in promised(stock_pipeline.__doc__)]
    assert order == sorted(order)

@pytest.mark.parametrize('room', sorted(FIRST, key=ROOMS.index))
def test_a_room_gives_what_it_lists(room):
    words = re.findall(r'`([\w.]+)`', said(FIRST[room]))
    assert words, f'{FIRST[room]} does not say what one may import'
    assert not (missing := [w for w in words if w not in public(room)]), missing
