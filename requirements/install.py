"""Installs a lock and the project into a virtual environment; called by ./pipeline, standard library only.

    python install.py CHECKOUT VENV LOCK < what-it-is-made-from

uv does the work: it installs the same hashed lock in a fifth of pip's time. pip fetches uv, from a hashed lock too, and
has the last word: what uv cannot do (none for this machine, an index that only pip can reach), pip does or explains.

Safe to interrupt and to run twice at once: a file lock lets one run work while the other waits, packages that were only
half installed are found and installed again, and the stamp that says "done" is written last.
"""
import ast
import contextlib
import csv
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PIP = ['-m', 'pip', '--no-input', '--disable-pip-version-check']
HASHED = ['--require-hashes', '--no-deps', '--no-build-isolation', '--only-binary', ':all:', '--no-binary', 'pyspark']
# pyspark's 440 MB of jars are compressed already
STORED = ['--config-settings', '--build-option=--compression=stored']
PIP_HASHED = [*HASHED, *STORED, '--no-warn-script-location', '--progress-bar', 'off', '--retries', '2']
SLOW = 'pyspark' # built from its source package: longer than all the others together
NEEDED = 3.5e9 # bytes free for a first installation, with what is only there meanwhile

TEMPORARY = {} # where both unpack: inside the environment, so that a killed run leaves nothing elsewhere
HELD = [] # descriptor of the file lock: children hold it too, so that one that outlives a killed parent is waited for


class Stop(Exception):
    "One line for the user."


def say(text): print(f'stock-pipeline: {text}', file=sys.stderr, flush=True)


# what would send pip elsewhere than into our own environment
ELSEWHERE = ('PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PIP_CONSTRAINT PIP_BUILD_CONSTRAINT '
             'PIP_REQUIREMENT').split()

def clean_env():
    "The environment of pip and of Python."
    kept = {k: v for k, v in os.environ.items() if k not in ELSEWHERE and not k.startswith('PYTHON')}
    return kept | {'PIP_USER': '0', 'PYTHONUNBUFFERED': '1', **TEMPORARY}


class Progress:
    "One line that is drawn again on a terminal; elsewhere a line now and then."
    def __init__(self): self.tty, self.start, self.last, self.shown = sys.stderr.isatty(), time.monotonic(), 0.0, ''
    def seconds(self): return time.monotonic() - self.start

    def show(self, text, now=False):
        if self.tty:
            width = shutil.get_terminal_size().columns - 1
            print('\r' + f'  {self.seconds():4.0f} s  {text}'[:width].ljust(width), end='', file=sys.stderr, flush=True)
        elif now or self.seconds() - self.last > 5:
            self.last = self.seconds()
            if text != self.shown: print(f'  {self.last:4.0f} s  {text}', file=sys.stderr, flush=True)
            self.shown = text

    def end(self):
        if self.tty: print(file=sys.stderr)


FULL = 'The disk is full. Free about 3 GB for {venv}, then run the same line again'
FORGED = ('A download is not the file that the lock names (hash mismatch). Run the same line again; '
          'if it stays, a proxy or mirror alters files')
TROUBLE = [ # what the log says → what the user can do
    (r'No space left on device', FULL),
    (r'DO NOT MATCH THE HASHES|Hash mismatch for', FORGED),
    (r'CERTIFICATE_VERIFY_FAILED|SSLError',
     'The package index shows a certificate that pip does not trust. '
     'Name your certificates with PIP_CERT=/path/to/ca.pem'),
    (r'NewConnectionError|NameResolution|Name or service not known|ConnectTimeout|ReadTimeout|Max retries exceeded'
     r'|ProxyError|Connection (?:refused|reset|broken)|RemoteDisconnected',
     'No network: the package index cannot be reached. Connect (or set HTTPS_PROXY or PIP_INDEX_URL), '
     'then run the same line again; what is downloaded stays'),
    (r'No matching distribution found for (\S+)', 'There is no ready-made {0} for this machine ({machine}). '
     'Supported: Linux with glibc 2.28 or newer and macOS, x86-64 and ARM64'),
    (r'Permission denied.*', '{0}: the folder {venv} belongs to someone else. Remove it, or run as its owner'),
    (r'ERROR: (.+)', '{0}'),
]

SAME_FOR_PIP = TROUBLE[:2] # no other program helps against these

def explain(log, venv):
    "The one line for the user from the log."
    text = log.read_text(errors='replace')[-20_000:]
    for pattern, line in TROUBLE:
        if hits := re.findall(pattern, text):
            machine = f'{sys.platform} {os.uname().machine}, Python {sys.version_info.major}.{sys.version_info.minor}'
            return line.format(hits[-1], venv=venv, machine=machine) + f'. Details: {log}'
    return f'The installation failed. Details: {log}'


class Step:
    "A program at work: its output goes to the log, its last line of interest to the progress line."
    def __init__(self, argv, venv, env, follow=lambda line: None):
        self.log, self.follow = venv/'install.log', follow
        self.process = subprocess.Popen([str(o) for o in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors='replace', env=env, cwd=venv, pass_fds=HELD)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with open(self.log, 'a') as out, self.process.stdout as pipe:
            for line in pipe:
                out.write(line)
                out.flush()
                self.follow(line)

    def wait(self, tell):
        "Whether it succeeded; `tell()` is called while it works."
        while self.process.poll() is None:
            tell()
            with contextlib.suppress(subprocess.TimeoutExpired): self.process.wait(0.25)
        self.reader.join()
        return self.process.returncode == 0

    def end(self):
        if self.process.poll() is None: self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def working(*args, **kwargs):
    "A step that does not outlive an interruption."
    step = Step(*args, **kwargs)
    try: yield step
    finally: step.end()


def run_pip(python, args, venv, progress, label, total=None):
    "Run pip."
    state = {'seen': 0, 'text': label}
    def follow(line):
        if line.startswith('Collecting '):
            state['seen'] += 1
            state['text'] = f'{label}: fetching {line.split()[1]}'
        elif line.startswith('Building wheel for '): state['text'] = f'{label}: building {line.split()[3]}'
        elif line.startswith('Installing collected'): state['text'] = f'{label}: unpacking'
    count = f' of {total}' if total else ''
    with working([python, *PIP, *args], venv, clean_env(), follow) as pip:
        done = pip.wait(lambda: progress.show(f"{state['text']} ({state['seen']}{count})"))
        if not done: raise Stop(explain(pip.log, venv))


def works(python):
    if not Path(python).exists(): return False
    return subprocess.run([str(python), *PIP, '--version'], capture_output=True, env=clean_env()).returncode == 0


def tried(venv, *args):
    "Whether this Python can do it; what it says goes to the log."
    done = subprocess.run([sys.executable, *map(str, args)], capture_output=True, text=True, env=clean_env())
    with open(venv/'install.log', 'a') as out: out.write(f'{args}\n{done.stdout}{done.stderr}')
    return done.returncode == 0


def make_venv(venv, locks):
    "A virtual environment with pip, by whatever this Python has: venv, venv and its own pip, or virtualenv."
    if tried(venv, '-m', 'venv', '--clear', venv): return
    site = venv/'lib'/f'python{sys.version_info.major}.{sys.version_info.minor}'/'site-packages'
    into = ['--target', site, '--require-hashes', '--no-deps', '-r', locks/'build.lock']
    if tried(venv, '-m', 'venv', '--clear', '--without-pip', venv) and tried(venv, *PIP, 'install', *into): return
    if tried(venv, '-m', 'virtualenv', '--clear', venv): return
    text = (venv/'install.log').read_text(errors='replace')
    if 'No space left' in text or 'NewConnectionError' in text: raise Stop(explain(venv/'install.log', venv))
    raise Stop(f'{sys.executable} cannot make a virtual environment: its venv module lacks ensurepip, '
               'and there is no pip. Debian, Ubuntu: apt install python3-venv; elsewhere: a Python with pip. '
               'Then run the same line again')


WHEELS = ['--require-hashes', '--only-binary', ':all:']

def get_uv(venv, locks, python):
    "uv, hash-checked, by this Python's pip; None where it has none for this machine."
    folder, lock = venv/'uv', locks/'uv.lock'
    program, stamp = folder/'bin'/'uv', folder/'lock'
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes(): return program
    shutil.rmtree(folder, ignore_errors=True)
    argv = [python, *PIP, 'install', '--retries', '1', *WHEELS, '--no-deps', '--target', folder, '-r', lock]
    argv = [str(o) for o in argv]
    done = subprocess.run(argv, capture_output=True, text=True, env=clean_env(), cwd=venv, pass_fds=HELD)
    with open(venv/'install.log', 'a') as out: out.write(done.stdout + done.stderr)
    if 'DO NOT MATCH THE HASHES' in done.stderr: raise Stop(FORGED)
    if done.returncode or not os.access(program, os.X_OK): return None
    shutil.copyfile(lock, stamp)
    return program


def pip_says(python):
    "pip's configuration for `install`: the environment wins, then what is said for the command, then for all."
    done = subprocess.run([str(python), *PIP, 'config', 'list'], capture_output=True, text=True, env=clean_env())
    found = {}
    for section in ('global.', 'install.', ':env:.'):
        for line in done.stdout.splitlines():
            name, _, value = line.partition('=')
            if name.startswith(section): found[name.removeprefix(section)] = ' '.join(ast.literal_eval(value).split())
    return found


SAME = { # pip's word → uv's
    'index-url': 'UV_DEFAULT_INDEX', 'extra-index-url': 'UV_INDEX', 'trusted-host': 'UV_INSECURE_HOST',
    'cert': 'SSL_CERT_FILE', 'client-cert': 'SSL_CLIENT_CERT', 'keyring-provider': 'UV_KEYRING_PROVIDER',
    'timeout': 'UV_HTTP_TIMEOUT', 'default-timeout': 'UV_HTTP_TIMEOUT'}
# as with pip, any index may have a package: the hash decides
ALWAYS = {'UV_NO_CONFIG': '1', 'UV_INDEX_STRATEGY': 'unsafe-best-match', 'UV_NO_PROGRESS': '1',
          'UV_PYTHON_DOWNLOADS': 'never'}

def uv_env(said, venv):
    "The environment in which uv does what pip's configuration says; nothing of it is written down."
    env = {k: v for k, v in clean_env().items() if not k.startswith('UV_') or k == 'UV_CACHE_DIR'}
    env |= {uv: said[pip] for pip, uv in SAME.items() if said.get(pip)}
    if links := said.get('find-links'): env['UV_FIND_LINKS'] = ','.join(links.split())
    if said.get('no-index', '').lower() in ('1', 'true', 'yes', 'on'): env['UV_NO_INDEX'] = '1'
    if proxy := said.get('proxy'): env |= {'HTTP_PROXY': proxy, 'HTTPS_PROXY': proxy}
    if not said.get('cert') and not env.get('SSL_CERT_FILE'): env['UV_SYSTEM_CERTS'] = '1' # as today's pip
    env.setdefault('UV_CACHE_DIR', str(venv/'downloads'))
    return env | ALWAYS


def split(lock, folder):
    "The lock in two files: what comes as a wheel, and what is built."
    text = lock.read_text()
    built = ''.join(re.findall(rf'^{SLOW}==.*\n(?: .*\n)*', text, re.M))
    (folder/'wheels.lock').write_text(text.replace(built, ''))
    (folder/'built.lock').write_text(built)
    return folder/'wheels.lock', folder/'built.lock'


def installed(site): return sum(1 for _ in site.glob('*.dist-info/RECORD'))


# What can be done while Spark is built. Where it fails, the first start does it and says why.
ARCHIVES = '''
import importlib
import os
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from stock_pipeline.core.config import load_settings
from stock_pipeline.local.archives import fetch_artifacts, fetch_directly, fetch_files
from stock_pipeline.local.ivy import ivy_server

def server(): # Ivy knows it: among Spark's archives, which uv unpacks before it builds
    while True:
        importlib.invalidate_caches()
        if find_spec('pyspark'): return ivy_server()
        for depth in ('*/pyspark/*/*', '*/*/pyspark/*/*'):
            for ivy in Path(os.environ['UV_CACHE_DIR']).glob(f'sdists-*/{depth}/src/deps/jars/ivy-*.jar'):
                try: return ivy_server(ivy)
                except Exception: pass # half unpacked
        time.sleep(0.5)

tell = lambda done, total: print(f', fetching Java archives ({done >> 20} of {total >> 20} MB)', flush=True)
fetch = lambda *args: fetch_files(*args, directly=partial(fetch_directly, server=server()))
fetch_artifacts(load_settings(Path(os.environ['CHECKOUT'])/'.env').stock_pipeline_cache, progress=tell, fetch=fetch)
'''

# The first import of a module writes its bytecode. In the first start five programs would do that at once.
BYTECODE = '''
import importlib
names = 'run.up ingest.producer twin.server job.sink serve.page serve.dashboard store.reader cli.run_commands'
for name in (*(f'stock_pipeline.{o}' for o in names.split()), 'streamlit.web.bootstrap'):
    try: importlib.import_module(name)
    except Exception as e: print(f'{name}: {e}')
'''


class Uv:
    "uv at work on one environment."
    def __init__(self, program, venv, python, progress, env):
        self.program, self.venv, self.python, self.progress, self.env = program, venv, python, progress, env
        self.site = next(venv.glob('lib/python*/site-packages'))

    def start(self, *args):
        argv = [self.program, 'pip', 'install', '--python', self.python, '--no-deps', '--no-build-isolation', *args]
        return working(argv, self.venv, self.env)

    def tell(self, what): return lambda: self.progress.show(f'{what} ({installed(self.site)} packages ready)')

    def run(self, what, *args): # whether it succeeded
        with self.start(*args) as step: return step.wait(self.tell(what))


SOURCE = ['--no-binary', SLOW, '--config-settings-package', f'{SLOW}:--build-option=--compression=stored']

def by_uv(uv, here, lock):
    """Install with uv; False where it cannot.

    The source package is built beside everything else: the other packages and the project are installed, their first
    import writes their bytecode, and the Java archives are fetched.
    """
    tmp, state = uv.venv/'tmp', {'java': ''}
    def follow(line): state.update(java=line.strip() if line.startswith(',') else '')
    wheels, built = split(lock, tmp)
    if not uv.run('build tools', *WHEELS, '-r', here/'requirements'/'build.lock'): return False
    with contextlib.ExitStack() as beside:
        ahead = beside.enter_context(uv.start('--require-hashes', *SOURCE, '--target', tmp/'ahead', '-r', built))
        if not uv.run('packages', *WHEELS, '-r', wheels): return False
        if not uv.run('the project', '-e', project_source(here, uv.venv)): return False
        env = clean_env() | {'CHECKOUT': str(here), 'UV_CACHE_DIR': uv.env['UV_CACHE_DIR']}
        java = beside.enter_context(working([uv.python, '-P', '-c', ARCHIVES], uv.venv, env, follow))
        beside.enter_context(working([uv.python, '-P', '-c', BYTECODE], uv.venv, env))
        if not ahead.wait(lambda: uv.tell(f"building {SLOW}{state['java']}")()): return False
        if not uv.run('packages', *WHEELS, *SOURCE, '-r', lock): return False
        java.wait(lambda: uv.tell(f"fetching{state['java'].removeprefix(', fetching')}")())
    return True


def by_pip(here, venv, lock, python, progress):
    "Install with pip; raises `Stop` with what it says."
    locks = here/'requirements'
    project = str(project_source(here, venv))
    run_pip(python, ['install', *PIP_HASHED, '-r', str(locks/'build.lock')], venv, progress, 'build tools')
    run_pip(python, ['install', *PIP_HASHED, '-r', str(lock)], venv, progress, 'packages', count(lock))
    run_pip(python, ['install', '--no-deps', '--no-build-isolation', '-e', project], venv, progress, 'the project')


def whole(folder):
    "Whether every file is there that an installed package lists."
    try: names = [o[0] for o in csv.reader((folder/'RECORD').read_text().splitlines()) if o]
    except OSError: return False
    return all(o.endswith('.pyc') or os.path.exists(folder.parent/o) for o in names)


def mend(site):
    "Forget packages that an interruption left half installed; pip keeps what it replaces under ~names."
    for folder in site.glob('*.dist-info'):
        if not whole(folder): shutil.rmtree(folder, ignore_errors=True)
    for folder in site.glob('~*'): shutil.rmtree(folder, ignore_errors=True)


def project_source(here, venv):
    "The checkout, or where it may not be written, a folder beside the environment that links to its package."
    if os.access(here, os.W_OK): return here
    source = venv/'project'
    source.mkdir(exist_ok=True)
    for name in ('setup.py', 'settings.ini', 'pyproject.toml', 'README.md', 'LICENSE'):
        if (here/name).exists(): shutil.copyfile(here/name, source/name)
    link = source/'stock_pipeline'
    if not link.exists(): link.symlink_to(here/'stock_pipeline', target_is_directory=True)
    return source


def count(lock):
    "How many packages the lock names; a few of them may be for other platforms."
    return len(re.findall(r'^[A-Za-z0-9].*==', lock.read_text(), re.M))


@contextlib.contextmanager
def only_one(folder):
    "One installation at a time in this folder; where the file system knows no locks, go on without."
    fd = os.open(folder, os.O_RDONLY)
    try:
        try: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say('another run is installing; waiting for it')
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError: pass
        HELD[:] = [fd]
        yield
    finally: os.close(fd)


def prepare(venv, locks, progress):
    "An environment to install into, and uv or None: uv makes the environment quicker, where some pip can fetch it."
    python = venv/'bin'/'python'
    if works(python): return python, get_uv(venv, locks, python)
    venv.mkdir(parents=True, exist_ok=True)
    progress.show('a virtual environment')
    bare = ['-m', 'venv', '--clear', '--without-pip', venv]
    if tried(venv, *PIP, '--version') and tried(venv, *bare):
        if uv := get_uv(venv, locks, sys.executable): return python, uv
    make_venv(venv, locks)
    return python, get_uv(venv, locks, python)


def fill(here, venv, lock, python, uv, progress):
    "All packages and the project: by uv, or by pip where uv cannot."
    if uv:
        if by_uv(Uv(uv, venv, python, progress, uv_env(pip_says(sys.executable), venv)), here, lock): return
        log = venv/'install.log'
        hopeless = '|'.join(words for words, _ in SAME_FOR_PIP)
        if re.search(hopeless, log.read_text(errors='replace')): raise Stop(explain(log, venv))
        progress.show('uv cannot; pip takes over', now=True)
        log.write_text('')
    if not works(python): make_venv(venv, lock.parent)
    by_pip(here, venv, lock, str(python), progress)


def install(here, venv, lock, made_from):
    stamp, locks = venv/f'.made-from-{lock}', here/'requirements'
    if stamp.exists() and stamp.read_bytes() == made_from: return
    fresh = not works(venv/'bin'/'python')
    if fresh and (free := shutil.disk_usage(venv.parent).free) < NEEDED:
        raise Stop(f'The disk of {venv.parent} has {free/1e9:.1f} GB free; '
                   f'the installation needs about {NEEDED/1e9:.1f} GB')
    old = list(venv.glob('.made-from-*'))
    doing = 'installing into' if fresh else 'bringing up to date' if old else 'finishing the installation of'
    say(f'{doing} {venv} (once; the next start is immediate)')
    for path in old: path.unlink()
    venv.mkdir(exist_ok=True)
    (venv/'install.log').write_text('')
    progress = Progress()
    python, uv = prepare(venv, locks, progress)
    for path in venv.glob('lib/python*/site-packages'): mend(path)
    shutil.rmtree(venv/'tmp', ignore_errors=True)
    (venv/'tmp').mkdir()
    TEMPORARY['TMPDIR'] = str(venv/'tmp')
    fill(here, venv, locks/f'{lock}.lock', python, uv, progress)
    for name in ('tmp', 'downloads'): shutil.rmtree(venv/name, ignore_errors=True)
    new = stamp.with_name(stamp.name + '.new')
    new.write_bytes(made_from)
    new.replace(stamp)
    progress.show(f"{installed(next(venv.glob('lib/python*/site-packages')))} packages ready", now=True)
    progress.end()


def main():
    here, venv, lock = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    made_from = sys.stdin.buffer.read()
    for name in (signal.SIGTERM, signal.SIGHUP):
        is_off = signal.getsignal(name) is signal.SIG_IGN # by `nohup`: the end of the terminal is not our end
        if not is_off: signal.signal(name, signal.default_int_handler)
    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        with only_one(venv.parent): install(here, venv, lock, made_from)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        say('interrupted; run the same line again to finish')
        return 130
    except Stop as e:
        say(str(e))
        return 1
    except OSError as e:
        say(f'{e.strerror or e}: {e.filename or venv}. '
            'Free or repair that place, or choose another with STOCK_PIPELINE_CACHE')
        return 1


if __name__ == '__main__': sys.exit(main())
