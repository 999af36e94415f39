"""Nothing happens at import: no environment read, no file made, no socket, no process; and it is quick.

A process for each module would take minutes. To import a module runs all that it imports, so the modules that no other
one imports are enough, as long as together they reach every module.
"""
import ast, json, os, subprocess, sys
from functools import lru_cache
from pathlib import Path

import pytest
from test_layers import dotted, import_graph

ROOT = Path(__file__).resolve().parent.parent
# Two lines each that call main(): `python -m` and `streamlit run` need them, and nobody imports them.
SCRIPTS = {'__main__.py', 'page_script.py'}
PATHS = sorted(p for p in (ROOT/'stock_pipeline').rglob('*.py') if p.name not in SCRIPTS | {'_modidx.py'})
MODULES = {dotted(p).removesuffix('.__init__'): p for p in PATHS}
OWN = 1.0 # seconds that our own modules may take of an import; libraries take theirs, more on a slow machine

class AtImport(ast.NodeTransformer):
    "Leaves of a module what is run when it is imported."
    def visit_FunctionDef(self, node): return ast.Pass()
    visit_AsyncFunctionDef = visit_FunctionDef
    def visit_If(self, node):
        never = ast.unparse(node.test) == 'TYPE_CHECKING'
        return ast.Pass() if never else self.generic_visit(node)

def at_import(path): return ast.unparse(AtImport().visit(ast.parse(path.read_text(encoding='utf-8'))))

def nobody_imports(): # names
    "The modules that no other one imports when it is imported."
    graph = import_graph({name: at_import(path) for name, path in MODULES.items() if path.name != '__init__.py'})
    imported = {other for others in graph.values() for other in others}
    return sorted(graph.keys() - imported)

WATCH = r'''
import json, os, sys, time
from pathlib import Path
package, module, seen = sys.argv[1] + os.sep, sys.argv[2], []
SOCKETS = {'socket.connect', 'socket.bind', 'socket.getaddrinfo'}
FORBIDDEN = SOCKETS | {'subprocess.Popen', 'os.mkdir', 'os.exec', 'os.fork'}

def audit(event, args):
    if event == 'open':
        path, mode, flags = args
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and '__pycache__' not in str(path) and str(path) != os.devnull:
            seen.append(f'opens {path} for writing')
    elif event in FORBIDDEN:
        if not (event == 'os.mkdir' and '__pycache__' in str(args[0])): seen.append(f'{event} {args[:1]}')

def watched(read):
    def inner(self, key, *rest):
        frame = sys._getframe(1)
        while frame and frame.f_code.co_filename.startswith('<frozen'): frame = frame.f_back
        while frame and frame.f_code.co_filename in (os.__file__, _abc): frame = frame.f_back
        if frame and frame.f_code.co_filename.startswith(package): seen.append(f'reads {key} from the environment')
        return read(self, key, *rest)
    return inner

import _collections_abc; _abc = _collections_abc.__file__
for name in ('__getitem__', 'get', '__contains__'):
    setattr(type(os.environ), name, watched(getattr(type(os.environ), name)))
sys.addaudithook(audit)
__import__(module)
print(json.dumps([seen, [name for name in sys.modules if name.startswith('stock_pipeline')]]))
'''

def own_seconds(package, times): # without what they import
    "From what `-X importtime` writes: `import time: SELF | CUMULATIVE | MODULE`, in microseconds."
    lines = (line.removeprefix('import time:').split('|') for line in times.splitlines() if line.count('|') == 2)
    return sum(int(own) for own, _, name in lines if name.strip().split('.')[0] == package)/1e6

def watch(package, module, path): # what it did that it must not, seconds of its own, the modules of ours that it ran
    command = [sys.executable, '-B', '-X', 'importtime', '-c', WATCH, str(package), module]
    env = {**os.environ, 'PYTHONPATH': str(path), 'PYTHONWARNINGS': ''}
    done = subprocess.run(command, cwd='/', capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    seen, modules = json.loads(done.stdout.splitlines()[-1])
    return seen, own_seconds(package.name, done.stderr), modules

@lru_cache
def watched(module): return watch(ROOT/'stock_pipeline', module, ROOT)

def test_scripts_only_call_main():
    for path in (p for p in (ROOT/'stock_pipeline').rglob('*.py') if p.name in SCRIPTS):
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith(('#', '"'))]
        assert len(lines) == 2, path

def test_the_watch_sees_what_it_forbids(tmp_path):
    bad = tmp_path/'bad'
    bad.mkdir()
    (bad/'__init__.py').write_text(f"""import os, socket
os.environ.get("HOME"); os.getenv("USER"); open({str(tmp_path/"x")!r}, "w").close()
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.close()""")
    seen, _, _ = watch(bad, 'bad', tmp_path)
    assert [s.split()[0] for s in seen] == ['reads', 'reads', 'opens', 'socket.bind']

def test_own_seconds_are_those_of_our_modules_alone(tmp_path):
    (tmp_path/'slow').mkdir()
    (tmp_path/'slow'/'__init__.py').write_text('import time, other; time.sleep(.3)')
    (tmp_path/'other.py').write_text('import time; time.sleep(.6)')
    assert .3 <= watch(tmp_path/'slow', 'slow', tmp_path)[1] < .6

def test_only_what_runs_at_import_counts(tmp_path):
    module = tmp_path/'a.py'
    module.write_text("""import x
class A:
    import y
    def f(self): import z
def g(): import z
if 1: import w
if TYPE_CHECKING: import z""")
    assert [line.split()[1] for line in at_import(module).splitlines() if 'import' in line] == ['x', 'y', 'w']

@pytest.mark.parametrize('module', nobody_imports())
def test_import_does_nothing(module):
    seen, seconds, _ = watched(module)
    assert not seen, '\n'.join(seen)
    assert 0 < seconds < OWN, f'{seconds:.1f} s in our own modules'

def test_every_module_was_watched():
    missed = MODULES.keys() - {name for module in nobody_imports() for name in watched(module)[2]}
    assert not missed, sorted(missed)
