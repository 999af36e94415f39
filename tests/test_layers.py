"A module imports only from its own line of the layers and from those above it."
import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ['core', 'feed', 'ingest', 'store', 'stream', 'insight', 'serve', 'operate'] # above → below; CONTRIBUTING's "Layers"
MODULES = sorted(p for p in (ROOT/'stock_pipeline').rglob('*.py') if len(p.relative_to(ROOT/'stock_pipeline').parts) > 1)

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

def wrong_imports(source, layer, package):
    "Imports from a layer below `layer`."
    return sorted({n for n in imported(source, package) if n.split('.')[1] in LAYERS and LAYERS.index(n.split('.')[1]) > LAYERS.index(layer)})

def test_the_rule_sees_what_it_forbids():
    assert wrong_imports('from stock_pipeline.operate import cli', 'core', 'stock_pipeline.core') == ['stock_pipeline.operate', 'stock_pipeline.operate.cli']
    assert wrong_imports('def f():\n    from ..serve.views import x', 'feed', 'stock_pipeline.feed') == ['stock_pipeline.serve.views', 'stock_pipeline.serve.views.x']
    assert wrong_imports('from ..core.errors import FeedError\nfrom . import budget', 'feed', 'stock_pipeline.feed') == []

def test_every_package_is_a_layer():
    folders = {p.name for p in (ROOT/'stock_pipeline').iterdir() if p.is_dir() and (p/'__init__.py').exists()}
    assert folders <= set(LAYERS)

def test_no_module_imports_from_a_layer_below():
    wrong = []
    for path in MODULES:
        parts = path.relative_to(ROOT).parts
        wrong += [f'{"/".join(parts)} imports {n}' for n in wrong_imports(path.read_text(), parts[1], '.'.join(parts[:-1]))]
    assert not wrong, '\n'.join(wrong)

def test_notebook_folders_mirror_the_packages():
    folders = [p.name for p in sorted((ROOT/'nbs').iterdir()) if p.is_dir() and p.name[:2].isdigit()]
    assert all(f[3:] in LAYERS for f in folders), folders
    assert [LAYERS.index(f[3:]) for f in folders] == sorted(LAYERS.index(f[3:]) for f in folders)
