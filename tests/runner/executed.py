"""Run one notebook in this process as `nbdev_test` does and write down what each of its cells showed.

    python tests/runner/executed.py NOTEBOOK ROOT OUTPUTS.json

OUTPUTS.json becomes {cell id: outputs as nbdev_clean leaves them}, of all cells that were run. Exit status 1: a cell
failed.
"""
import json, sys
from pathlib import Path

import nbdev.test
from outputs import as_stored

class RecordingShell(nbdev.test.CaptureShell):
    "The shell of `nbdev_test`, which also keeps the outputs."
    made = {}

    def cell(self, cell, **kwargs):
        if cell.cell_type != 'code': return
        cell.outputs = [] # what is stored in the notebook must not pass for what the run made
        super().cell(cell, **kwargs)
        self.made[cell.id] = as_stored(cell.outputs)

def main(path, root, out):
    nbdev.test.CaptureShell = RecordingShell
    done, _ = nbdev.test.test_nb(Path(path), skip_flags=['notest'], basepath=root)
    Path(out).write_text(json.dumps(RecordingShell.made), encoding='utf-8')
    return int(not done)

if __name__ == '__main__':
    del sys.path[0] # this folder holds modules of the runner, which a notebook must not find
    sys.exit(main(*sys.argv[1:]))
