"`.env.example` is what the settings say, and no secret has a default."
from pathlib import Path

from stock_pipeline.core.config import env_example, load_settings, secret_names

ROOT = Path(__file__).resolve().parent.parent

def test_env_example_is_in_step():
    assert (ROOT/'.env.example').read_text().strip() == env_example().strip()

def test_env_example_is_a_valid_env_file(monkeypatch):
    for line in env_example().splitlines():
        if '=' in line and not line.startswith('#'): monkeypatch.delenv(line.split('=')[0], raising=False)
    assert load_settings(ROOT/'.env.example') == load_settings(None)

def test_secrets_have_no_default():
    values = dict(line.split('=', 1) for line in env_example().splitlines() if '=' in line and not line.startswith('#'))
    assert {name for name in secret_names() if values[name]} == {'REDIS_URL'} and '@' not in values['REDIS_URL']
