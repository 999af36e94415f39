"Writes README.md from nbs/index.ipynb."
import sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tests'))
from runner.readme import render

(root/'README.md').write_text(render(root), encoding='utf-8')
