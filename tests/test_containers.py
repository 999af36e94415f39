"The containers: what Compose and the Dockerfiles promise, checked without an engine."
import http.server, json, os, re, shutil, stat, subprocess, sys, threading, time
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stock_pipeline.core.config import secret_names

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT/'docker-compose.yml').read_text())
SERVICES = COMPOSE['services']
# Service: its lock, its extra.
ROLES = {'producer': ('producer', 'twin'), 'spark-processor': ('stream', 'spark'),
         'dashboard': ('dashboard', 'dashboard')}
# Settings that the images and the network fix.
ELSEWHERE = {'KAFKA_BOOTSTRAP_SERVERS', 'STOCK_PIPELINE_HOME', 'STOCK_PIPELINE_CACHE', 'REPLAY_FILES',
             'POSTGRES_SSLMODE', 'POSTGRES_SSLROOTCERT'}

def dockerfile(role): return (ROOT/'docker'/role/'Dockerfile').read_text()

def test_the_services():
    assert set(SERVICES) == {'kafka', 'kafka-ui', 'postgres', 'redis', 'pgadmin', *ROLES}
    for name, service in SERVICES.items():
        assert service['restart'] == 'unless-stopped', name
        if name in ROLES:
            assert 'HEALTHCHECK' in dockerfile(name) and re.search(r'^USER 10001', dockerfile(name), re.M), name
        else: assert service['healthcheck']['test'] and re.search(r':v?\d', service['image']), name
        for other in service.get('depends_on', {}).values():
            assert other['condition'] in ('service_healthy', 'service_started')

def test_ports_are_published_on_this_machine_only():
    ports = [p for s in SERVICES.values() for p in s.get('ports', [])]
    assert len(ports) >= 6 and all(str(p).startswith('127.0.0.1:') for p in ports)

def test_no_password_is_baked_in():
    for name, service in SERVICES.items():
        for key, value in service.get('environment', {}).items():
            if 'PASSWORD' in key or key == 'REDISCLI_AUTH':
                assert re.fullmatch(r'\$\{\w+:\?.+\}', value), f'{name}: {key}'
    assert '${REDIS_PASSWORD:?' in SERVICES['dashboard']['environment']['REDIS_URL']
    assert SERVICES['producer']['environment']['FINNHUB_API_KEY'] == '${FINNHUB_API_KEY:-}'
    for name in ('spark-processor', 'dashboard'):
        assert ':+' in SERVICES[name]['environment']['FINNHUB_API_KEY'], 'only the producer holds the key'

def test_each_container_holds_only_the_passwords_it_needs():
    def held(name):
        given = {k for k, v in SERVICES[name]['environment'].items() if v is not None}
        return given & set(secret_names()) - {'FINNHUB_API_KEY'}
    assert held('producer') == set()
    assert held('spark-processor') == {'POSTGRES_PASSWORD', 'POSTGRES_WRITER_PASSWORD', 'REDIS_URL'}
    assert held('dashboard') == {'POSTGRES_READER_PASSWORD', 'REDIS_URL'}

def test_each_setting_reaches_a_container():
    names = set(re.findall(r'^(\w+)=', (ROOT/'.env.example').read_text(), re.M))
    passed = {k for role in ROLES for k in SERVICES[role]['environment']}
    assert names - passed <= ELSEWHERE, f'docker-compose.yml passes on nothing called {names - passed - ELSEWHERE}'
    assert passed <= names, f'no such setting: {passed - names}'

def test_the_three_dockerfiles_share_their_first_stages():
    shared = {role: re.search(r'^# --- the same.*?^# -{40,}$', dockerfile(role), re.M | re.S)[0] for role in ROLES}
    assert len(set(shared.values())) == 1

@pytest.mark.parametrize('role', ROLES)
def test_an_image_installs_what_its_role_asks_for(role):
    lock, extra = ROLES[role]
    assert f'requirements/{lock}.lock' in dockerfile(role) and '--require-hashes' in dockerfile(role)
    parser = ConfigParser(delimiters=['='])
    parser.read(ROOT/'settings.ini')
    settings, pins = parser['DEFAULT'], (ROOT/'requirements'/f'{lock}.lock').read_text()
    asked = [Requirement(r) for r in (settings['requirements'] + ' ' + settings[f'{extra}_requirements']).split()]
    held = {canonicalize_name(m[1]): m[2] for m in re.finditer(r'^([\w.-]+)==([^\s;]+)', pins, re.M)}
    version = lambda r: held.get(canonicalize_name(r.name), '0')
    wrong = [str(r) for r in asked if not r.specifier.contains(version(r), prereleases=True)]
    assert not wrong, f'run requirements/lock.sh: {wrong}'
    heavy = {'pyspark', 'streamlit', 'fastapi', 'nbdev'} - {r.name for r in asked}
    assert not heavy & set(held)

def init_env(folder):
    (folder/'docker').mkdir(exist_ok=True)
    shutil.copy(ROOT/'docker'/'init-env', folder/'docker')
    done = subprocess.run([folder/'docker'/'init-env'], capture_output=True, text=True, cwd='/')
    assert done.returncode == 0, done.stderr
    return done.stdout, dict(line.split('=', 1) for line in (folder/'.env').read_text().splitlines())

def test_passwords_are_made_once_and_kept(tmp_path):
    out, made = init_env(tmp_path)
    assert set(made) == set(re.findall(r'(\w+PASSWORD):\?', (ROOT/'docker-compose.yml').read_text()))
    assert all(re.fullmatch(r'[0-9a-f]{36}', v) for v in made.values()) and len(set(made.values())) == len(made)
    assert not any(v in out for v in made.values()), 'a password is shown'
    assert stat.S_IMODE((tmp_path/'.env').stat().st_mode) == 0o600
    assert init_env(tmp_path) == ('', made)

def test_what_stands_in_the_env_file_stays(tmp_path):
    (tmp_path/'.env').write_text('STOCK_SYMBOLS=AAPL\nPOSTGRES_PASSWORD=\nREDIS_PASSWORD=mine') # no end of line
    _, made = init_env(tmp_path)
    assert (made['STOCK_SYMBOLS'], made['REDIS_PASSWORD']) == ('AAPL', 'mine') and len(made['POSTGRES_PASSWORD']) == 36

def healthcheck(name, **env):
    command = [sys.executable, '-I', ROOT/'docker'/'healthcheck.py', name]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env})
    return done.returncode, (done.stdout + done.stderr).strip()

@pytest.mark.parametrize('name', ['producer', 'stream'])
def test_health_is_a_fresh_heartbeat(tmp_path, name):
    home, beat = {'STOCK_PIPELINE_HOME': str(tmp_path)}, tmp_path/'run'/f'{name}.json'
    assert healthcheck(name, **home)[0] == 1
    beat.parent.mkdir()
    for state, code in (('starting', 1), ('running', 0), ('broker away', 1), ('replay finished', 0), ('stopped', 1)):
        beat.write_text(json.dumps({'state': state}))
        assert healthcheck(name, **home) == (code, f'{name}: {state}')
    beat.write_text(json.dumps({'state': 'running'}))
    os.utime(beat, (time.time() - 60,)*2)
    assert re.search(r'heartbeat 6\d s old', healthcheck(name, **home)[1]) # a busy machine takes its time

def test_health_is_the_rule_of_everybody(tmp_path):
    "The container's check, the supervisor, `status` and `doctor` agree on which heartbeats are too old."
    from stock_pipeline.core.heartbeat import STALE_S, State, beat_path, read_beat, write_beat
    home, beat = {'STOCK_PIPELINE_HOME': str(tmp_path)}, beat_path(tmp_path, 'producer')
    for state in State:
        write_beat(beat, state)
        assert healthcheck('producer', **home)[0] == int(not read_beat(beat).is_well), state
    write_beat(beat, State.RUNNING)
    os.utime(beat, (time.time() - STALE_S - 5,)*2) # once healthy up to 30 s here, while `status` said that it has none
    assert 'old' in healthcheck('producer', **home)[1]

@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='a container is a Linux')
def test_the_job_is_healthy_once_it_has_stored_a_batch(tmp_path):
    home, beat = {'STOCK_PIPELINE_HOME': str(tmp_path)}, tmp_path/'run'/'stream.json'
    beat.parent.mkdir()
    job = subprocess.Popen(['sleep', '60'])
    try:
        first = 'running' if old(1) else 'no batch yet'
        for pid, batch, said in ((job.pid, -1, 'no batch yet'), (job.pid, 0, 'running'), (1, -1, first)):
            beat.write_text(json.dumps({'state': 'running', 'batch_id': batch, 'pid': pid}))
            assert healthcheck('stream', **home) == (int(said != 'running'), f'stream: {said}')
    finally: job.kill(); job.wait()

def old(pid): # runs for more than two minutes
    ticks = int(Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[19])
    return float(Path('/proc/uptime').read_text().split()[0]) - ticks/os.sysconf('SC_CLK_TCK') > 120

def test_health_of_the_page():
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == '/_stcore/health' else 404)
            self.end_headers()
            self.wfile.write(b'ok')
        def log_message(self, *args): pass
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = str(server.server_port)
        assert healthcheck('dashboard', DASHBOARD_PORT=port) == (0, 'dashboard: ok')
        server.shutdown()
    assert healthcheck('dashboard', DASHBOARD_PORT=port)[0] == 1
