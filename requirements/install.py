"""Installs a lock and the project into a virtual environment; called by ./pipeline, standard library only.

    python install.py CHECKOUT VENV LOCK < what-it-is-made-from

Safe to interrupt and to run twice at once: a file lock lets one run work while the other waits, packages that were only
half installed are found and installed again, and the stamp that says "done" is written last.
"""
import contextlib, fcntl, os, re, shutil, signal, subprocess, sys, threading, time
from pathlib import Path

PIP = ['-m', 'pip', '--no-input', '--disable-pip-version-check']
HASHED = ['--require-hashes', '--no-deps', '--no-build-isolation', '--only-binary', ':all:', '--no-binary', 'pyspark', '--no-warn-script-location',
          '--progress-bar', 'off', '--retries', '2']
NEEDED = 2.5e9 # bytes free for a first installation, with pip's own cache

TEMPORARY = {} # where pip unpacks: inside the environment, so that a killed run leaves nothing elsewhere and a small /tmp does no harm
HELD = [] # descriptor of the file lock: pip holds it too, so that a pip that outlives a killed parent is waited for

class Stop(Exception): "One line for the user."

def say(text): print(f'stock-pipeline: {text}', file=sys.stderr, flush=True)

def clean_env():
    "The environment without what would send pip elsewhere than into our own."
    drop = 'PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_REQUIREMENT PYTHONPATH PYTHONHOME'.split()
    return {k: v for k, v in os.environ.items() if k not in drop} | {'PIP_USER': '0', 'PYTHONUNBUFFERED': '1', **TEMPORARY}

class Progress:
    "One line that is drawn again on a terminal; elsewhere a line now and then."
    def __init__(self, site): self.site, self.tty, self.start, self.last, self.shown = site, sys.stderr.isatty(), time.monotonic(), 0.0, ''
    def seconds(self): return time.monotonic() - self.start
    def installed(self): return sum(1 for _ in self.site.glob('*.dist-info/RECORD'))

    def show(self, text, now=False):
        if self.tty:
            width = shutil.get_terminal_size().columns - 1
            print('\r' + f'  {self.seconds():4.0f} s  {text}'[:width].ljust(width), end='', file=sys.stderr, flush=True)
        elif now or self.seconds() - self.last > 10:
            self.last = self.seconds()
            if text != self.shown: print(f'  {self.last:4.0f} s  {text}', file=sys.stderr, flush=True)
            self.shown = text

    def end(self):
        if self.tty: print(file=sys.stderr)

TROUBLE = [ # what pip's log says → what the user can do
    (r'No space left on device', 'The disk is full. Free about 3 GB for {venv}, then run the same line again'),
    (r'DO NOT MATCH THE HASHES', 'A download is not the file that the lock names (hash mismatch). Run the same line again; if it stays, a proxy or mirror alters files'),
    (r'CERTIFICATE_VERIFY_FAILED|SSLError', 'The package index shows a certificate that pip does not trust. Name your certificates with PIP_CERT=/path/to/ca.pem'),
    (r'NewConnectionError|NameResolution|Name or service not known|ConnectTimeout|ReadTimeout|Max retries exceeded|ProxyError|Connection (?:refused|reset|broken)|RemoteDisconnected',
     'No network: the package index cannot be reached. Connect (or set HTTPS_PROXY or PIP_INDEX_URL), then run the same line again; what is downloaded stays'),
    (r'No matching distribution found for (\S+)', 'There is no ready-made {0} for this machine ({machine}). Supported: Linux with glibc 2.28 or newer and macOS, x86-64 and ARM64'),
    (r'Permission denied.*', '{0}: the folder {venv} belongs to someone else. Remove it, or run as its owner'),
    (r'ERROR: (.+)', '{0}'),
]

def explain(log, venv):
    "The one line for the user from pip's log."
    text = log.read_text(errors='replace')[-20_000:]
    for pattern, line in TROUBLE:
        if hits := re.findall(pattern, text):
            machine = f'{sys.platform} {os.uname().machine}, Python {sys.version_info.major}.{sys.version_info.minor}'
            return line.format(hits[-1], venv=venv, machine=machine) + f'. Details: {log}'
    return f'The installation failed. Details: {log}'

def run_pip(python, args, venv, progress, label, total=None):
    "Run pip; its output goes to a log, its steps to the progress line."
    log, state = venv/'install.log', dict(seen=0, text=label)
    def follow(pipe, out):
        for line in pipe:
            out.write(line)
            if line.startswith('Collecting '): state['seen'] += 1; state['text'] = f'{label}: fetching {line.split()[1]}'
            elif line.startswith('Building wheel for '): state['text'] = f'{label}: building {line.split()[3]}'
            elif line.startswith('Installing collected'): state['text'] = 'unpacking'
    with open(log, 'a') as out, subprocess.Popen([python, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', env=clean_env(), cwd=venv, pass_fds=HELD) as pip:
        reader = threading.Thread(target=follow, args=(pip.stdout, out), daemon=True); reader.start()
        try:
            while pip.poll() is None:
                unpacking = state['text'] == 'unpacking'
                n = min(progress.installed(), total or 0) if unpacking else state['seen']
                count = f' ({n} of {total})' if total else ''
                progress.show(f'{label}: unpacking{count}' if unpacking else f'{state["text"]}{count}')
                with contextlib.suppress(subprocess.TimeoutExpired): pip.wait(0.25)
            reader.join()
        except BaseException:
            pip.terminate(); raise
    if pip.returncode: raise Stop(explain(log, venv))

def works(python): return Path(python).exists() and subprocess.run([python, *PIP, '--version'], capture_output=True, env=clean_env()).returncode == 0

def make_venv(venv, lock_folder):
    "A virtual environment with pip, by whatever this Python has: venv, venv and its own pip, or virtualenv."
    def tried(*args):
        done = subprocess.run([sys.executable, *map(str, args)], capture_output=True, text=True, env=clean_env())
        with open(venv/'install.log', 'a') as out: out.write(f'{args}\n{done.stdout}{done.stderr}')
        return done.returncode == 0
    venv.mkdir(parents=True, exist_ok=True)
    if tried('-m', 'venv', '--clear', venv): return
    site = venv/'lib'/f'python{sys.version_info.major}.{sys.version_info.minor}'/'site-packages'
    if tried('-m', 'venv', '--clear', '--without-pip', venv) and tried(*PIP, 'install', '--target', site, '--require-hashes', '--no-deps', '-r', lock_folder/'build.lock'): return
    if tried('-m', 'virtualenv', '--clear', venv): return
    text = (venv/'install.log').read_text(errors='replace')
    if 'No space left' in text or 'NewConnectionError' in text: raise Stop(explain(venv/'install.log', venv))
    raise Stop(f'{sys.executable} cannot make a virtual environment: its venv module lacks ensurepip, and there is no pip. '
               'Debian, Ubuntu: apt install python3-venv; elsewhere: a Python with pip. Then run the same line again')

def mend(site):
    "Forget packages that an interruption left half installed: pip writes RECORD last, and keeps what it replaces under ~names."
    for folder in site.glob('*.dist-info'):
        if not (folder/'RECORD').exists(): shutil.rmtree(folder, ignore_errors=True)
    for folder in site.glob('~*'): shutil.rmtree(folder, ignore_errors=True)

def project_source(here, venv):
    "The folder to install from: the checkout, or where it may not be written, a folder beside the environment that links to its package."
    if os.access(here, os.W_OK): return here
    source = venv/'project'
    source.mkdir(exist_ok=True)
    for name in ('setup.py', 'settings.ini', 'pyproject.toml', 'README.md', 'LICENSE'):
        if (here/name).exists(): shutil.copyfile(here/name, source/name)
    link = source/'stock_pipeline'
    if not link.exists(): link.symlink_to(here/'stock_pipeline', target_is_directory=True)
    return source

def count(python, lock):
    "How many packages of the lock this machine needs."
    code = ("import sys; from packaging.requirements import Requirement as R\n"
            "lines = [l.split(' --')[0].rstrip(' \\\\\\n') for l in open(sys.argv[1]) if l[0].isalnum()]\n"
            "print(sum(r.marker is None or r.marker.evaluate() for r in map(R, lines)))")
    done = subprocess.run([python, '-c', code, str(lock)], capture_output=True, text=True, env=clean_env())
    return int(done.stdout) if done.returncode == 0 else None

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

def install(here, venv, lock, made_from):
    stamp, python, locks = venv/f'.made-from-{lock}', str(venv/'bin'/'python'), here/'requirements'
    if stamp.exists() and stamp.read_bytes() == made_from: return
    fresh = not works(python)
    if fresh and (free := shutil.disk_usage(venv.parent).free) < NEEDED:
        raise Stop(f'The disk of {venv.parent} has {free/1e9:.1f} GB free; the installation needs about {NEEDED/1e9:.1f} GB')
    old = list(venv.glob('.made-from-*'))
    say(f'{"installing into" if fresh else "bringing up to date" if old else "finishing the installation of"} {venv} (once; the next start is immediate)')
    for path in old: path.unlink()
    if fresh: make_venv(venv, locks)
    site = next(venv.glob('lib/python*/site-packages'))
    mend(site)
    (venv/'install.log').write_text('')
    shutil.rmtree(venv/'tmp', ignore_errors=True)
    (venv/'tmp').mkdir()
    TEMPORARY['TMPDIR'] = str(venv/'tmp')
    progress = Progress(site)
    run_pip(python, [*PIP, 'install', *HASHED, '-r', str(locks/'build.lock')], venv, progress, 'build tools')
    run_pip(python, [*PIP, 'install', *HASHED, '-r', str(locks/f'{lock}.lock')], venv, progress, 'packages', count(python, locks/f'{lock}.lock'))
    run_pip(python, [*PIP, 'install', '--no-deps', '--no-build-isolation', '-e', str(project_source(here, venv))], venv, progress, 'the project')
    shutil.rmtree(venv/'tmp', ignore_errors=True)
    new = stamp.with_name(stamp.name + '.new')
    new.write_bytes(made_from)
    new.replace(stamp)
    progress.show(f'{progress.installed()} packages ready', now=True)
    progress.end()

def main():
    here, venv, lock = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    made_from = sys.stdin.buffer.read()
    for name in (signal.SIGTERM, signal.SIGHUP): signal.signal(name, signal.default_int_handler)
    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        with only_one(venv.parent): install(here, venv, lock, made_from)
    except KeyboardInterrupt: print(file=sys.stderr); say('interrupted; run the same line again to finish'); return 130
    except Stop as e: say(str(e)); return 1
    except OSError as e: say(f'{e.strerror or e}: {e.filename or venv}. Free or repair that place, or choose another with STOCK_PIPELINE_CACHE'); return 1

if __name__ == '__main__': sys.exit(main())
