"""What the notebooks show beside what they showed when they were run.

A cell that prints or shows something stores just that; `tests/refresh_outputs.py` puts it there. A cell whose ports,
times or speeds are never the same twice has the tag `varies`: of it only counts that something is shown.
tests/skip_budget.json says how many there may be. Of integration notebooks, whose figures hang on their parameters, no
more counts either.
"""
import copy, difflib, json, os, re, tempfile
from pathlib import Path

VARIES = 'varies'

def tags(cell): return cell.get('metadata', {}).get('tags', [])

def code_cells(path):
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    return [c for c in cells if c['cell_type'] == 'code']

def joined(text): return text if isinstance(text, str) else ''.join(text)

def as_stored(outputs):
    "As nbdev_clean leaves it in a notebook, without the log (stderr), whose times and threads are never the same."
    from nbdev.clean import clean_nb
    kept = []
    for o in (copy.deepcopy(dict(o)) for o in outputs if o.get('name') != 'stderr'):
        if kept and o['output_type'] == kept[-1]['output_type'] == 'stream': # printed in pieces
            kept[-1]['text'] = (joined(kept[-1]['text']) + joined(o['text'])).splitlines(True)
        else: kept.append(o)
    clean_nb({'cells': [{'source': '', 'metadata': {}, 'outputs': kept}], 'metadata': {}})
    return kept

def said(output): # [(type, content)]
    "One output as what counts of it: all of a text, the mere presence of a picture."
    if output['output_type'] == 'stream': return [(output['name'], joined(output['text']))]
    if output['output_type'] == 'error': return [('error', output['ename'])]
    is_text = lambda kind: kind.startswith('text/')
    return [(kind, joined(o) if is_text(kind) else 'a picture') for kind, o in sorted(output['data'].items())]

def shown(outputs):
    "What a cell shows, with printed texts in one piece."
    found = []
    for kind, content in (pair for o in outputs for pair in said(o)):
        if found and kind == found[-1][0] == 'stdout': found[-1] = (kind, found[-1][1] + content)
        else: found.append((kind, content))
    return [pair for pair in found if pair[1]]

def difference(cell, made, presence=False): # '' or what is wrong
    "Between what is stored in a cell and what it has just made; `presence`: only whether there is something."
    stored, new = shown(cell['outputs']), shown(made)
    if new and not stored: return f'shows something and stores nothing:\n{_as_text(new)}'
    if stored and not new: return f'stores an output and shows nothing:\n{_as_text(stored)}'
    if presence or VARIES in tags(cell) or stored == new: return ''
    old, now = (_as_text(o).splitlines() for o in (stored, new))
    lines = difflib.unified_diff(old, now, 'stored', 'shown now', lineterm='', n=1)
    return 'shows something else than it stores:\n' + '\n'.join(list(lines)[:20])

def _as_text(pairs):
    lines = (content if kind == 'stdout' else f'[{kind}] {content}' for kind, content in pairs)
    return '\n'.join(lines)[:2000]

def differences(path, made, presence=False): # made: {cell id: outputs} of the cells that were run
    "Every cell of a notebook whose stored output is not what the run made."
    found = [(c, difference(c, made[c['id']], presence)) for c in code_cells(path) if c['id'] in made]
    return [f'cell {c["id"]} ({_first_line(c)}) {what}' for c, what in found if what]

def _first_line(cell):
    lines = joined(cell['source']).splitlines()
    return next((line for line in lines if line.strip() and not line.startswith('#|')), '')

def refreshed(cell, made, varying=False): # the outputs to store
    "What a cell shows now; what is stored stays where no difference counts, so that no picture changes for nothing."
    foreign = any(o.get('name') == 'stderr' for o in cell['outputs'])
    if difference(cell, made) or foreign or (varying and VARIES in tags(cell)): return made
    return cell['outputs']

def store(path, made, varying=False): # ids of the cells whose outputs have changed
    "Put the outputs of a run into the notebook, in the form of nbdev_clean."
    from execnb.nbio import nb2str
    nb, changed = json.loads(path.read_text(encoding='utf-8')), []
    for cell in nb['cells']:
        if cell['cell_type'] != 'code' or cell['id'] not in made: continue
        new = refreshed(cell, made[cell['id']], varying)
        if new != cell['outputs']: changed.append(cell['id'])
        cell['outputs'] = new
    if changed: path.write_text(nb2str(nb), encoding='utf-8')
    return changed

def foreign(cell, root): # '' or the line that does not belong there
    "Warnings, the log, paths of this machine, its environment and addresses in memory are no output."
    if any(o.get('name') == 'stderr' for o in cell['outputs']): return 'the log (stderr)'
    places = '|'.join(re.escape(str(p)) for p in (root, Path.home(), *filter(None, [os.environ.get('VIRTUAL_ENV')])))
    temporary = re.escape(tempfile.gettempdir()) + r'/(?:tmp|sp-|stock-pipeline-)\w*'
    wrong = re.compile(rf'\w*Warning\b|\bWARN\b|(?:{places})(?:/|\b)|{temporary}|\b0x7[0-9a-f]{{9,}}|\benviron\(?{{')
    lines = [line for _, content in shown(cell['outputs']) for line in content.splitlines()]
    return next((line[:200] for line in lines if wrong.search(line)), '')
