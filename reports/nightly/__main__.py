"""``python -m reports.nightly STEP``."""

from __future__ import annotations

import sys

from reports.nightly.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
