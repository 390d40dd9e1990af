from __future__ import annotations

import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # so that the fake backends can be imported, here and in the processes started from here
    sys.path.insert(0, HERE)
