"""The machine as it is: `./pipeline up` in a shell, a folder and a checkout that were made for other work.

Everything that is odd is set at once, and the real stack has to work. What cannot work has to say so within seconds.
"""
import json, os, re, signal, subprocess, time
from pathlib import Path

import pytest
from stock_pipeline.core.config import default_cache
from stock_pipeline.core.waiting import wait_until
from stock_pipeline.local.environment import foreign_reader
from stock_pipeline.local.home import home_processes
from stock_pipeline.local.server import free_port
from stock_pipeline.local.stack import erase_home

ROOT = Path(__file__).resolve().parent.parent
GONE = '127.0.0.1:9' # nobody listens there

LIBPQ = {
    'PGHOST': '192.0.2.1', 'PGHOSTADDR': '192.0.2.1', 'PGPORT': '1', 'PGUSER': 'nobody', 'PGPASSWORD': 'wrong',
    'PGDATABASE': 'none', 'PGSERVICE': 'nobody', 'PGSERVICEFILE': '/no/such', 'PGPASSFILE': '/no/such', 'PGDATA': '/no',
    'PGOPTIONS': '-c search_path=nowhere -c no.such', 'PGSSLMODE': 'verify-full', 'PGSSLROOTCERT': '/no/such',
    'PGSSLCERT': '/no/such', 'PGSSLNEGOTIATION': 'direct', 'PGGSSENCMODE': 'require', 'PGCHANNELBINDING': 'require',
    'PGREQUIREAUTH': 'none', 'PGTARGETSESSIONATTRS': 'standby', 'PGCLIENTENCODING': 'SQL_ASCII', 'PGTZ': 'Asia/Tokyo',
    'PGDATESTYLE': 'German', 'PGREQUIREPEER': 'nobody', 'PGMINPROTOCOLVERSION': '3.2', 'PGLOADBALANCEHOSTS': 'random'}
SPARK = {
    'SPARK_HOME': '/no/spark', 'SPARK_CONF_DIR': '/no/conf', 'SPARK_REMOTE': 'sc://192.0.2.1',
    'SPARK_API_MODE': 'connect', 'SPARK_LOCAL_IP': '192.0.2.7', 'SPARK_LOCAL_DIRS': '/proc/no',
    'SPARK_SUBMIT_OPTS': '-Xbroken', 'SPARK_DAEMON_JAVA_OPTS': '-Xbroken', 'PYSPARK_PYTHON': '/no/p',
    'PYSPARK_DRIVER_PYTHON': 'jupyter', 'PYSPARK_SUBMIT_ARGS': '--master yarn', 'PYSPARK_GATEWAY_PORT': '1',
    'HADOOP_CONF_DIR': '/no/conf', 'HADOOP_HOME': '/no/hadoop', 'YARN_CONF_DIR': '/no/conf', 'HADOOP_USER_NAME': 'x'}
JAVA = {
    'JAVA_TOOL_OPTIONS': '-javaagent:/no/such.jar', '_JAVA_OPTIONS': '-Xmx1k', 'JDK_JAVA_OPTIONS': '-Xbroken',
    'JAVA_OPTS': '-Xbroken', 'CLASSPATH': '/no/such.jar', 'KAFKA_OPTS': '-Xbroken', 'KAFKA_HEAP_OPTS': '-Xmx1k',
    'KAFKA_LOG4J_OPTS': '-Dlog4j2.configurationFile=/no', 'KAFKA_JMX_OPTS': '-Xbroken', 'LOG_DIR': '/proc/no',
    'LOG4J_CONFIGURATION_FILE': '/no/such.xml'}
PYTHON = {'PYTHONHOME': '/no/python', 'PYTHONSTARTUP': '/no/such.py', 'PYTHONWARNINGS': 'error', 'PYTHONINSPECT': '1',
          'PYTHONUSERBASE': '/no', 'PYTHONOPTIMIZE': '2', 'PYTHONIOENCODING': 'ascii'} # and PYTHONPATH
OTHERS = {
    'STREAMLIT_SERVER_PORT': '1', 'STREAMLIT_SERVER_BASE_URL_PATH': 'elsewhere', 'STREAMLIT_SERVER_HEADLESS': 'false',
    'STREAMLIT_SERVER_SSL_CERT_FILE': '/no/such.pem', 'STREAMLIT_GLOBAL_DEVELOPMENT_MODE': 'true',
    'REDISCLI_AUTH': 'wrong', 'CDPATH': '/', 'LANG': 'C', 'LC_ALL': 'C', 'LANGUAGE': 'de'}
PROXIES = {'HTTP_PROXY': f'http://{GONE}', 'HTTPS_PROXY': f'http://{GONE}', 'ALL_PROXY': f'socks5://{GONE}'}
PROXIES |= {name.lower(): way for name, way in PROXIES.items()}
SHELL = {**LIBPQ, **SPARK, **JAVA, **PYTHON, **OTHERS, **PROXIES, 'LOG_LEVEL': 'info'}

class Machine:
    "A home and a cache in a folder with an odd name, and a shell in which much is set."
    def __init__(self, folder, **env):
        self.place = folder/'Zoë, Ltd. [1]'
        self.home, cache = self.place/'home', self.place/'cache'
        (cache/'jars').parent.mkdir(parents=True)
        (cache/'jars').symlink_to(Path(os.environ.get('STOCK_PIPELINE_CACHE') or default_cache())/'jars')
        self.place.joinpath('.env').write_bytes('\ufeffSTOCK_SYMBOLS=ibm,aapl\r\nFEED=WebSocket\r\n'.encode())
        ports = free_port(), free_port(), free_port()
        self.env = {**os.environ, 'STOCK_PIPELINE_HOME': str(self.home), 'STOCK_PIPELINE_CACHE': str(cache),
                    'KAFKA_BOOTSTRAP_SERVERS': f'127.0.0.1:{ports[0]}', 'POSTGRES_PORT': str(ports[1]),
                    'REDIS_URL': f'redis://127.0.0.1:{ports[2]}/0', 'DASHBOARD_PORT': str(free_port()), **env}

    def run(self, *argv, patience=240, **options): # its code, and what it says into a pipe
        command = [str(ROOT/'pipeline'), *argv]
        done = subprocess.run(command, env=self.env, cwd=self.place, stdin=subprocess.DEVNULL, text=True,
                              timeout=patience, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        return done.returncode, done.stdout

    def status(self):
        out = self.run('status', '--json')[1]
        return json.loads(out[out.index('{'):])

@pytest.fixture
def machine(tmp_path):
    made = []
    def make(**env):
        made.append(Machine(tmp_path, **env))
        return made[-1]
    yield make
    for o in made:
        if o.home.exists():
            o.run('down')
            erase_home(o.home)

def hostile(folder): # the rest of what needs a file
    other = folder/'other packages'
    other.mkdir()
    for name in ('pydantic', 'pyspark', 'sitecustomize'):
        (other/f'{name}.py').write_text('raise SystemExit("not mine")\n')
    (folder/'bash_env').write_text('echo not mine; exit 3\n')
    return {**SHELL, 'PYTHONPATH': str(other), 'BASH_ENV': str(folder/'bash_env'), 'ENV': str(folder/'bash_env')}

def nohup(): signal.signal(signal.SIGHUP, signal.SIG_IGN)

def test_everything_at_once(machine, tmp_path):
    m = machine(**hostile(tmp_path))
    code, said = m.run('up', '--detach', preexec_fn=nohup, umask=0o077)
    assert code == 0, said
    for name in ('kafka', 'postgres', 'redis', 'producer', 'stream', 'dashboard'):
        assert re.search(rf'^{name} is up after [\d.]+ s$', said, re.M), said
    assert wait_until(lambda: (m.status()['ticks_stored'] or 0) > 0, 60), m.status()
    before = m.status()
    os.kill(before['supervisor'], signal.SIGHUP) # the terminal is closed
    shell = {k: v for k, v in m.env.items() if foreign_reader(k)}
    found = [(o.name(), set(o.environ().items()) & set(shell.items())) for o in home_processes(m.home)]
    assert len(shell) > 60 and len(found) > 8 and not [o for o in found if o[1]], found
    assert wait_until(lambda: m.status()['ticks_stored'] > before['ticks_stored'], 30)
    after = m.status()
    assert after['healthy'] and after['supervisor'] == before['supervisor'], after['problem']
    code, said = m.run('doctor')
    assert code == 0, said
    assert m.run('down')[0] == 0 and not home_processes(m.home)

@pytest.mark.long
def test_a_service_that_cannot_start_is_named_at_once(machine):
    m = machine()
    m.home.mkdir()
    (m.home/'redis').write_text('a file where a folder must be')
    began = time.monotonic()
    code, said = m.run('up', '--detach')
    took = time.monotonic() - began
    why = re.search(r'^redis.*$', said, re.M)
    assert code and why and str(m.home/'redis') in why[0], said
    assert took < 60, f'{took:.0f} s'
    assert 'redis is' in m.status()['problem'] and str(m.home/'redis') in m.status()['problem']
    code, said = m.run('doctor')
    assert code and re.search(rf'Cache +.*{re.escape(str(m.home))}', said), said

KEY = {'FINNHUB_API_KEY': 'k3y-canary'}

@pytest.mark.parametrize('odd, words', [
    ({'POSTGRES_PORT': 'tcp://10.0.0.1:5432'}, 'Kubernetes writes the address'),
    ({'DASHBOARD_PORT': 'tcp://10.0.0.1:8501'}, 'Kubernetes writes the address'),
    ({'STOCK_PIPELINE_HOME': '/tmp/a:b'}, 'which Java takes for the end of a path'),
    ({**KEY, 'HTTPS_PROXY': 'gopher://x', 'https_proxy': 'gopher://x'}, 'Mend or unset HTTPS_PROXY'),
    ({**KEY, 'SSL_CERT_FILE': '/no/such.pem'}, 'SSL_CERT_FILE=/no/such.pem cannot be read'),
    ({'POSTGRES_HOST': 'db.example.com', 'PGSSLMODE': 'verify-full'}, 'POSTGRES_SSLMODE=verify-full')])
def test_what_cannot_work_is_one_line_within_seconds(machine, odd, words):
    m = machine(**odd)
    code, said = m.run('up', '--detach', patience=20)
    assert code and words in said and 'canary' not in said and len(said.strip().splitlines()) == 1, said

def test_a_checkout_has_the_line_ends_of_unix(tmp_path):
    "Whatever Git is told elsewhere: here that text gets those of Windows."
    index = ['git', '-C', str(ROOT), '-c', 'core.autocrlf=true', 'ls-files', '--eol']
    if subprocess.run(['git', '-C', str(ROOT), 'rev-parse'], capture_output=True).returncode: pytest.skip('no Git here')
    lines = subprocess.run(index, capture_output=True, text=True, check=True).stdout.splitlines()
    wrong = [o for o in lines if 'i/lf' in o and 'eol=lf' not in o]
    assert len(lines) > 100 and not wrong, wrong[:3]
    source = tmp_path/'source'
    source.mkdir()
    git = lambda *words: subprocess.run(['git', *words], cwd=tmp_path, check=True, capture_output=True)
    for name in ('pipeline', '.gitattributes'): (source/name).write_bytes((ROOT/name).read_bytes())
    git('-C', 'source', 'init', '-q')
    git('-C', 'source', '-c', 'core.autocrlf=false', 'add', '.')
    git('-C', 'source', '-c', 'user.name=x', '-c', 'user.email=x@example.com', 'commit', '-qm', 'x')
    git('-c', 'core.autocrlf=true', 'clone', '-q', 'source', 'clone')
    assert (tmp_path/'clone'/'pipeline').read_bytes() == (ROOT/'pipeline').read_bytes()
