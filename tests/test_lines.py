"No line of what is written by hand is longer than 120 characters; of Python in notebooks and tests, ruff says so."
import ast, hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WIDEST = 120
FROZEN = { # steps of the schema that databases have applied: each remembers the SHA-256 of its text
    '0002_dead_letter_copies.sql': '29939bc5670172341271a8d8f20168658078aa8049c581a73ea1c32ddcb77d8c',
    '0003_coverage.sql': '7161634c664d3f65385cea3dcf0b60c9c74e6bfc39d77ed7bd9d19fc987d1551',
    '0004_roles.sql': 'eddc0449a6f7c59d4e0e4522e4bed05b95417aaac2a10a292a46bde48f5f2a9b',
    '0005_dead_letter_identity.sql': 'f1e31f3bda1bc235619df3d91afbef9230c0307c1127387f49e0ad4eebff84a3',
    '0006_bar_sums.sql': '12cbb728031fa76ac36c0dd61e3fc5367d921c2e180810d0c3b26250e8ed3e3f',
    '0007_dead_letter_counts.sql': '0d99aad9d454e47a3fcfb198232088c251fdd506920aca932f1dd75d367d9c67',
    '0008_hour_lines.sql': '41b828fa3d806c05132c0ea994864dee7043b16d600e3056808a87b79e20e828',
}

def files(*patterns): return sorted(p for pattern in patterns for p in ROOT.glob(pattern) if p.is_file())

KINDS = {
    'SQL': lambda: [p for p in files('stock_pipeline/**/*.sql', 'docker/**/*.sql') if not is_frozen(p)],
    'containers': lambda: [p for p in files('docker/**/*', 'docker-compose.yml') if p.suffix != '.md'],
    'scripts': lambda: files('pipeline', 'setup.py', 'requirements/*.py', 'requirements/*.sh', '.github/**/*.yml'),
    'modules': lambda: [p for p in files('stock_pipeline/**/*.py') if p.name != '_modidx.py'],
}

def is_frozen(path): return FROZEN.get(path.name) == hashlib.sha256(path.read_bytes()).hexdigest()

def wide_lines(text): return [(i, line) for i, line in enumerate(text.splitlines(), 1) if len(line) > WIDEST]

def written_by_nbdev(text): # numbers of lines
    "The lines of `__all__`, which nbdev breaks later than we would."
    assigned = (n for n in ast.parse(text).body if isinstance(n, ast.Assign))
    nodes = [n for n in assigned if getattr(n.targets[0], 'id', '') == '__all__']
    return {i for n in nodes for i in range(n.lineno, n.end_lineno + 1)}

def wrong(path):
    text = path.read_text(encoding='utf-8')
    passed = written_by_nbdev(text) if path.suffix == '.py' else ()
    return [f'{path.relative_to(ROOT)}:{i}: {line.strip()[:80]} …' for i, line in wide_lines(text) if i not in passed]

def test_a_wide_line_is_seen(): assert wide_lines('x'*120 + '\n' + 'y'*121) == [(2, 'y'*121)]

@pytest.mark.parametrize('kind', KINDS)
def test_no_line_is_wider(kind):
    paths = KINDS[kind]()
    assert paths and not (found := [line for p in paths for line in wrong(p)]), '\n'.join(found)

def test_applied_steps_are_as_they_were():
    assert all(is_frozen(ROOT/'stock_pipeline/store/migrations'/name) for name in FROZEN)
