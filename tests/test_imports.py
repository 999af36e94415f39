"Nothing happens at import: no environment read, no file made, no socket, no process; and it is quick."
import json, os, subprocess, sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = {'__main__.py', 'page_script.py'} # two lines each that call main(): python -m and streamlit run need them; nobody imports them
MODULES = sorted('.'.join(p.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')
                 for p in (ROOT/'stock_pipeline').rglob('*.py') if p.name not in SCRIPTS | {'_modidx.py'})
BUDGET = 4.0 # seconds of CPU for one module with all that it imports

WATCH = r'''
import json, os, sys, time
from pathlib import Path
package, module, seen = sys.argv[1] + os.sep, sys.argv[2], []

def audit(event, args):
    if event == 'open':
        path, mode, flags = args
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and '__pycache__' not in str(path) and str(path) != os.devnull: seen.append(f'opens {path} for writing')
    elif event in ('socket.connect', 'socket.bind', 'socket.getaddrinfo', 'subprocess.Popen', 'os.mkdir', 'os.exec', 'os.fork'):
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
start = time.process_time()
__import__(module)
print(json.dumps([seen, time.process_time() - start]))
'''

def watch(package, module, path):
    done = subprocess.run([sys.executable, '-B', '-c', WATCH, str(package), module], cwd='/', capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': str(path), 'PYTHONWARNINGS': ''})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])

def test_scripts_only_call_main():
    for path in (p for p in (ROOT/'stock_pipeline').rglob('*.py') if p.name in SCRIPTS):
        assert len([line for line in path.read_text().splitlines() if line.strip() and not line.startswith(('#', '"'))]) == 2, path

def test_the_watch_sees_what_it_forbids(tmp_path):
    bad = tmp_path/'bad'
    bad.mkdir()
    (bad/'__init__.py').write_text(f'import os, socket\nos.environ.get("HOME"); os.getenv("USER"); open({str(tmp_path/"x")!r}, "w").close()\n'
                                   's = socket.socket(); s.bind(("127.0.0.1", 0)); s.close()')
    seen, _ = watch(bad, 'bad', tmp_path)
    assert [s.split()[0] for s in seen] == ['reads', 'reads', 'opens', 'socket.bind']

@pytest.mark.parametrize('module', MODULES)
def test_import_does_nothing(module):
    seen, seconds = watch(ROOT/'stock_pipeline', module, ROOT)
    assert not seen, '\n'.join(seen)
    assert seconds < BUDGET, f'{seconds:.1f} s of CPU to import'
