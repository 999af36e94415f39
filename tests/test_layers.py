"A module imports only from its own room and from those above it, and no import leads back to where it began."
import ast, re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT/'stock_pipeline'
ROOMS = ('core local feed twin ingest stream store job keep insight serve run prove bench cli').split() # above → below
MODULES = sorted(p for p in PACKAGE.rglob('*.py') if len(p.relative_to(PACKAGE).parts) > 1)

def imported(source, package): # dotted names inside stock_pipeline; package: of the module that imports
    "Every import in the source, wherever it stands, with relative ones resolved."
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import): names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = package.split('.')[:len(package.split('.')) - node.level + 1] if node.level else []
            base = '.'.join(parent + ([node.module] if node.module else []))
            names = [base] + [f'{base}.{a.name}' for a in node.names]
        else: continue
        yield from (n for n in names if n.startswith('stock_pipeline.'))

def dotted(path): return '.'.join(path.relative_to(ROOT).with_suffix('').parts)

def wrong_imports(source, room, package):
    "Imports from a room below `room`."
    below = ROOMS[ROOMS.index(room) + 1:]
    return sorted({n for n in imported(source, package) if n.split('.')[1] in below})

def import_graph(sources): # dotted name of a module -> its source
    "Which module imports which of the others."
    package_of = lambda name: name.rpartition('.')[0]
    return {name: {n for n in imported(text, package_of(name)) if n in sources and n != name}
            for name, text in sources.items()}

def circle(graph):
    "The modules of one circle in the order in which they import each other; empty when there is none."
    done = set()
    def visit(node, path):
        if node in path: return path[path.index(node):] + [node]
        if node in done: return []
        for other in sorted(graph[node]):
            if found := visit(other, path + [node]): return found
        done.add(node)
        return []
    return next((found for node in sorted(graph) if (found := visit(node, []))), [])

def test_the_rule_sees_what_it_forbids():
    wrong = wrong_imports('from stock_pipeline.cli import app', 'core', 'stock_pipeline.core')
    assert wrong == ['stock_pipeline.cli', 'stock_pipeline.cli.app']
    wrong = wrong_imports('def f():\n    from ..serve.views import x', 'feed', 'stock_pipeline.feed')
    assert wrong == ['stock_pipeline.serve.views', 'stock_pipeline.serve.views.x']
    fine = 'from ..core.errors import FeedError\nfrom . import budget'
    assert wrong_imports(fine, 'feed', 'stock_pipeline.feed') == []

def test_a_circle_is_seen():
    sources = {'stock_pipeline.cli.a': 'from . import b', 'stock_pipeline.cli.b': 'def f(): from .a import x',
               'stock_pipeline.cli.c': 'from .a import y'}
    assert circle(import_graph(sources)) == ['stock_pipeline.cli.a', 'stock_pipeline.cli.b', 'stock_pipeline.cli.a']
    assert circle(import_graph({**sources, 'stock_pipeline.cli.b': ''})) == []

def test_every_package_is_a_room():
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p/'__init__.py').exists()}
    assert folders <= set(ROOMS)

def test_no_module_imports_from_a_room_below():
    wrong = []
    for path in MODULES:
        parts = path.relative_to(ROOT).parts
        found = wrong_imports(path.read_text(), parts[1], '.'.join(parts[:-1]))
        wrong += [f'{"/".join(parts)} imports {n}' for n in found]
    assert not wrong, '\n'.join(wrong)

def test_no_circles():
    graph = import_graph({dotted(p): p.read_text() for p in MODULES if p.name != '__init__.py'})
    assert not (found := circle(graph)), ' imports '.join(found)

def notebooks(): return sorted(p for p in (ROOT/'nbs').rglob('*/*.ipynb') if '.ipynb_checkpoints' not in p.parts)

def test_a_notebook_is_named_as_its_module():
    wrong = []
    for path in notebooks():
        found = re.search(r'#\| *default_exp ([\w.]+)', path.read_text())
        parts = [re.sub(r'^\d\d_', '', p) for p in path.relative_to(ROOT/'nbs').with_suffix('').parts]
        if found and found[1] != '.'.join(parts): wrong.append(f'{path.relative_to(ROOT)} exports {found[1]}')
    assert not wrong, '\n'.join(wrong)

def test_folders_and_notebooks_are_numbered_in_reading_order():
    rooms = [p.name for p in sorted((ROOT/'nbs').iterdir()) if p.is_dir() and p.name[:2].isdigit()]
    assert all(name == f'{ROOMS.index(name[3:]) + 1:02d}_{name[3:]}' for name in rooms), rooms
    for folder in {p.parent for p in notebooks()}:
        numbers = [p.name[:3] for p in sorted(folder.iterdir()) if p.suffix == '.ipynb' or p.name[:2].isdigit()]
        assert numbers == [f'{i:02d}_' for i in range(1, len(numbers) + 1)], (folder, numbers)
