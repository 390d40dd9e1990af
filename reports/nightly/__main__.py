"""``python -m conformance.reports.nightly STEP``."""

from __future__ import annotations

import sys

from conformance.reports.nightly.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
