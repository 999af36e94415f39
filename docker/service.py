"""What our containers start: service.py HEARTBEAT COMMAND...

Runs the command, hands signals on to it, and ends it when its heartbeat says that it hangs, so that Docker starts it
again.
"""
import sys

from stock_pipeline.run.watch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
