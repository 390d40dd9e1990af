from __future__ import annotations

import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # so that the tests beside this file can import what they share
    sys.path.insert(0, HERE)
