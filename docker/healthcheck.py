"""Is the service of this container well? One line why, exit status 0 or 1.

healthcheck.py HEARTBEAT [SECONDS]: the file where the service says how it is, and for how long its work may wait.
The rule is that of `stock-pipeline status`, `doctor` and the page. It needs the standard library only, so a check costs
milliseconds.
"""
import sys
from pathlib import Path

from stock_pipeline.core.health import health
from stock_pipeline.core.heartbeat import read_beat

if __name__ == "__main__":
    path, *patience = sys.argv[1:]
    found = health(read_beat(Path(path)), *map(float, patience))
    line = f"{Path(path).stem}: {found.why}"
    sys.exit(print(line) if found.is_well else line)
