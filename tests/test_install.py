"""What requirements/install.py promises on a machine with only Python, tried on a small checkout of its own.

The index is a folder of wheels that are made here. One of them brings uv: the real one, which lies in the environment
that ./pipeline has made, or else is fetched once as the lock names it; or a script, where uv must stand still.
"""
import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
INSTALL = ROOT/'requirements'/'install.py'

spec = importlib.util.spec_from_file_location('install', INSTALL)
install = importlib.util.module_from_spec(spec)
spec.loader.exec_module(install)

BACKEND = '''
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = 'small-1-py3-none-any.whl'
    with zipfile.ZipFile(f'{folder}/{name}', 'w') as z:
        z.writestr('small.pth', '')
        z.writestr('small-1.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n')
        z.writestr('small-1.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        z.writestr('small-1.dist-info/RECORD', '')
    return name
'''

PROJECT = '''
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "small"
version = "1"
'''

def wheel(folder, name, files):
    "A wheel of these files; its line for a lock."
    path, about = folder/f'{name}-1-py3-none-any.whl', f'{name}-1.dist-info'
    files = {**files, f'{about}/METADATA': f'Metadata-Version: 2.1\nName: {name}\nVersion: 1\n',
             f'{about}/WHEEL': 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n'}
    files[f'{about}/RECORD'] = ''.join(f'{o},,\n' for o in files) + f'{about}/RECORD,,\n'
    with zipfile.ZipFile(path, 'w') as z:
        for o, text in files.items():
            info = zipfile.ZipInfo(o)
            info.external_attr = (0o100755 if '/scripts/' in o else 0o100644) << 16
            z.writestr(info, text)
    return f'{name}==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n'

class Checkout:
    "A small project with its locks and its wheels."
    def __init__(self, folder, uv): # uv: text of a script
        self.here, self.index, self.venv = folder/'a checkout', folder/'index', folder/'a checkout'/'.venv'
        self.locks = self.here/'requirements'
        for o in (self.index, self.locks): o.mkdir(parents=True)
        (self.here/'pyproject.toml').write_text(PROJECT)
        (self.here/'backend.py').write_text(BACKEND)
        (self.locks/'build.lock').write_text(wheel(self.index, 'tools', {'tools.py': ''}))
        (self.locks/'local.lock').write_text(wheel(self.index, 'one', {'one.py': 'x = 1\n', 'one_more.py': ''}))
        self.use(uv)

    def use(self, uv):
        "From now on this script is what the lock names."
        (self.locks/'uv.lock').write_text(wheel(self.index, 'uv', {'uv-1.data/scripts/uv': uv}))

    def start(self, **env):
        env = {**os.environ, 'PIP_NO_INDEX': '1', 'PIP_FIND_LINKS': str(self.index), 'PIP_NO_CACHE_DIR': '1', **env}
        argv = [sys.executable, str(INSTALL), str(self.here), str(self.venv), 'local']
        with (self.here/'made from').open('w+') as made_from:
            made_from.write('made from')
            made_from.seek(0)
            options = {'stderr': subprocess.PIPE, 'text': True, 'start_new_session': True}
            return subprocess.Popen(argv, stdin=made_from, env=env, **options)

    def run(self, **env): # exit code, what was said
        return ended(self.start(**env))

    def imports(self, name='one'):
        done = subprocess.run([self.venv/'bin'/'python', '-c', f'import {name}'], capture_output=True)
        return done.returncode == 0

def ended(process): # exit code, what was said
    try: said = process.communicate(timeout=180)[1]
    finally: process.kill()
    return process.returncode, said

@pytest.fixture(scope='session')
def uv(tmp_path_factory): # a script that is the real one
    "By pip alone, as on a new machine, where this environment was not made by the installer."
    folder = Path(sys.prefix)/'uv'
    if not (folder/'bin'/'uv').exists():
        folder = tmp_path_factory.mktemp('uv')
        argv = [*install.PIP, 'install', '-q', *install.WHEELS, '--target', folder, '-r', ROOT/'requirements'/'uv.lock']
        done = subprocess.run([sys.executable, *argv], capture_output=True, text=True)
        if done.returncode: pytest.skip(f'no uv here, and none to be had: {done.stderr[-300:]}')
    return f'#!/bin/sh\nexec "{folder}/bin/uv" "$@"\n'

@pytest.fixture
def checkout(tmp_path, uv): return Checkout(tmp_path, uv)

def test_first_run_and_second(checkout):
    code, said = checkout.run()
    assert code == 0 and checkout.imports(), said
    assert 'installing into' in said and '3 packages ready' in said # one, tools, and the project
    assert (checkout.venv/'.made-from-local').read_text() == 'made from'
    assert not (checkout.venv/'tmp').exists() and not (checkout.venv/'downloads').exists()
    assert checkout.run() == (0, '') # the second time there is nothing to do

@pytest.mark.long
def test_what_is_there_stays(checkout):
    "An environment of the user's own, whatever made it, gets what it lacks and keeps what it has."
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', checkout.venv], check=True)
    mine = next(checkout.venv.glob('lib/python*/site-packages'))/'mine.py'
    mine.write_text('')
    code, said = checkout.run()
    assert code == 0 and checkout.imports() and checkout.imports('mine'), said

@pytest.mark.long
def test_a_package_that_lost_a_file_is_installed_again(checkout):
    checkout.run()
    next(checkout.venv.glob('lib/python*/site-packages/one_more.py')).unlink()
    (checkout.venv/'.made-from-local').unlink() # as after an interruption
    code, said = checkout.run()
    assert code == 0 and 'finishing the installation' in said and checkout.imports('one_more')

@pytest.mark.long
def test_a_python_that_was_replaced(checkout):
    "Its packages lie in a folder that the new one does not look into."
    checkout.run()
    folder = next(checkout.venv.glob('lib/python*'))
    folder.rename(folder.with_name('python3.9'))
    (checkout.venv/'.made-from-local').unlink()
    code, said = checkout.run()
    assert code == 0 and 'installing into' in said and checkout.imports(), said

@pytest.mark.long
def test_another_file_than_the_lock_names(checkout):
    lock = checkout.locks/'local.lock'
    lock.write_text(lock.read_text()[:-9] + '00000000\n')
    code, said = checkout.run()
    assert code == 1 and 'hash mismatch' in said and not (checkout.venv/'.made-from-local').exists()

def test_a_forged_uv_never_runs(checkout):
    lock = checkout.locks/'uv.lock'
    lock.write_text(lock.read_text()[:-9] + '00000000\n')
    code, said = checkout.run()
    assert code == 1 and 'hash mismatch' in said and not (checkout.venv/'uv'/'bin').exists()

@pytest.mark.long
def test_no_network(checkout):
    nowhere = {'PIP_INDEX_URL': 'http://127.0.0.1:9/index', 'PIP_NO_INDEX': '0', 'PIP_FIND_LINKS': ''}
    code, said = checkout.run(**nowhere)
    assert code == 1 and 'No network: the package index cannot be reached' in said

@pytest.mark.long
@pytest.mark.parametrize('name', ['one', 'uv'])
def test_no_wheel_for_this_machine(checkout, name):
    (checkout.index/f'{name}-1-py3-none-any.whl').rename(checkout.index/f'{name}-1-py2-none-any.whl')
    code, said = checkout.run()
    assert code == 1 and f'There is no ready-made {name}==1 for this machine' in said

@pytest.mark.long
def test_no_network_for_uv(checkout):
    "pip had its turn on an earlier run; now uv says it."
    checkout.run()
    (checkout.venv/'.made-from-local').unlink()
    (checkout.locks/'local.lock').write_text(f'two==1 --hash=sha256:{64*"0"}\n')
    nowhere = {'PIP_INDEX_URL': 'http://127.0.0.1:9/index', 'PIP_NO_INDEX': '0', 'PIP_FIND_LINKS': ''}
    code, said = checkout.run(**nowhere)
    assert code == 1 and 'No network: the package index cannot be reached' in said

SLOW_UV = '''#!/bin/sh
case "$*" in *local.lock*) touch "$STARTED"; exec sleep 60;; *) exit 0;; esac
'''

def until(check):
    late = time.monotonic() + 60
    while not check():
        assert time.monotonic() < late
        time.sleep(0.05)

def at_work(tmp_path):
    "A checkout whose uv is in the middle of its work."
    checkout, started = Checkout(tmp_path, SLOW_UV), tmp_path/'started'
    process = checkout.start(STARTED=str(started))
    until(lambda: started.exists() or process.poll() is not None)
    assert started.exists(), ended(process)
    return checkout, process

@pytest.mark.long
def test_interrupted_and_run_again(tmp_path, uv):
    checkout, process = at_work(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    code, said = ended(process)
    assert code == 130 and 'interrupted; run the same line again to finish' in said
    checkout.use(uv)
    code, said = checkout.run()
    assert code == 0 and checkout.imports(), said

@pytest.mark.long
def test_the_end_of_the_terminal(tmp_path):
    "`nohup` means that it goes on; without it, it ends like any interrupted run."
    for ignored, code in ((True, -signal.SIGKILL), (False, 130)):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
        try: _, process = at_work(tmp_path/str(code))
        finally: signal.signal(signal.SIGHUP, before)
        process.send_signal(signal.SIGHUP)
        if ignored:
            with pytest.raises(subprocess.TimeoutExpired): process.wait(1)
            os.killpg(process.pid, signal.SIGKILL)
        assert ended(process)[0] == code

@pytest.mark.long
def test_two_at_once(tmp_path, uv):
    checkout, first = at_work(tmp_path)
    second = checkout.start(STARTED=str(tmp_path/'started'))
    assert 'another run is installing; waiting for it' in second.stderr.readline()
    checkout.use(uv)
    first.terminate()
    assert ended(first)[0] == 130
    code, said = ended(second)
    assert code == 0 and checkout.imports(), said

def test_what_pip_is_told_uv_is_told(tmp_path, monkeypatch):
    for name in [o for o in os.environ if o.startswith(('PIP_', 'UV_', 'SSL_'))]: monkeypatch.delenv(name)
    conf = tmp_path/'pip.conf'
    conf.write_text('[global]\nindex-url = https://one.example/index\nextra-index-url =\n  https://two.example/index\n'
                    '  https://three.example/index\ncert = /etc/ours.pem\n[install]\nindex-url = https://four.example/index\n')
    monkeypatch.setenv('PIP_CONFIG_FILE', str(conf))
    monkeypatch.setenv('UV_PYTHON', '3.9')
    says = lambda: install.uv_env(install.pip_says(sys.executable, dict(os.environ)), tmp_path)
    env = says()
    assert env['UV_DEFAULT_INDEX'] == 'https://four.example/index' and env['SSL_CERT_FILE'] == '/etc/ours.pem'
    assert env['UV_INDEX'] == 'https://two.example/index https://three.example/index'
    assert 'UV_PYTHON' not in env and env['UV_CACHE_DIR'] == str(tmp_path/'downloads')
    monkeypatch.setenv('PIP_INDEX_URL', 'https://five.example/index')
    assert says()['UV_DEFAULT_INDEX'] == 'https://five.example/index'

def test_a_checkout_that_may_not_be_written(tmp_path, monkeypatch):
    here, venv = tmp_path/'here', tmp_path/'venv'
    for o in (here/'stock_pipeline', venv): o.mkdir(parents=True)
    (here/'setup.py').write_text('')
    monkeypatch.setattr(os, 'access', lambda path, mode: False)
    source = install.project_source(here, venv)
    assert source == venv/'project' and (source/'setup.py').exists()
    assert (source/'stock_pipeline').resolve() == here/'stock_pipeline'

@pytest.mark.parametrize('text, word', [
    ('OSError: [Errno 28] No space left on device', 'The disk is full'),
    ('error: No space left on device (os error 28)', 'The disk is full'),
    ('SSLError(SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED', 'PIP_CERT'),
    ('Caused by: invalid peer certificate: UnknownIssuer', 'PIP_CERT'),
    ('Caused by: HTTP status client error (403 Forbidden) for url (', 'answers 403 Forbidden. Check'),
    ('The virtual environment was not created because ensurepip is not available', 'apt install python3-venv'),
    ('Hash mismatch for `one==1`', 'hash mismatch')])
def test_the_line_for_the_user(tmp_path, text, word):
    log = tmp_path/'install.log'
    said = install.explain(f'Collecting one\n{text}\nERROR: something else\n', tmp_path, log)
    assert word in said and said.endswith(f'. Details: {log}')
