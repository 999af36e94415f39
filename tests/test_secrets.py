"No password has a default: not in the code, not in Compose, not in a script, not in `.env.example`."
import ast, re, subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECRET = re.compile(r'pass(word|wd)|secret|api_?key|token|requirepass', re.I)
PLAIN = re.compile(r'(?im)^[ \t-]*(?:export\s+)?([\w.-]*(?:password|passwd|secret|api_?key|token|requirepass)[\w.-]*)[ \t]*[=:][ \t]*["\']?([^\s"\'#]+)') # NAME=value, name: value
FALLBACK = re.compile(r'\$\{(\w*(?:PASSWORD|SECRET|KEY|TOKEN)\w*):?-([^}]+)\}') # ${NAME:-value}
REVIEWED = {('password', 'changeit')} # every Java's word for a store of public certificates; it protects nothing
HARMLESS = {'{}', '$value', '${FINNHUB_API_KEY:+held', '${FINNHUB_API_KEY:-}'}

def constants(source): # (name, value): arguments, defaults and assignments that look like a secret with a value
    "What Python code gives to names that sound secret."
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg: pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.Assign): pairs = [(t.id if isinstance(t, ast.Name) else t.attr, node.value) for t in node.targets if isinstance(t, (ast.Name, ast.Attribute))]
        elif isinstance(node, ast.AnnAssign): pairs = [(getattr(node.target, 'id', ''), node.value)]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            a = node.args
            pairs = [(x.arg, d) for x, d in [*zip((a.posonlyargs + a.args)[::-1], a.defaults[::-1]), *zip(a.kwonlyargs, a.kw_defaults)]]
        else: continue
        for name, value in pairs:
            masked = [o.args[0] for o in ast.walk(value) if isinstance(o, ast.Call) and getattr(o.func, 'id', '') == 'SecretStr' and o.args] if value else []
            if SECRET.search(name): yield from ((name, o.value) for o in [value, *masked] if isinstance(o, ast.Constant) and isinstance(o.value, str) and o.value)

def said(text): # (name, value) in env files, YAML and scripts
    "What other files give to such names."
    return [(n, v) for n, v in PLAIN.findall(text) if v not in HARMLESS and not v.startswith(('${', '$(', '/', '<'))] + [(n, v) for n, v in FALLBACK.findall(text)]

def test_the_patterns_see_what_they_forbid():
    for bad in ("f(password='x1')", "password = 'x1'", "def f(a, db_password='x1'): pass", "POSTGRES_PASSWORD: SecretStr = Field(SecretStr('x1'))"): assert list(constants(bad)), bad
    for fine in ("f(password=p)", "password = ''", "def f(password=''): pass", "x: SecretStr = Field(SecretStr(''))", "name = 'x1'"): assert not list(constants(fine)), fine
    for bad in ('POSTGRES_PASSWORD=x1', '  POSTGRES_PASSWORD: x1', 'P: ${REDIS_PASSWORD:-x1}', 'requirepass: x1'): assert said(bad), bad
    for fine in ('POSTGRES_PASSWORD=', 'POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?run docker/init-env}', 'FINNHUB_API_KEY: ${FINNHUB_API_KEY:-}'): assert not said(fine), fine

def test_no_module_has_a_default_password():
    wrong = [f'{p.relative_to(ROOT)}: {n}={v!r}' for p in sorted((ROOT/'stock_pipeline').rglob('*.py')) for n, v in constants(p.read_text()) if (n, v) not in REVIEWED]
    assert not wrong, '\n'.join(wrong)

def test_no_file_beside_them_has_one():
    files = [ROOT/'docker-compose.yml', ROOT/'.env.example', *sorted(p for p in (ROOT/'docker').rglob('*') if p.is_file() and p.suffix != '.md'), *sorted((ROOT/'.github').rglob('*.yml'))]
    wrong = [f'{p.relative_to(ROOT)}: {n}={v}' for p in files for n, v in said(p.read_text())]
    assert not wrong, '\n'.join(wrong)

def test_passwords_are_made_at_random():
    "Two homes never share one."
    code = 'import sys; from pathlib import Path; from stock_pipeline.local.home import secret; print(secret(Path(sys.argv[1]), "postgres_owner"))'
    import sys, tempfile
    made = set()
    for _ in range(2):
        with tempfile.TemporaryDirectory() as d: made.add(subprocess.run([sys.executable, '-c', code, d], capture_output=True, text=True, check=True).stdout.strip())
    assert len(made) == 2 and all(len(o) >= 32 for o in made)
