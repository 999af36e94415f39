"Renders nbs/index.ipynb to README.md with nbdev's own processors and nbconvert: no Quarto needed."
import json, os, re
from pathlib import Path

def render(root:Path) -> str: # text of README.md
    "Front matter becomes a heading again, hidden cells go, and what lies in nbs/ is linked from the top."
    import nbformat
    from execnb.nbio import nb2dict, read_nb
    from nbconvert import MarkdownExporter
    from nbdev.processors import FilterDefaults
    class Readme(FilterDefaults):
        "All of nbdev's processors but the links to a documentation site, which are for that site."
        def procs(self): return [p for p in super().procs() if p.__name__ not in ('add_links', 'insert_warning')]
    here, os.environ['IN_TEST'] = os.getcwd(), '1'
    try:
        os.chdir(root/'nbs')
        nb = read_nb('index.ipynb')
        Readme()(nb)
    finally: os.chdir(here); del os.environ['IN_TEST']
    fm = nb.frontmatter_
    nb.cells = [c for c in nb.cells if c.cell_type != 'raw' and (c.source or '').strip()]
    body, resources = MarkdownExporter().from_notebook_node(nbformat.reads(json.dumps(nb2dict(nb)), as_version=4))
    if resources.get('outputs'):
        advice = 'save it under nbs/images and show it with ![…](images/…)'
        raise ValueError(f'index.ipynb holds a picture as output: {advice}')
    top = f'# {fm["title"]}\n\n' + (f'> {fm["description"]}\n\n' if fm.get('description') else '')
    note = '<!-- Written by tests/render_readme.py from nbs/index.ipynb: edit that. -->\n\n'
    return note + top + _with_proofs(_from_top(body, root), root).strip() + '\n'

def _with_proofs(text, root):
    "What the last recorded runs found, in the places that the notebook leaves for it."
    from stock_pipeline.prove import proof
    for name, words in (('prove', proof.prove_words), ('fuzz', proof.fuzz_words)):
        place = f'{{{{{name}}}}}'
        if text.count(place) != 1: raise ValueError(f'index.ipynb has no place {place}, or several')
        text = text.replace(place, words(proof.read_record(name, root)))
    return text

def _from_top(text, root):
    "Relative targets that exist in nbs/ get that folder; ../ goes."
    def fix(m):
        target = m[2]
        if re.match(r'[a-z]+:|#|/', target): return m[0]
        if target.startswith('../'): return f'{m[1]}({target[3:]}'
        return f'{m[1]}(nbs/{target}' if (root/'nbs'/target.split('#')[0]).exists() else m[0]
    return re.sub(r'(\])\(([^)\s]+)', fix, text)
