"""Runs the project's tests: `./pipeline test` the fast tier, `./pipeline test --all` also the long one.

Steps: the modules equal their notebooks · notebooks are clean · the budget of skipped cells · README equals the index
notebook · structure tests (pytest) · every notebook, and whether it shows what it stores · integration notebooks
(papermill). At the end a table of times and the line `N passed, N failed`.
"""
import argparse, shutil, signal, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from runner import jobs, tree
from runner.results import Report, Result

ROOT = Path(__file__).resolve().parent.parent

def parse_args():
    p = argparse.ArgumentParser(prog='pipeline test', description='The fast tests; with --all also the long ones.')
    p.add_argument('names', nargs='*', help='only notebooks and steps whose name holds one of these words')
    p.add_argument('--all', action='store_true', help='also the long tier: full parameters, tests marked long')
    p.add_argument('--workers', type=int, default=2, help='notebooks run at once (default 2)')
    p.add_argument('--timeout', type=int, default=None, help='seconds for one notebook (default 300; with --all 3600)')
    p.add_argument('--no-stack', action='store_true', help='do not start the shared servers; notebooks start their own')
    return p.parse_args()

def wanted(name, words): return not words or any(w in name for w in words)

def tree_steps(words):
    "The steps that compare the tree with what its notebooks say."
    steps = {'export leaves no diff': tree.check_export, 'notebooks are clean': tree.check_clean,
             'budget of skipped cells': tree.check_budget, 'README equals the index notebook': tree.check_readme}
    return {name: step for name, step in steps.items() if wanted(name, words)}

def main():
    args = parse_args()
    report, tier = Report(), 'full' if args.all else 'fast'
    timeout = args.timeout or (3600 if args.all else 300)
    home = Path(tempfile.mkdtemp(prefix='sp-test-'))
    home.chmod(0o755) # as root, PostgreSQL runs as an ordinary user and must get in
    env = jobs.clean_env(ROOT, home)
    for name in (signal.SIGTERM, signal.SIGHUP):
        is_off = signal.getsignal(name) is signal.SIG_IGN # by `nohup`
        if not is_off: signal.signal(name, signal.default_int_handler)
    try:
        for name, step in tree_steps(args.names).items(): report.add(jobs.timed(name, step, ROOT))
        books = [b for b in tree.notebooks(ROOT/'nbs') if wanted(str(b.relative_to(ROOT)), args.names)]
        books = [b for b in books if not tree.is_skipped(b)]
        long_books = tree.notebooks(ROOT/'tests'/'integration')
        long_books = [b for b in long_books if wanted(str(b.relative_to(ROOT)), args.names)]
        with jobs.lent_stack(env, [] if args.no_stack else books + long_books, report):
            with ThreadPoolExecutor(args.workers) as pool:
                todo = [pool.submit(jobs.run_notebook, ROOT, b, env, timeout) for b in books]
                if wanted('structure', args.names): todo.append(pool.submit(jobs.run_pytest, ROOT, env, args.all))
                try:
                    for job in todo: report.extend(job.result())
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    jobs.end_jobs()
                    raise
            for b in long_books: report.extend(jobs.run_integration(ROOT, b, env, tier, timeout))
    except KeyboardInterrupt: report.add(Result('interrupted', 'failed', 0, 'stopped by the user'))
    finally: shutil.rmtree(home, ignore_errors=True)
    return report.close()

if __name__ == '__main__': sys.exit(main())
