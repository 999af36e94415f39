"""Installs a lock and the project into a virtual environment; called by ./pipeline, standard library only.

    python install.py CHECKOUT VENV LOCK < what-it-is-made-from

pip fetches uv, and uv installs the rest in a fifth of pip's time; each by a lock with hashes. uv is told what pip's own
configuration says: index, proxy, certificates.

Safe to interrupt and to run twice at once: a file lock lets one run work while the other waits, packages that were only
half installed are found and installed again, and the stamp that says "done" is written last.
"""
import ast, contextlib, csv, fcntl, os, re, shutil, signal, subprocess, sys, time
from pathlib import Path

PIP = ['-m', 'pip', '--no-input', '--disable-pip-version-check']
WHEELS = ['--require-hashes', '--no-deps', '--only-binary', ':all:']
SLOW = 'pyspark' # comes as source; its 440 MB of jars are compressed already
SOURCE = ['--no-build-isolation', '--no-binary', SLOW, '--config-settings-package',
          f'{SLOW}:--build-option=--compression=stored']
NEEDED = 3.5e9 # bytes free for a first installation, with what is only there meanwhile

class Stop(Exception):
    "One line for the user."

def say(text): print(f'stock-pipeline: {text}', file=sys.stderr, flush=True)

class Progress:
    "One line that is drawn again on a terminal; elsewhere a line now and then."
    def __init__(self): self.tty, self.start, self.last, self.shown = sys.stderr.isatty(), time.monotonic(), 0.0, ''

    def show(self, text, now=False):
        seconds = time.monotonic() - self.start
        line = f'  {seconds:4.0f} s  {text}'
        if self.tty:
            width = shutil.get_terminal_size().columns - 1
            print('\r' + line[:width].ljust(width), end='\n' if now else '', file=sys.stderr, flush=True)
        elif now or seconds - self.last > (5 if text != self.shown else 20):
            print(line, file=sys.stderr, flush=True)
            self.last, self.shown = seconds, text

TROUBLE = [ # what the log says → what the user can do
    (r'No space left on device', 'The disk is full. Free about 3 GB for {venv}, then run the same line again'),
    (r'DO NOT MATCH THE HASHES|Hash mismatch for',
     'A download is not the file that the lock names (hash mismatch). Run the same line again; '
     'if it stays, a proxy or mirror alters files'),
    (r'CERTIFICATE_VERIFY_FAILED|SSLError|invalid peer certificate',
     'The package index shows a certificate that is not trusted. Name yours with PIP_CERT=/path/to/ca.pem'),
    (r'NewConnectionError|NameResolution|Name or service not known|ConnectTimeout|ReadTimeout|Max retries exceeded'
     r'|ProxyError|Connection (?:refused|reset|broken)|RemoteDisconnected|dns error|client error \(Connect\)'
     r'|operation timed out|error sending request',
     'No network: the package index cannot be reached. Connect (or set HTTPS_PROXY or PIP_INDEX_URL), '
     'then run the same line again; what is downloaded stays'),
    (r'No matching distribution found for (\S+)|(\S+==\S+) has no (?:usable )?wheels',
     'There is no ready-made {0} for this machine ({machine}). '
     'Supported: Linux with glibc 2.28 or newer and macOS, x86-64 and ARM64'),
    (r'HTTP status \w+ error \((.+?)\)',
     'The package index answers {0}. Check its address, its password and the proxy'),
    (r'ensurepip|No module named (?:venv|pip)', 'This Python has neither pip nor all of venv. Debian, Ubuntu: '
     'apt install python3-venv; elsewhere: a Python with pip. Then run the same line again'),
    (r'Permission denied.*', '{0}: the folder {venv} belongs to someone else. Remove it, or run as its owner'),
    (r'(?:ERROR: |error: |× )(.+)', '{0}'),
]

def explain(text, venv, log):
    "The one line for the user from what a program has said."
    for pattern, line in TROUBLE:
        if found := re.search(pattern, text):
            machine = f'{sys.platform} {os.uname().machine}, Python {sys.version_info.major}.{sys.version_info.minor}'
            what = next((o for o in found.groups() if o), found[0])
            return line.format(what, venv=venv, machine=machine) + f'. Details: {log}'
    return f'The installation failed. Details: {log}'

# what would send pip elsewhere than into our own environment
ELSEWHERE = 'PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_REQUIREMENT'.split()

def clean_env(venv):
    "The environment of pip and Python. They unpack inside our folder, so that a killed run leaves nothing elsewhere."
    kept = {k: v for k, v in os.environ.items() if k not in ELSEWHERE and not k.startswith('PYTHON')}
    own = {'PIP_USER': '0', 'PIP_REQUIRE_VIRTUALENV': '0', 'PYTHONUNBUFFERED': '1', 'TMPDIR': str(venv/'tmp')}
    return kept | own

def asked(env, *argv): return subprocess.run(argv, capture_output=True, text=True, env=env)

def pip_says(python, env):
    "pip's configuration for `install`: the environment wins, then what is said for the command, then for all."
    said, found = asked(env, python, *PIP, 'config', 'list').stdout, {}
    for section in ('global.', 'install.', ':env:.'):
        for line in said.splitlines():
            name, _, value = line.partition('=')
            if name.startswith(section): found[name.removeprefix(section)] = ' '.join(ast.literal_eval(value).split())
    return found

SAME = { # pip's word → uv's
    'index-url': 'UV_DEFAULT_INDEX', 'extra-index-url': 'UV_INDEX', 'trusted-host': 'UV_INSECURE_HOST',
    'cert': 'SSL_CERT_FILE', 'client-cert': 'SSL_CLIENT_CERT', 'keyring-provider': 'UV_KEYRING_PROVIDER',
    'timeout': 'UV_HTTP_TIMEOUT', 'default-timeout': 'UV_HTTP_TIMEOUT'}
# as with pip, any index may have a package: the hash decides
ALWAYS = {'UV_NO_CONFIG': '1', 'UV_INDEX_STRATEGY': 'unsafe-best-match', 'UV_NO_PROGRESS': '1',
          'UV_NO_WRAP': '1', 'UV_PYTHON_DOWNLOADS': 'never'}

def uv_env(said, venv):
    "The environment in which uv does what pip's configuration says; nothing of it is written down."
    env = {k: v for k, v in clean_env(venv).items() if not k.startswith('UV_') or k == 'UV_CACHE_DIR'}
    env |= {theirs: said[word] for word, theirs in SAME.items() if said.get(word)}
    if links := said.get('find-links'): env['UV_FIND_LINKS'] = ','.join(links.split())
    if said.get('no-index', '').lower() in ('1', 'true', 'yes', 'on'): env['UV_NO_INDEX'] = '1'
    if proxy := said.get('proxy'): env |= {'HTTP_PROXY': proxy, 'HTTPS_PROXY': proxy}
    if not said.get('cert') and not env.get('SSL_CERT_FILE'): env['UV_SYSTEM_CERTS'] = '1' # as today's pip
    env.setdefault('UV_CACHE_DIR', str(venv/'downloads'))
    return env | ALWAYS

def whole(folder):
    "Whether every file is there that an installed package lists."
    try: names = [o[0] for o in csv.reader((folder/'RECORD').read_text().splitlines()) if o]
    except OSError: return False
    return all(o.endswith('.pyc') or os.path.exists(folder.parent/o) for o in names)

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

# Java archives and the bytecode of modules, which the first import writes: the first start would do both, in five
# programs at once. Where one fails here, it does, and says why if it cannot.
AHEAD = '''
import os, sys, threading
if os.fork(): # one for each of two processors
    from stock_pipeline.local.archives import fetch_ahead
    threading.Thread(target=fetch_ahead, args=[sys.argv[1]]).start()
    import stock_pipeline.cli.run_commands, stock_pipeline.run.up, stock_pipeline.ingest.producer
    import stock_pipeline.twin.server, stock_pipeline.job.job
    os.wait()
else:
    import stock_pipeline.serve.dashboard, streamlit.web.bootstrap
'''

class Installation:
    "One environment and what is done to it, by programs whose output goes to one log."
    def __init__(self, here, venv, lock): # lock: a descriptor; children hold it too, so that whoever is left is awaited
        self.here, self.venv, self.lock, self.progress = here, venv, lock, Progress()
        self.python, self.log, self.env = venv/'bin'/'python', venv/'install.log', clean_env(venv)

    def works(self):
        "Whether the environment starts, and has a folder for packages of the Python that it is."
        look = 'import os, site, sys; sys.exit(not os.path.isdir(site.getsitepackages()[0]))'
        return self.python.exists() and asked(self.env, self.python, '-I', '-c', look).returncode == 0

    def run(self, what, *argv, env=None):
        "Run a program and show the last line it has written; raises `Stop`. It does not outlive an interruption."
        begin = self.log.stat().st_size
        said = lambda: self.log.read_bytes()[begin:].decode(errors='replace').strip()
        with open(self.log, 'ab') as out:
            options = {'stdin': subprocess.DEVNULL, 'stdout': out, 'stderr': out, 'pass_fds': [self.lock]}
            child = subprocess.Popen(list(map(str, argv)), env=env or self.env, cwd=self.venv, **options)
        try:
            while child.poll() is None:
                lines = said().splitlines() or ['…']
                self.progress.show(f'{what}: {lines[-1].strip()}')
                with contextlib.suppress(subprocess.TimeoutExpired): child.wait(0.25)
        finally:
            child.terminate()
            child.wait()
        if child.returncode: raise Stop(explain(said(), self.venv, self.log))

    def prepare(self):
        "Make the environment if there is none, and fetch uv by the pip of whoever has one; gives that Python."
        has_pip = asked(self.env, sys.executable, *PIP, '--version').returncode == 0
        fetcher = sys.executable if has_pip else self.python
        if not self.works():
            bare = ['--without-pip'] if has_pip else []
            self.run('a virtual environment', sys.executable, '-m', 'venv', *bare, self.venv)
        folder, lock = self.venv/'uv', self.here/'requirements'/'uv.lock'
        stamp = folder/'lock'
        if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
            shutil.rmtree(folder, ignore_errors=True)
            self.run('uv', fetcher, *PIP, 'install', '--retries', '1', *WHEELS, '--target', folder, '-r', lock)
            shutil.copyfile(lock, stamp)
        return fetcher

    def fill(self, lock):
        "All packages and the project, and what the first start needs."
        env = uv_env(pip_says(self.prepare(), self.env), self.venv)
        uv = [self.venv/'uv'/'bin'/'uv', 'pip', 'install', '--python', self.python]
        self.run('build tools', *uv, *WHEELS, '-r', self.here/'requirements'/'build.lock', env=env)
        self.run('packages', *uv, *WHEELS, *SOURCE, '-r', lock, env=env)
        project = project_source(self.here, self.venv)
        self.run('the project', *uv, '--no-deps', '--no-build-isolation', '-e', project, env=env)
        with contextlib.suppress(Stop): self.run('the first start', self.python, '-P', '-c', AHEAD, self.here)

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
        yield fd
    finally: os.close(fd)

def install(here, venv, name, made_from, lock):
    stamp, work = venv/f'.made-from-{name}', Installation(here, venv, lock)
    if stamp.exists() and stamp.read_bytes() == made_from: return
    fresh, old = not work.works(), list(venv.glob('.made-from-*'))
    if fresh and (free := shutil.disk_usage(venv.parent).free) < NEEDED:
        raise Stop(f'The disk of {venv.parent} has {free/1e9:.1f} GB free; it needs about {NEEDED/1e9:.1f} GB')
    doing = 'installing into' if fresh else 'bringing up to date' if old else 'finishing the installation of'
    say(f'{doing} {venv} (once; the next start is immediate)')
    if fresh: shutil.rmtree(venv.resolve(), ignore_errors=True)
    (venv.resolve()/'tmp').mkdir(parents=True, exist_ok=True)
    for path in old: path.unlink(missing_ok=True)
    work.log.write_text('')
    for folder in venv.glob('lib/python*/site-packages/*.dist-info'):
        if not whole(folder): shutil.rmtree(folder, ignore_errors=True)
    work.fill(here/'requirements'/f'{name}.lock')
    for o in ('tmp', 'downloads'): shutil.rmtree(venv/o, ignore_errors=True)
    stamp.write_bytes(made_from) # torn, it would not be equal
    packages = len(list(venv.glob('lib/python*/site-packages/*.dist-info')))
    work.progress.show(f'{packages} packages ready', now=True)

def failed(text, code=1):
    if sys.stderr.isatty(): print(file=sys.stderr) # below the line of progress
    say(text)
    return code

def main():
    here, venv, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    made_from = sys.stdin.buffer.read()
    for o in (signal.SIGTERM, signal.SIGHUP):
        is_off = signal.getsignal(o) is signal.SIG_IGN # by `nohup`: the end of the terminal is not our end
        if not is_off: signal.signal(o, signal.default_int_handler)
    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        with only_one(venv.parent) as lock: install(here, venv, name, made_from, lock)
    except KeyboardInterrupt: return failed('interrupted; run the same line again to finish', 130)
    except Stop as e: return failed(str(e))
    except OSError as e:
        what = f'{e.strerror or e}: {e.filename or venv}'
        return failed(f'{what}. Free or repair that place, or choose another with STOCK_PIPELINE_CACHE')

if __name__ == '__main__': sys.exit(main())
