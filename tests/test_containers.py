"The containers: what Compose and the Dockerfiles promise, checked without an engine."
import json, os, re, socket, stat, subprocess, sys, time
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

ONCE = 'secrets' # runs before the others and ends

def test_the_services():
    assert set(SERVICES) == {'kafka', 'kafka-ui', 'postgres', 'redis', 'pgadmin', *ROLES, ONCE}
    for name, service in SERVICES.items():
        if name == ONCE: assert 'restart' not in service
        else: assert service['restart'] == 'unless-stopped', name
        if name in ROLES:
            assert 'HEALTHCHECK' in dockerfile(name) and re.search(r'^USER 10001', dockerfile(name), re.M), name
        elif name != ONCE: assert service['healthcheck']['test'], name
        for other in service.get('depends_on', {}).values():
            assert other['condition'] in ('service_healthy', 'service_started', 'service_completed_successfully')

def test_nothing_must_be_set():
    "Plain `docker compose up` works on a fresh clone, and so does `ps`."
    required = re.findall(r'\$\{\w+:?\?[^}]*\}', (ROOT/'docker-compose.yml').read_text())
    assert not required and 'env_file' not in (ROOT/'docker-compose.yml').read_text()
    needs = [name for name, s in SERVICES.items() if any('/run/secrets' in str(v) for v in s.get('volumes', []))]
    assert len(needs) >= 6
    for name in needs:
        assert SERVICES[name]['depends_on'][ONCE]['condition'] == 'service_completed_successfully', name

@pytest.mark.parametrize('name', SERVICES)
def test_each_container_is_confined(name):
    service = SERVICES[name]
    assert service['read_only'] is True and service['cap_drop'] == ['ALL']
    assert service['security_opt'] == ['no-new-privileges:true'] and not service.get('privileged')
    assert set(service.get('cap_add', ())) <= {ONCE: {'DAC_OVERRIDE'}, 'pgadmin': {'NET_BIND_SERVICE'}}.get(name, set())
    for limit in ('mem_limit', 'cpu_quota', 'pids_limit'): assert service[limit], f'{name} has no {limit}'
    assert service['labels']['stock-pipeline.part'] in ('service', 'server', 'tool', 'secrets')

def test_each_image_has_its_exact_version():
    files = [dockerfile(role) for role in ROLES]
    used = {s['image'] for s in SERVICES.values() if 'image' in s}
    used |= {image for text in files for image in re.findall(r'^FROM (\S+:\S+)', text, re.M)}
    loose = {o for o in used if not re.search(r':v?\d+\.\d+', o)}
    assert len(used) >= 7 and not loose

def test_ports_are_published_on_this_machine_only():
    ports = [p for s in SERVICES.values() for p in s.get('ports', [])]
    assert len(ports) >= 6 and all(str(p).startswith('127.0.0.1:') for p in ports)

def test_no_password_stands_in_an_environment_or_on_a_command_line():
    "So `docker inspect` shows none: neither a value nor a variable that would be filled in from .env."
    secret = re.compile(r'PASSWORD|REDIS_URL|REDISCLI_AUTH|API_KEY')
    for name, service in SERVICES.items():
        held = [k for k in service.get('environment', {}) if secret.search(k) and not k.endswith('_FILE')]
        assert held == [], f'{name}: {held}'
    text = (ROOT/'docker-compose.yml').read_text()
    filled = {o for o in re.findall(r'\$\{(\w+)[^}]*\}', text) if secret.search(o)}
    assert filled == {'FINNHUB_API_KEY'}
    assert set(re.findall(r'\$\{FINNHUB_API_KEY[^}]*\}', text)) == {'${FINNHUB_API_KEY:+given}'} # a word in its place

def secrets_script(folder, *args, **env): # as in its container, but in a folder
    places = 'postgres redis pgadmin producer stream dashboard kept'.split()
    for o in places: (folder/'secrets'/o).mkdir(parents=True, exist_ok=True)
    script = (ROOT/'docker'/'secrets'/'secrets.sh').read_text()
    (folder/'run.sh').write_text(script.replace('/secrets', f'{folder}/secrets').replace('/project', str(folder)))
    command = ['sh', folder/'run.sh', *args]
    done = subprocess.run(command, capture_output=True, text=True, cwd='/', env={**os.environ, **env})
    made = [o for o in (folder/'secrets').rglob('*') if o.is_file()]
    return done, {str(o.relative_to(folder/'secrets')): o.read_text().strip() for o in made}

def test_each_container_holds_only_the_secrets_it_needs(tmp_path):
    from stock_pipeline.run.services import NEEDS
    done, files = secrets_script(tmp_path, 'make')
    assert (done.returncode, done.stdout + done.stderr) == (0, '')
    of = lambda place: {o.partition('/')[2] for o in files if o.startswith(f'{place}/')}
    word = {'FINNHUB_API_KEY'} # a word that says whether there is one
    assert {place: of(place) for place in NEEDS} == {name: needed | word for name, needed in NEEDS.items()}
    assert of('redis') == {'password', 'redis.conf'} and of('pgadmin') == {'password'}
    assert of('postgres') == {'superuser', 'owner', 'writer', 'reader'}
    for name, service in SERVICES.items():
        mounted = {v.partition(':')[0] for v in service.get('volumes', []) if v.startswith('secrets')}
        own = {'spark-processor': 'stream'}.get(name, name)
        assert name == ONCE or mounted <= {f'secrets-{own}'}, name

def test_passwords_are_made_once_and_kept(tmp_path):
    done, made = secrets_script(tmp_path, 'make')
    kept = {k: v for k, v in made.items() if k.startswith('kept/')}
    assert len(kept) == 6 and len(set(kept.values())) == 6
    assert all(re.fullmatch(r'[0-9a-f]{36}', v) for v in kept.values())
    assert made['stream/REDIS_URL'] == f"redis://:{kept['kept/REDIS_PASSWORD']}@redis:6379/0"
    assert made['producer/FINNHUB_API_KEY'] == made['stream/FINNHUB_API_KEY'] == ''
    again, same = secrets_script(tmp_path, 'make')
    assert same == made and not [v for v in kept.values() if v in done.stdout + done.stderr + again.stdout]

def test_what_stands_in_the_env_file_is_taken(tmp_path):
    lines = '\ufeffexport FINNHUB_API_KEY="k3y-canary"', '# POSTGRES_PASSWORD=no', 'REDIS_PASSWORD=mine # my own'
    (tmp_path/'.env').write_bytes('\r\n'.join(lines).encode()) # of a Windows editor, without an end of its last line
    done, made = secrets_script(tmp_path, 'make')
    assert (made['producer/FINNHUB_API_KEY'], made['redis/password']) == ('k3y-canary', 'mine')
    assert made['stream/FINNHUB_API_KEY'] == made['dashboard/FINNHUB_API_KEY'] == 'held by the producer'
    assert 'canary' not in done.stdout + done.stderr and len(made['postgres/owner']) == 36

def test_a_key_that_the_containers_would_not_see_is_said(tmp_path):
    done, _ = secrets_script(tmp_path, 'make', KEY_IN_SHELL='given')
    assert done.returncode == 2 and 'Write it into .env' in done.stderr

def test_a_command_shows_the_logins(tmp_path):
    told = {k: str(v) for k, v in SERVICES[ONCE]['environment'].items() if k != 'KEY_IN_SHELL'}
    assert 'no passwords yet' in secrets_script(tmp_path, 'logins', **told)[0].stderr
    _, made = secrets_script(tmp_path, 'make', **told)
    done, _ = secrets_script(tmp_path, 'logins', **told)
    assert all(made[f'kept/{o}_PASSWORD'] in done.stdout for o in ('PGADMIN', 'POSTGRES', 'REDIS'))
    assert len(done.stdout.splitlines()) == 3 and stat.S_IXUSR & (ROOT/'docker'/'ports').stat().st_mode

def test_a_busy_port_is_answered_with_the_variable_that_moves_it():
    names = set(re.findall(r'127\.0\.0\.1:\$\{(\w+):-(\d+)\}', (ROOT/'docker-compose.yml').read_text()))
    script = (ROOT/'docker'/'ports').read_text()
    assert len(names) == 6 and set(re.findall(r'^(\w+_PORT) (\d+)$', script, re.M)) == names
    with socket.create_server(('127.0.0.1', 0)) as busy:
        port = busy.getsockname()[1]
        env = {**os.environ, **{name: '1' for name, _ in names}, 'KAFKA_PORT': str(port)}
        done = subprocess.run([ROOT/'docker'/'ports'], capture_output=True, text=True, env=env)
    assert done.returncode == 1 and re.fullmatch(rf'Port {port} is in use.* KAFKA_PORT=\d+\n', done.stdout)

def test_each_setting_reaches_a_container():
    names = set(re.findall(r'^(\w+)=', (ROOT/'.env.example').read_text(), re.M))
    passed = {k for role in ROLES for k in SERVICES[role]['environment']} - {'STOCK_PIPELINE_SECRETS'}
    passed |= set(secret_names()) # as files
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

def healthcheck(path, *more):
    command = [sys.executable, '-I', ROOT/'docker'/'healthcheck.py', path, *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()

def test_health_is_the_rule_of_everybody(tmp_path):
    "The container's check says what `status`, `doctor` and the page say, in the same words."
    from stock_pipeline.core.health import health
    from stock_pipeline.core.heartbeat import STALE_S, State, beat_path, read_beat, write_beat
    path, seen = beat_path(tmp_path, 'stream'), set()
    assert healthcheck(path) == (1, f'stream: {health(None).why}')
    def agreed():
        found, (code, line) = health(read_beat(path)), healthcheck(path)
        assert code == int(not found.is_well)
        assert re.sub(r'\d+ s', '', line) == re.sub(r'\d+ s', '', f'stream: {found.why}') # a second may pass
        seen.add((code, line.split()[1].rstrip(':')))
    for state in State:
        write_beat(path, state, errors='no route')
        agreed()
    write_beat(path, State.RUNNING, waits_s=90)
    agreed()
    assert healthcheck(path, 120)[0] == 0
    os.utime(path, (time.time() - STALE_S - 5,)*2)
    agreed()
    assert {(0, 'running'), (1, 'starting'), (1, 'broker'), (1, 'store'), (1, 'work'), (1, 'the')} <= seen

@pytest.mark.parametrize('role', ROLES)
def test_a_service_that_hangs_ends_with_its_container(role):
    "The first process watches the same heartbeat that the check reads, and the service writes."
    text = dockerfile(role).replace('\\\n', '')
    checked, started = (json.loads(o) for o in re.findall(r'CMD +(\[[^\n]*\])', text))
    assert checked[:3] == ['python', '-I', '/app/healthcheck.py'] and started[:3] == ['python', '-I', '/app/service.py']
    assert checked[3] == started[3] and started[4:6] == ['stock-pipeline', 'service']
    own = {'spark-processor': 'stream'}.get(role, role)
    # the page may not write in the home of the others
    if role == 'dashboard': assert started[-2:] == ['--beat', checked[3]]
    else: assert checked[3] == f'/app/data/run/{own}.json'

def test_the_entry_process_watches_its_heartbeat(tmp_path):
    script = [sys.executable, '-I', ROOT/'docker'/'service.py', tmp_path/'beat.json', 'sh', '-c', 'exit 3']
    assert subprocess.run(script).returncode == 3
