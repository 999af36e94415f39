"The audit of the locks, against an index that is made up: it finds what it looks for, and being offline is no failure."
import http.server, json, threading

import pytest

import audit

GOOD, BAD = 'a'*64, 'b'*64

def package(version='1.0', yanked=False, weaknesses=(), digest=GOOD):
    files = [{'digests': {'sha256': digest}, 'yanked': yanked, 'yanked_reason': 'broken wheel' if yanked else None}]
    about = {'info': {'version': version}, 'vulnerabilities': list(weaknesses)}
    return {**about, 'urls': files, 'releases': {version: files}}

CVE = {'id': 'PYSEC-2024-1', 'aliases': ['CVE-2024-1'], 'fixed_in': ['1.1'], 'summary': 'reads files of others',
       'withdrawn': None}
PAGES = {
    '/fine/1.0/json': package(),
    '/yanked/1.0/json': package(yanked=True),
    '/weak/1.0/json': package(weaknesses=[CVE]),
    '/taken-back/1.0/json': package(weaknesses=[CVE | {'withdrawn': '2025-01-01'}]),
    '/swapped/1.0/json': package(digest=BAD),
    '/newest/json': package(weaknesses=[CVE]),
    '/older/json': package(version='2.0') | {'releases': {'1.0': package()['urls']}},
}

@pytest.fixture
def index():
    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in PAGES else 404); self.end_headers()
            if self.path in PAGES: self.wfile.write(json.dumps(PAGES[self.path]).encode())
        def log_message(self, *args): pass
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()

def asked(index, *names): return audit.audit({(n, '1.0'): {GOOD} for n in names}, index)

def test_what_is_found(index):
    assert asked(index, 'fine', 'taken-back') == ([], [])
    assert asked(index, 'yanked')[0] == ['yanked==1.0: withdrawn: broken wheel']
    assert asked(index, 'weak')[0] == ['weak==1.0: PYSEC-2024-1, mended in 1.1: reads files of others']
    # An index that tells of the newest version only.
    assert asked(index, 'newest')[0][0].startswith('newest==1.0: PYSEC-2024-1')
    assert asked(index, 'swapped')[0] == ['swapped==1.0: 1 hashes of the lock belong to no file of the index']
    assert asked(index, 'invented')[0] == ['invented==1.0: the index has no such version']

def test_what_the_index_does_not_tell_is_said(index):
    assert asked(index, 'older') == ([], ['older==1.0'])

def test_what_was_reviewed_is_let_through(index, monkeypatch):
    monkeypatch.setitem(audit.ACCEPTED, 'CVE-2024-1', 'the function is never called')
    assert asked(index, 'weak') == ([], [])

def test_the_exit_code(index, monkeypatch, capsys):
    monkeypatch.setattr(audit, 'locked', lambda: {('fine', '1.0'): {GOOD}, ('weak', '1.0'): {GOOD}})
    monkeypatch.setattr(audit, 'index_address', lambda: index)
    assert audit.main([]) == 1 and '2 packages asked about, 1 findings' in capsys.readouterr().out
    assert audit.main(['--only', 'fine']) == 0
    monkeypatch.setattr(audit, 'index_address', lambda: 'http://127.0.0.1:1')
    assert audit.main([]) == 0 and 'SKIPPED: the index does not answer' in capsys.readouterr().out
    monkeypatch.setattr(audit, 'index_address', lambda: None)
    assert audit.main([]) == 0 and 'SKIPPED' in capsys.readouterr().out

def test_the_locks_are_read():
    packages = audit.locked()
    assert len(packages) > 100 and all(hashes for hashes in packages.values()) and ('pyspark', '4.2.0') in packages
