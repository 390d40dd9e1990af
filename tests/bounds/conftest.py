from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
for place in (str(HERE), str(HERE.parent / "oracle")):  # the adversaries here, and how problems are made
    if place not in sys.path:
        sys.path.insert(0, place)
