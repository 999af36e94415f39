"""Asks the package index about every pinned package: was it withdrawn, is a weakness of it known, does it still have
the files whose hashes the lock holds? Exit code 0: nothing found, or nobody to ask (and a line that says so); 1:
findings, one a line.

    python tests/audit.py [--only NAME,NAME]

Needs the network, so it is a step of the workflow and not of the tests; standard library only, and pip, who knows the
index."""
import argparse, json, os, re, sys, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = {} # identifier of a known weakness: why it does not concern this project

def pinned(text): # {(name, version): hashes} of a lock
    "What a lock installs."
    lines = re.sub(r'^\s*#.*\n', '', text, flags=re.M).replace('\\\n', ' ').splitlines()
    found = [(re.match(r'([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)', line), line) for line in lines if line.strip()]
    hashes = lambda line: set(re.findall(r'--hash=sha256:([0-9a-f]{64})', line))
    return {(m[1].lower().replace('_', '-'), m[2]): hashes(line) for m, line in found if m}

def locked(folder=ROOT/'requirements'):
    "All locks together."
    out = {}
    for path in sorted(folder.glob('*.lock')):
        for key, hashes in pinned(path.read_text()).items(): out.setdefault(key, set()).update(hashes)
    return out

def index_address(): # without a slash at the end; None: pip does not say
    "Where the index answers questions about packages: beside the one that pip installs from."
    given = os.environ.get('PIP_INDEX_URL', '').rstrip('/')
    if given: return re.sub(r'/(simple|\+simple)$', '', given) + '/pypi'
    try: from pip._internal.models.index import PyPI
    except ImportError: return None
    return PyPI.pypi_url

def ask(url): # the JSON answer; None: 404
    "One question; a second try where the first one was not answered."
    for last in (False, True):
        try:
            request = urllib.request.Request(url, headers={'Accept': 'application/json'})
            with urllib.request.urlopen(request, timeout=20) as answer: return json.load(answer)
        except urllib.error.HTTPError as e:
            if e.code == 404: return None
            if last: raise
        except (OSError, ValueError):
            if last: raise

def facts(base, name, version): # (files of this version, known weaknesses or None where the index does not say)
    "What the index knows of one version."
    if doc := ask(f'{base}/{name}/{version}/json'): return doc['urls'], doc.get('vulnerabilities')
    doc = ask(f'{base}/{name}/json')
    if doc is None: return None, None
    weaknesses = doc.get('vulnerabilities') if doc['info']['version'] == version else None
    return doc.get('releases', {}).get(version), weaknesses

def findings(name, version, hashes, files, weaknesses):
    "What speaks against a pinned package."
    out = []
    if not files: return [f'{name}=={version}: the index has no such version']
    gone = [f for f in files if f['digests']['sha256'] in hashes and f.get('yanked')]
    if gone: out.append(f"{name}=={version}: withdrawn: {gone[0].get('yanked_reason') or 'no reason given'}")
    if unknown := hashes - {f['digests']['sha256'] for f in files}:
        out.append(f'{name}=={version}: {len(unknown)} hashes of the lock belong to no file of the index')
    for w in weaknesses or []:
        if w.get('withdrawn') or {w['id'], *w.get('aliases', [])} & set(ACCEPTED): continue
        mended, words = ', '.join(w.get('fixed_in') or ['no version']), w.get('summary') or w.get('details') or ''
        out.append(f"{name}=={version}: {w['id']}, mended in {mended}: {words[:120].strip()}")
    return out

def audit(packages, base): # (findings, packages whose weaknesses the index does not tell)
    "Ask about every package, eight at a time; raises OSError where the index cannot be reached."
    def one(item):
        (name, version), hashes = item
        files, weaknesses = facts(base, name, version)
        return findings(name, version, hashes, files, weaknesses), f'{name}=={version}' if weaknesses is None else None
    with ThreadPoolExecutor(8) as pool: answers = list(pool.map(one, sorted(packages.items())))
    return [f for found, _ in answers for f in found], [o for _, o in answers if o]

def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument('--only', default='', help='names with commas between')
    only = {o.strip().lower() for o in parser.parse_args(argv).only.split(',') if o.strip()}
    packages, base = {k: v for k, v in locked().items() if not only or k[0] in only}, index_address()
    if not base: print('audit: SKIPPED: pip does not say where its index is'); return 0
    try: found, untold = audit(packages, base)
    except (OSError, ValueError) as e:
        print(f'audit: SKIPPED: the index does not answer ({type(e).__name__}: {e})')
        return 0
    for f in found: print(f'audit: {f}')
    some = f": {', '.join(untold[:5])}{' …' if len(untold) > 5 else ''}" if untold else ''
    counts = f'{len(packages)} packages asked about, {len(found)} findings'
    print(f'audit: {counts}, {len(untold)} whose weaknesses the index does not tell{some}')
    return 1 if found else 0

if __name__ == '__main__': sys.exit(main())
