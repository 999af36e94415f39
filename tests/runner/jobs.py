"The steps that run code: notebooks, structure tests, integration notebooks; each in a process of its own."
import json, os, re, signal, subprocess, sys, tempfile, time, traceback
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from . import outputs
from .results import Result

MARK = 'STOCK_PIPELINE_TEST_JOB' # in the environment of a job and so of all that it starts: finds what it left running
def clean_env(root:Path, home:Path):
    "The user's environment without the project's settings, with a home of the tests' own."
    settings = re.findall(r'^([A-Z_]+)=', (root/'.env.example').read_text(), re.M)
    keep = {k: v for k, v in os.environ.items() if k not in settings or k == 'STOCK_PIPELINE_CACHE'}
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ.get("PATH", "")}'
    return keep | {'STOCK_PIPELINE_HOME': str(home), 'PATH': path, 'PYTHONWARNINGS': 'error:::__main__',
                   'JUPYTER_PREFER_ENV_PATH': '1', 'TQDM_DISABLE': '1'}

def timed(name, step, *args):
    "A check that returns '' or what is wrong, as a result."
    start = time.monotonic()
    try: detail = step(*args)
    except Exception: detail = traceback.format_exc()
    return Result(name, 'failed' if detail else 'passed', time.monotonic() - start, detail or '')

def left_running(mark):
    "Processes whose environment carries this mark, or one that begins so."
    found = []
    for p in psutil.process_iter():
        try:
            if p.environ().get(MARK, '').startswith(mark) and p.status() != psutil.STATUS_ZOMBIE: found.append(p)
        except (psutil.Error, OSError): pass
    return found

def end_all(processes):
    for p in processes:
        try: p.kill()
        except psutil.Error: pass

def end_jobs():
    "After an interruption: end all that this run has started."
    end_all(left_running(f'{os.getpid()}:'))

def run_marked(name, command, env, timeout, cwd):
    "Run to the end or to the time limit, end what it left; returns (exit status, output, names of what was left)."
    mark = f'{os.getpid()}:{name}:'
    with tempfile.TemporaryFile('w+') as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                 env=env | {MARK: mark}, cwd=cwd)
        try: status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT) # gives it a chance to stop what it started
            try: child.wait(5)
            except subprocess.TimeoutExpired: pass
            status = 'timeout'
        except BaseException:
            end_all(left_running(mark)); raise
        until = time.monotonic() + 5
        # A JVM ends a little after its parent.
        while (left := left_running(mark)) and time.monotonic() < until: time.sleep(0.2)
        names = sorted({_described(p) for p in left})
        end_all(left)
        out.seek(0)
        return status, out.read(), names

def _described(p):
    try: return f'{p.name()} ({" ".join(p.cmdline())[:100]})'
    except psutil.Error: return str(p.pid)

def as_result(name, start, status, output, left, timeout):
    detail = ''
    if status == 'timeout': detail = f'stopped after {timeout} s\n{output}'
    elif status: detail = output or f'exit status {status}'
    elif left: detail = 'left running: ' + '; '.join(left)
    return Result(name, 'failed' if detail else 'passed', time.monotonic() - start, detail)

def execute_notebook(root, path, env, timeout): # (result, {cell id: outputs} of the cells that were run)
    "Run a notebook as `nbdev_test` does, in a process of its own."
    name, start = str(path.relative_to(root)), time.monotonic()
    with tempfile.TemporaryDirectory(prefix='sp-outputs-') as folder:
        made = Path(folder)/'outputs.json'
        command = [sys.executable, str(Path(__file__).with_name('executed.py')), str(path), str(root), str(made)]
        done = run_marked(name, command, env, timeout, root)
        shown = json.loads(made.read_text(encoding='utf-8')) if made.exists() else {}
    return as_result(name, start, *done, timeout), shown

def run_notebook(root, path, env, timeout):
    "One run tells whether the notebook passes and whether it still shows what it stores."
    return [compared(root, path, *execute_notebook(root, path, env, timeout))]

def compared(root, path, result, made, presence=False):
    "The result, failed where an output is empty or outdated."
    if result.status != 'passed': return result
    if not (wrong := outputs.differences(path, made, presence)): return result
    advice = f'look at it, then run: python tests/refresh_outputs.py {path.relative_to(root)}'
    return replace(result, status='failed', detail='\n'.join([*wrong, advice]))

def run_pytest(root, env, long):
    "The structure tests; each counts."
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder)/'results.xml'
        command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--junitxml', str(xml)]
        command += [*([] if long else ['-m', 'not long']), str(root/'tests')]
        status, output, left = run_marked('structure', command, env, 900, root)
        cases = ET.parse(xml).iter('testcase') if xml.exists() else []
        results = [_case(c) for c in cases]
    if left or status == 'timeout' or (status and not any(r.status == 'failed' for r in results)):
        results.append(as_result('structure tests', start, status, output, left, 900))
    return results

def _case(case):
    bad = [e for e in case if e.tag in ('failure', 'error')]
    skipped = [e for e in case if e.tag == 'skipped']
    status = 'failed' if bad else 'skipped' if skipped else 'passed'
    words = [e.text or e.get('message') for e in bad] or [e.get('message', '') for e in skipped[:1]]
    name = f'{case.get("classname").removeprefix("tests.")}: {case.get("name")}'
    return Result(name, status, float(case.get('time') or 0), '\n'.join(map(str, words)))

def parameters_of(root, path, tier):
    "The parameters of an integration notebook; ValueError where papermill would silently run the defaults."
    import papermill
    listed = json.loads((root/'tests/integration/parameters.json').read_text())
    if tier not in listed.get(path.stem, {}):
        raise ValueError(f'tests/integration/parameters.json has no "{path.stem}" with "{tier}"')
    if not any('parameters' in outputs.tags(c) for c in json.loads(path.read_text())['cells']):
        raise ValueError(f'no cell of {path.name} is tagged "parameters": papermill would run the defaults')
    given, known = listed[path.stem][tier], papermill.inspect_notebook(str(path))
    if unknown := set(given) - set(known):
        raise ValueError(f'the parameters cell of {path.name} does not set {", ".join(sorted(unknown))}')
    return given

def run_integration(root, path, env, tier, timeout):
    return [compared(root, path, *execute_integration(root, path, env, tier, timeout), presence=True)]

def execute_integration(root, path, env, tier, timeout): # as from `execute_notebook`
    "One notebook by papermill; the executed copy goes to a temporary folder."
    name, start = f'{path.relative_to(root)} ({tier})', time.monotonic()
    with tempfile.TemporaryDirectory(prefix='sp-papermill-') as folder:
        out, given = Path(folder)/path.name, Path(folder)/'parameters.json'
        try: given.write_text(json.dumps(parameters_of(root, path, tier)))
        except Exception as e: return Result(name, 'failed', 0, f'{e}'), {}
        command = [sys.executable, '-m', 'papermill', str(path), str(out), '-f', str(given), '-k', 'python3',
                   '--cwd', str(path.parent), '--no-progress-bar', '--log-level', 'ERROR']
        status, output, left = run_marked(name, command, env | {'PYTHONPATH': str(root)}, timeout, root)
        if status and out.exists(): output = failing_cell(out) or output
        cells = outputs.code_cells(out) if out.exists() else []
        made = {c['id']: outputs.as_stored(c['outputs']) for c in cells}
    return as_result(name, start, status, output, left, timeout), made

def failing_cell(path):
    "Source of the cell that failed, what it printed, and its traceback."
    for cell in json.loads(path.read_text())['cells']:
        for o in cell.get('outputs', []):
            if o.get('output_type') == 'error':
                trace = re.sub(r'\x1b\[[0-9;]*m', '', '\n'.join(o['traceback']))
                printed = ''.join(''.join(p['text']) for p in cell['outputs'] if p.get('output_type') == 'stream')
                return f'the cell that failed:\n{"".join(cell["source"])}\n\n{printed}\n{trace}'
    return ''

@contextmanager
def lent_stack(env, books, report):
    "One stack for all notebooks that ask for a place on it (`shared_stack`); `env` names where the places are."
    if not any('import shared_stack' in b.read_text() for b in books):
        yield
        return
    from stock_pipeline.local.fixtures.shared_stack import FOLDER, lending_stack
    start = time.monotonic()
    temporary = tempfile.TemporaryDirectory(prefix='sp-stack-', ignore_cleanup_errors=True)
    with temporary as home, lending_stack(Path(home)/'home') as folder:
        report.add(Result('the shared stack starts', 'passed', time.monotonic() - start))
        env[FOLDER] = folder
        yield
