"`.env.example` is what the settings say, and no secret has a default."
from pathlib import Path

from stock_pipeline.core.config import env_example, load_settings

ROOT = Path(__file__).resolve().parent.parent

def test_env_example_is_in_step():
    assert (ROOT/'.env.example').read_text().strip() == env_example().strip()

def test_env_example_is_a_valid_env_file(monkeypatch):
    for line in env_example().splitlines():
        if '=' in line and not line.startswith('#'): monkeypatch.delenv(line.split('=')[0], raising=False)
    assert load_settings(ROOT/'.env.example') == load_settings(None)

def test_secrets_have_no_default():
    lines = [line for line in env_example().splitlines() if line.startswith(('FINNHUB_API_KEY=', 'POSTGRES_PASSWORD='))]
    assert lines == ['FINNHUB_API_KEY=', 'POSTGRES_PASSWORD=']
