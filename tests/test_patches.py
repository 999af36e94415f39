"`@patch` adds to a class of its own module only: what belongs to a class is found where the class is."
import ast
from pathlib import Path

from runner.typed import patched

ROOT = Path(__file__).resolve().parent.parent

def strangers(text): # [(function, class)]
    "What a module adds to classes of other modules."
    tree = ast.parse(text)
    own = {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
    return [(f.name, name) for f, name in patched(tree) if name not in own]

def test_a_stranger_is_seen():
    text = 'class A: pass\n@patch\ndef f(self:A): pass\n@patch(as_prop=True)\ndef g(self:B): pass'
    assert strangers(text) == [('g', 'B')]

def test_no_module_adds_to_a_class_of_another():
    modules = sorted(p for p in (ROOT/'stock_pipeline').rglob('*.py') if p.name != '_modidx.py')
    found = [(p, f, name) for p in modules for f, name in strangers(p.read_text(encoding='utf-8'))]
    wrong = [f'{p.relative_to(ROOT)}: {name}.{f}' for p, f, name in found]
    assert not wrong, '\n'.join(wrong)
