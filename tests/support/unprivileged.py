"""Root as anybody else: without the right to read and write what permissions refuse.

``python -m tests.support.unprivileged WORD...`` becomes ``python WORD...`` with the permissions that files state. A
process of its own drops the right: one that has threads, as a worker of pytest has after JAX, must not fork to do so.
"""

from __future__ import annotations

import ctypes
import os
import sys

UNPRIVILEGED = ("-m", "tests.support.unprivileged")
_DROP_FROM_BOUNDING_SET = 24  # PR_CAPBSET_DROP of Linux
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2


def main() -> None:
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for each in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            libc.prctl(_DROP_FROM_BOUNDING_SET, each, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


if __name__ == "__main__":
    main()
