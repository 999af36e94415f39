"No password has a default: not in the code, not in Compose, not in a script, not in `.env.example`."
import ast, re, subprocess, sys, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECRET = re.compile(r'pass(word|wd)|secret|api_?key|token|requirepass', re.I)
# NAME=value, name: value
PLAIN = re.compile(r'(?im)^[ \t-]*(?:export\s+)?([\w.-]*(?:password|passwd|secret|api_?key|token|requirepass)[\w.-]*)'
                   r'[ \t]*[=:][ \t]*["\']?([^\s"\'#]+)')
FALLBACK = re.compile(r'\$\{(\w*(?:PASSWORD|SECRET|KEY|TOKEN)\w*):?-([^}]+)\}') # ${NAME:-value}
# every Java's word for a store of public certificates; it protects nothing
REVIEWED = {('password', 'changeit'), ('trustStorePassword', 'changeit')}
HARMLESS = {'{}', '$value', '${FINNHUB_API_KEY:+held', '${FINNHUB_API_KEY:-}'}

def pairs_of(node): # [(name, node of the value)]
    if isinstance(node, ast.keyword) and node.arg: return [(node.arg, node.value)]
    if isinstance(node, ast.AnnAssign): return [(getattr(node.target, 'id', ''), node.value)]
    if isinstance(node, ast.Assign):
        names = (getattr(t, 'id', None) or getattr(t, 'attr', None) for t in node.targets)
        return [(name, node.value) for name in names if name]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        a = node.args
        plain = (a.posonlyargs + a.args)[len(a.posonlyargs + a.args) - len(a.defaults):]
        both = [*zip(plain, a.defaults, strict=True), *zip(a.kwonlyargs, a.kw_defaults, strict=True)]
        return [(arg.arg, default) for arg, default in both]
    return []

def texts(value): # what stands there, bare or within SecretStr
    if value is None: return
    calls = (o for o in ast.walk(value) if isinstance(o, ast.Call) and getattr(o.func, 'id', '') == 'SecretStr')
    for o in (value, *(call.args[0] for call in calls if call.args)):
        if isinstance(o, ast.Constant) and isinstance(o.value, str) and o.value: yield o.value

def constants(source): # (name, value): arguments, defaults and assignments that look like a secret with a value
    "What Python code gives to names that sound secret."
    for node in ast.walk(ast.parse(source)):
        for name, value in pairs_of(node):
            if SECRET.search(name): yield from ((name, text) for text in texts(value))

def said(text): # (name, value) in env files, YAML and scripts
    "What other files give to such names."
    plain = [(n, v) for n, v in PLAIN.findall(text) if v not in HARMLESS and not v.startswith(('${', '$(', '/', '<'))]
    return plain + FALLBACK.findall(text)

def test_the_patterns_see_what_they_forbid():
    field = 'POSTGRES_PASSWORD: SecretStr = Field(SecretStr({}))'.format
    for bad in ("f(password='x1')", "password = 'x1'", "def f(a, db_password='x1'): pass", field("'x1'"),
                "def f(a, *, token='x1', b=2): pass", "o.password = 'x1'"):
        assert list(constants(bad)), bad
    for fine in ("f(password=p)", "password = ''", "def f(password=''): pass", field("''"), "name = 'x1'"):
        assert not list(constants(fine)), fine
    for bad in ('POSTGRES_PASSWORD=x1', '  POSTGRES_PASSWORD: x1', 'P: ${REDIS_PASSWORD:-x1}', 'requirepass: x1'):
        assert said(bad), bad
    asked = 'POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?set it in .env}'
    for fine in ('POSTGRES_PASSWORD=', asked, 'FINNHUB_API_KEY: ${FINNHUB_API_KEY:-}'): assert not said(fine), fine

def test_no_module_has_a_default_password():
    found = [(p, *pair) for p in sorted((ROOT/'stock_pipeline').rglob('*.py')) for pair in constants(p.read_text())]
    wrong = [f'{p.relative_to(ROOT)}: {n}={v!r}' for p, n, v in found if (n, v) not in REVIEWED]
    assert not wrong, '\n'.join(wrong)

def test_no_file_beside_them_has_one():
    files = [ROOT/'docker-compose.yml', ROOT/'.env.example', *sorted((ROOT/'.github').rglob('*.yml')),
             *sorted(p for p in (ROOT/'docker').rglob('*') if p.is_file() and p.suffix != '.md')]
    wrong = [f'{p.relative_to(ROOT)}: {n}={v}' for p in files for n, v in said(p.read_text())]
    assert not wrong, '\n'.join(wrong)

def test_passwords_are_made_at_random():
    "Two homes never share one."
    code = '''
import sys
from pathlib import Path
from stock_pipeline.local.home import secret
print(secret(Path(sys.argv[1]), "postgres_owner"))
'''
    def made():
        with tempfile.TemporaryDirectory() as d:
            command = [sys.executable, '-c', code, d]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    one, other = made(), made()
    assert one != other and min(len(one), len(other)) >= 32
