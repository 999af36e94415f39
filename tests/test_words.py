"What never goes into the project: addresses of package indexes, paths of one machine, keys."
import re, subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SKIP = {'.git', '.venv', '__pycache__', '_docs', '_proc', 'build', 'dist', '.ipynb_checkpoints', '.pytest_cache',
        '.hypothesis'}
BINARY = {'.png', '.jpg', '.gif', '.ico', '.zip', '.gz', '.woff2', '.parquet'}
FORBIDDEN = { # each pattern is written so that it does not match this file
    'a package index': '|'.join((
        r'\bpypi[.]org|pythonhosted[.]org|repo1?[.]maven|repo[.]maven|maven[-]central|registry[.]npmjs',
        r'--(?:extra-)?index[-]url\s+\S|--find[-]links\s+\S|https?://[\w.-]+/(?:simple|maven2)\b(?!\])')),
    'a path of one machine': ''.join((
        r'(?<![\w.$}/~-])/(?:root|Users/\w+|home/(?!app\b|spark\b|kafka\b|user\b|visitor\b)\w+|work/(?:main|shared)',
        r'|opt/[s]p-venv|tmp/[l]ab)(?:/|\b)')),
    'a key': '|'.join((
        r'-----BEGIN [A-Z ]*PRIVATE [K]EY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bsk-[A-Za-z0-9]{32,}',
        r'[?&]token=[a-z0-9]{20,}|FINNHUB_API_KEY\s*=\s*["\']?[a-z0-9]{20,}')),
}

def is_generated(path):
    parts = set(path.relative_to(ROOT).parts)
    return bool(SKIP & parts) or '.egg-info' in str(path) or path.name in ('.env', 'install.log')

def files():
    "The tracked files; without git (or in a tree that git does not trust) all but generated ones."
    done = None
    try: done = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError: pass
    if done and done.returncode == 0 and done.stdout: found = [ROOT/f for f in done.stdout.split('\0') if f]
    else: found = [p for p in ROOT.rglob('*') if not is_generated(p)]
    return [p for p in found if p.is_file() and p.suffix not in BINARY]

def test_the_patterns_see_what_they_forbid():
    seen = ['https://pypi' + '.org/simple', '--index-' + 'url https://x', 'https://repo' + '1.maven.org',
            '/ro' + 'ot/x.py', '/Use' + 'rs/ann/x', '/tm' + 'p/lab/nb',
            'FINNHUB_API_KEY=' + 'c' * 20, 'AKIA' + 'A' * 16]
    assert all(any(re.search(p, s) for p in FORBIDDEN.values()) for s in seen)
    fine = ['FINNHUB_API_KEY=', '/app/checkpoints', 'token=KEY', '${HOME}/ro' + 'ot/x', '~/ro' + 'ot/',
            'https://finnhub.io/api/v1']
    assert not any(re.search(p, s) for p in FORBIDDEN.values() for s in fine)

@pytest.mark.parametrize('what', FORBIDDEN)
def test_no_file_holds(what):
    wrong = []
    for path in files():
        text = path.read_text(errors='ignore')
        matches = re.finditer(FORBIDDEN[what], text)
        wrong += [f'{path.relative_to(ROOT)}:{text.count(chr(10), 0, m.start()) + 1}: {m[0]}' for m in matches]
    assert not wrong, f'{what}:\n' + '\n'.join(wrong)
