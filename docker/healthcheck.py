"Is the service of this container healthy? One line why, exit status 0 or 1. Standard library only: it costs little."
import json, os, sys, time, urllib.request
from pathlib import Path

STALE = 30  # seconds without a heartbeat
PATIENCE = 120  # seconds for the first batch
WELL = {"running", "replay finished"}  # of the states that producer and job report


def running_for(pid: int) -> float:
    "Seconds since a process of this container started."
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def heartbeat(name: str) -> str:
    "The service replaces `run/<name>.json` about once a second; an old one means that it hangs."
    path = Path(os.environ.get("STOCK_PIPELINE_HOME", "/app/data"), "run", f"{name}.json")
    age = time.time() - path.stat().st_mtime
    if age > STALE: raise RuntimeError(f"heartbeat {age:.0f} s old")
    beat = json.loads(path.read_text())
    if beat["state"] not in WELL: raise RuntimeError(beat["state"])
    # a job is well once it has stored something, or when it has waited so long that there is nothing to store
    if beat.get("batch_id", 0) < 0 and running_for(beat["pid"]) < PATIENCE: raise RuntimeError("no batch yet")
    return beat["state"]


def page() -> str:
    port = os.environ.get("DASHBOARD_PORT", "8501")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=3) as answer:
        return answer.read().decode()


if __name__ == "__main__":
    name = sys.argv[1]
    try: print(f"{name}: {page() if name == 'dashboard' else heartbeat(name)}")
    except Exception as e: sys.exit(f"{name}: {e}")
