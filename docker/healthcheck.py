"""Is the service of this container healthy? One line why, exit status 0 or 1. Standard library only: it costs milliseconds."""
import json, os, sys, time, urllib.request
from pathlib import Path

STALE = 30  # seconds
WELL = {"running", "replay finished"}  # of the states that producer and job report


def heartbeat(name: str) -> str:
    "The service replaces `run/<name>.json` about once a second; an old one means that it hangs."
    path = Path(os.environ.get("STOCK_PIPELINE_HOME", "/app/data"), "run", f"{name}.json")
    age = time.time() - path.stat().st_mtime
    if age > STALE: raise RuntimeError(f"heartbeat {age:.0f} s old")
    state = json.loads(path.read_text())["state"]
    if state not in WELL: raise RuntimeError(state)
    return state


def page() -> str:
    port = os.environ.get("DASHBOARD_PORT", "8501")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=3) as answer: return answer.read().decode()


if __name__ == "__main__":
    name = sys.argv[1]
    try: print(f"{name}: {page() if name == 'dashboard' else heartbeat(name)}")
    except Exception as e: sys.exit(f"{name}: {e}")
