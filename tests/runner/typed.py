"""What a type checker sees: each method that `@patch` adds stands in its class.

mypy does not know what fastcore's `@patch` does. So it reads a copy of the package in which the methods are moved, as
text, into the class of the same module; what it finds there is told with the lines of the modules themselves. An
attribute that begins as None and is filled later may be anything, unless its class says more.
"""
import ast, re
from pathlib import Path

def patch_of(function): # the decorator; None: not patched
    "`@patch` or `@patch(...)` of a function."
    names = ((d, getattr(d.func if isinstance(d, ast.Call) else d, 'id', '')) for d in function.decorator_list)
    return next((d for d, name in names if name == 'patch'), None)

def patched(tree): # [(function, name of the class)]
    "The functions of a module that `@patch` adds to a class."
    functions = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and patch_of(n)]
    return [(f, ast.unparse(f.args.args[0].annotation)) for f in functions]

def moved(text): # [(line, its number in the module; 0: of no line)]
    "The module with patched functions inside their classes."
    tree, lines = ast.parse(text), text.splitlines()
    classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    ends = {name: n.end_lineno for name, n in classes.items()}
    numbered = [(line, i) for i, line in enumerate(lines, 1)]
    declared = lambda n: [(f'    {name}: "__typing.Any"', n.lineno) for name in filled_later(n)]
    methods = {n.end_lineno: declared(n) for n in classes.values()}
    gone = set()
    for function, name in patched(tree):
        if name not in ends: continue
        first = min(d.lineno for d in function.decorator_list)
        methods.setdefault(ends[name], []).extend(as_method(function, numbered))
        gone |= set(range(first, function.end_lineno + 1))
    start = next((n.lineno for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))), 0)
    out = []
    for line, i in numbered:
        if i not in gone: out.append((line, i))
        if i == start: out.append(('import typing as __typing', i))
        out += methods.get(i, [])
    return out

def filled_later(tree): # names of attributes
    "What the methods of a class set to None and the class does not annotate."
    annotated = {ast.unparse(n.target).removeprefix('self.') for n in ast.walk(tree) if isinstance(n, ast.AnnAssign)}
    found = set()
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.Assign)):
        for target in node.targets: found |= {a for a, value in pairs(target, node.value) if is_none(value)}
    return sorted(found - annotated)

def is_none(node): return isinstance(node, ast.Constant) and node.value is None

def pairs(target, value): # (attribute of self, what it becomes)
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for t, v in zip(target.elts, value.elts, strict=True): yield from pairs(t, v)
    elif isinstance(target, ast.Attribute) and getattr(target.value, 'id', '') == 'self': yield target.attr, value

def as_method(function, numbered):
    "The lines of a function, one level deeper, with what Python itself calls the decorator."
    patch = patch_of(function)
    kind = {k.arg: 'property' if k.arg == 'as_prop' else 'classmethod' for k in getattr(patch, 'keywords', [])}
    words = [(f'    @{word}', patch.lineno) for word in kind.values()]
    first = min(d.lineno for d in function.decorator_list)
    inside = within_strings(function)
    lines = (pair for pair in numbered[first - 1:function.end_lineno] if pair[1] != patch.lineno)
    body = [(line if i in inside else f'    {line}', i) for line, i in lines]
    return words + body

def within_strings(node): # numbers of lines
    "Lines that begin inside a text of several lines: to indent one would change the text."
    texts = (n for n in ast.walk(node) if isinstance(n, (ast.Constant, ast.JoinedStr)) and n.end_lineno > n.lineno)
    return {i for n in texts for i in range(n.lineno + 1, n.end_lineno + 1)}

def copy_package(package, into): # {path of the copy: numbers of the lines in the module}
    "Write the copy that mypy reads."
    numbers = {}
    for path in sorted(package.rglob('*.py')):
        if path.name == '_modidx.py': continue
        target = into/path.relative_to(package.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = moved(path.read_text(encoding='utf-8'))
        target.write_text('\n'.join(line for line, _ in lines) + '\n', encoding='utf-8')
        numbers[str(target.relative_to(into))] = [i for _, i in lines]
    return numbers

def told(output, numbers): # [(path, line in the module, message)]
    "The errors of mypy with the lines of the modules."
    found = (re.match(r'([^:]+):(\d+): error: (.*)', line) for line in output.splitlines())
    return [(Path(m[1]), numbers[m[1]][int(m[2]) - 1], m[3]) for m in found if m]
