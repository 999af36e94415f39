"""Is the service of this container healthy? One line why, exit status 0 or 1.

A producer and a job are healthy while their heartbeat says that their work goes through, the page while it answers.
What is imported needs the standard library only: a check costs milliseconds.
"""
import os, sys, urllib.request
from pathlib import Path

from stock_pipeline.core.heartbeat import beat_path, read_beat

PATIENCE = 120  # seconds for the first batch


def running_for(pid: int) -> float:
    "Seconds since a process of this container started."
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def service(name: str) -> str:
    "The state of a service that is well; raises RuntimeError for any other."
    beat = read_beat(beat_path(Path(os.environ.get("STOCK_PIPELINE_HOME", "/app/data")), name))
    if beat is None: raise RuntimeError("no heartbeat")
    if beat.is_stale: raise RuntimeError(f"heartbeat {beat.age_s:.0f} s old")
    if not beat.is_well: raise RuntimeError(beat.state)
    # a job is well once it has stored something, or when it has waited so long that there is nothing to store
    has_none = beat.facts.get("batch_id", 0) < 0
    if has_none and running_for(beat.facts["pid"]) < PATIENCE: raise RuntimeError("no batch yet")
    return beat.state


def page() -> str:
    "What the dashboard answers."
    port = os.environ.get("DASHBOARD_PORT", "8501")
    address = f"http://127.0.0.1:{port}/_stcore/health"
    with urllib.request.urlopen(address, timeout=3) as answer: return answer.read().decode()


if __name__ == "__main__":
    name = sys.argv[1]
    try: print(f"{name}: {page() if name == 'dashboard' else service(name)}")
    except Exception as e: sys.exit(f"{name}: {e}")
