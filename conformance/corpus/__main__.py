"""``python -m conformance.corpus NAME...``: writes generated case files anew, those of ``FILES`` that are named.

``specials`` has no expected values then: ``conformance fill`` adds them.
"""

from __future__ import annotations

import sys

from conformance.corpus.arrays import FILES
from conformance.places import CASES

if __name__ == "__main__":
    for name in sys.argv[1:]:
        (CASES / FILES[name].path).write_text(FILES[name].text(), encoding="utf-8", newline="\n")
