"The comparison of outputs sees what it must, and what the notebooks store is nobody's warning, path or address."
import json, os, shutil
from pathlib import Path

import pytest
from runner import jobs, outputs
from runner.tree import notebooks

ROOT = Path(__file__).resolve().parent.parent

def cell(*stored, tags=()):
    return {'id': 'a1', 'cell_type': 'code', 'source': ['#| hide\n', 'f()'], 'metadata': {'tags': list(tags)},
            'outputs': list(stored)}

def printed(text, name='stdout'): return {'output_type': 'stream', 'name': name, 'text': text.splitlines(True)}
def result(**data):
    data = {kind.replace('_', '/'): content for kind, content in data.items()}
    return {'output_type': 'execute_result', 'data': data, 'metadata': {}}

def differs(stored, made, **kwargs): return outputs.difference(cell(*stored, **kwargs), made)

def test_an_empty_or_an_outdated_output_is_seen():
    assert differs([], []) == differs([printed('1\n')], [printed('1\n')]) == ''
    assert 'stores nothing' in differs([], [printed('1\n')]) and 'shows nothing' in differs([printed('1\n')], [])
    assert '-1\n+2' in differs([printed('1\n')], [printed('2\n')])
    assert 'something else' in differs([printed('1\n')], [result(text_plain='1\n')])

def test_what_varies_must_only_be_shown():
    assert differs([printed('1\n')], [printed('2\n')], tags=['varies']) == ''
    assert differs([], [printed('2\n')], tags=['varies']) and differs([printed('1\n')], [], tags=['varies'])

def test_of_an_integration_notebook_only_presence_counts():
    assert outputs.difference(cell(printed('1\n')), [printed('2\n')], presence=True) == ''
    assert outputs.difference(cell(), [printed('2\n')], presence=True)

def test_of_a_picture_only_its_presence_counts():
    old, new = (result(image_png=content, text_plain='<Figure>') for content in ('aa', 'bb'))
    assert differs([old], [new]) == ''
    assert differs([result(text_plain='<Figure>')], [new])

def test_texts_printed_in_pieces_are_one():
    assert outputs.as_stored([printed('1\n'), printed('log', 'stderr'), printed('2\n')]) == [printed('1\n2\n')]
    assert differs([printed('1\n'), printed('2\n')], [printed('1\n2\n')]) == ''

def test_only_what_counts_is_stored_anew():
    old, new = result(image_png='aa'), result(image_png='bb')
    assert outputs.refreshed(cell(old), [new]) == [old]
    assert outputs.refreshed(cell(printed('1\n')), [printed('2\n')]) == [printed('2\n')]
    assert outputs.refreshed(cell(printed('1\n'), tags=['varies']), [printed('2\n')]) == [printed('1\n')]
    assert outputs.refreshed(cell(printed('1\n'), tags=['varies']), [printed('2\n')], varying=True) == [printed('2\n')]
    assert outputs.refreshed(cell(printed('1\n'), printed('WARN', 'stderr')), [printed('1\n')]) == [printed('1\n')]

def test_a_run_goes_red_where_an_output_is_outdated_and_green_once_it_is_stored_anew(tmp_path):
    shutil.copy(ROOT/'settings.ini', tmp_path)
    book = tmp_path/'nbs'/'99_room'/'01_book.ipynb'
    book.parent.mkdir(parents=True)
    cells = [cell(printed('1\n')) | {'source': ['print(2)'], 'execution_count': None}]
    book.write_text(json.dumps({'cells': cells, 'metadata': {}, 'nbformat': 4, 'nbformat_minor': 5}))
    ran, made = jobs.execute_notebook(tmp_path, book, {**os.environ}, 60)
    red = jobs.compared(tmp_path, book, ran, made)
    assert (ran.status, red.status, '-1\n+2' in red.detail) == ('passed', 'failed', True), (ran, red)
    assert outputs.store(book, made) == ['a1'] and outputs.code_cells(book)[0]['outputs'] == [printed('2\n')]
    assert jobs.compared(tmp_path, book, ran, made).status == 'passed'

def test_cells_that_were_not_run_are_not_compared(tmp_path):
    book = tmp_path/'a.ipynb'
    book.write_text(json.dumps({'cells': [cell(printed('1\n'))]}))
    assert outputs.differences(book, {}) == outputs.differences(book, {'a1': [printed('1\n')]}) == []
    assert outputs.differences(book, {'a1': []})[0].startswith('cell a1 (f()) stores an output')

def test_what_does_not_belong_in_an_output():
    bad = ['x.py:3: UserWarning: old', f'{ROOT}/nbs', str(Path.home()/'x'), '<Thing at 0x7f3a5c1d2e80>',
           '26/11/22 WARN Utils: x', "environ{'SHELL': '/bin/sh'}", "environ({'SHELL': '/bin/sh'})"]
    for text in bad: assert outputs.foreign(cell(printed(text)), ROOT), text
    assert outputs.foreign(cell(printed('x', 'stderr')), ROOT)
    for text in ('Redis is away', 'warning of a halt', '0x7f'):
        assert not outputs.foreign(cell(printed(text)), ROOT), text

FOLDERS = {p.name: p for p in (*sorted((ROOT/'nbs').iterdir()), ROOT/'tests'/'integration') if notebooks(p)}

@pytest.mark.parametrize('room', FOLDERS)
def test_a_room_shows_nothing_that_does_not_belong_there(room):
    wrong = [f'{p.relative_to(ROOT)} {c["id"]}: {line}' for p in notebooks(FOLDERS[room])
             for c in outputs.code_cells(p) if (line := outputs.foreign(c, ROOT))]
    assert not wrong, '\n'.join(wrong)
