"What is recorded of `prove` and `fuzz` is of the code that is here, whole, and passed."
from pathlib import Path

import pytest
from stock_pipeline.prove import proof

ROOT = Path(__file__).resolve().parent.parent
RENEW = {'prove': './pipeline prove --seeds 50 --record', 'fuzz': './pipeline fuzz --seed 2026 --record'}

def faults(name, record, root=ROOT): # of a record, in words
    "What is wrong with a record."
    old = proof.outdated(record, root)
    if old: yield f'the record is of another version of {", ".join(old)}'
    if not record['clean']: yield 'it is of a tree with changes that are not committed'
    if name == 'prove':
        if len(record['seeds']) < 50: yield f"it has {len(record['seeds'])} rounds of 50"
        if not record['total']['passed']: yield 'not every round passed'
    else:
        if record['read'] < 1_000_000: yield f"it has {record['read']:,} records of a million"
        if not record['ok']: yield 'there were disagreements'

@pytest.mark.parametrize('name', RENEW)
def test_a_record_is_of_this_code(name):
    record = proof.read_record(name, ROOT)
    if record is None: pytest.skip(f'No run is recorded, and README says so; `{RENEW[name]}` makes a record')
    wrong = list(faults(name, record))
    assert not wrong, f'{"; ".join(wrong)}. Renew it: {RENEW[name]}'

def test_readme_shows_what_is_recorded():
    readme = (ROOT/'README.md').read_text()
    for name, words in (('prove', proof.prove_words), ('fuzz', proof.fuzz_words)):
        assert words(proof.read_record(name, ROOT)) in readme, 'python tests/render_readme.py'

def test_a_record_of_other_code_is_seen(tmp_path):
    for room in proof.ROOMS: (tmp_path/'stock_pipeline'/room).mkdir(parents=True)
    module = tmp_path/'stock_pipeline'/'job'/'sink.py'
    module.write_text('x = 1')
    facts = proof.tree_facts(tmp_path) | dict(clean=True)
    whole = dict(seeds=[{}]*50, total=dict(passed=True))
    proof.write_record('prove', './pipeline prove', whole, facts, tmp_path)
    record = proof.read_record('prove', tmp_path)
    assert list(faults('prove', record, tmp_path)) == []
    module.write_text('x = 2')
    assert list(faults('prove', record, tmp_path)) == ['the record is of another version of job']
    short = record | dict(clean=False, seeds=[{}]*10, total=dict(passed=False))
    assert len(list(faults('prove', short, tmp_path))) == 4
