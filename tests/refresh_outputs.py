"""Runs notebooks as the tests do and stores what each cell shows: `python tests/refresh_outputs.py WORD...`.

A word is a part of a path. Nothing is stored of a notebook that fails. Cells tagged `varies` keep what they show until
--varying asks for a new one. `tests/run.py WORD...` then compares, and fails where an output is empty or outdated.
"""
import argparse, shutil, sys, tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from runner import jobs, outputs, tree
from runner.results import Report

ROOT = Path(__file__).resolve().parent.parent

def parse_args():
    p = argparse.ArgumentParser(description='Store the outputs of notebooks.')
    p.add_argument('names', nargs='+', help='only notebooks whose path holds one of these words')
    p.add_argument('--stack', action='store_true', help='lend the notebooks one shared stack, as the tests do')
    p.add_argument('--varying', action='store_true', help='store new outputs of cells tagged varies, too')
    p.add_argument('--timeout', type=int, default=300, help='seconds for one notebook')
    return p.parse_args()

def is_integration(path): return path.parent.name == 'integration'

def refresh(path, env, args, report):
    if is_integration(path): result, made = jobs.execute_integration(ROOT, path, env, 'fast', args.timeout)
    else: result, made = jobs.execute_notebook(ROOT, path, env, args.timeout)
    report.add(result)
    if result.status != 'passed': return
    for cell in outputs.store(path, made, args.varying): print(f'{"":20} {cell} has a new output')
    for cell in outputs.code_cells(path):
        if line := outputs.foreign(cell, ROOT): print(f'{"":20} {cell["id"]} shows what does not belong there: {line}')

def main():
    args, report = parse_args(), Report()
    books = tree.notebooks(ROOT/'nbs') + tree.notebooks(ROOT/'tests'/'integration')
    books = [b for b in books if any(w in str(b.relative_to(ROOT)) for w in args.names)]
    home = Path(tempfile.mkdtemp(prefix='sp-test-'))
    home.chmod(0o755) # as root, PostgreSQL runs as an ordinary user and must get in
    env = jobs.clean_env(ROOT, home)
    try:
        with jobs.lent_stack(env, books if args.stack else [], report):
            for b in books: refresh(b, env, args, report)
    finally: shutil.rmtree(home, ignore_errors=True)
    return report.close()

if __name__ == '__main__': sys.exit(main())
