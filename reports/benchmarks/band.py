"""Store a machine's dead band, of two runs of identical code.

``python -m conformance.reports.benchmarks.band OLD NEW``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.model.errors import HarnessError, UsageError
from conformance.plain import on_terminal
from conformance.reports.benchmarks.comparison.band import write_band
from conformance.reports.benchmarks.comparison.calibrate import band_from
from conformance.reports.benchmarks.read import read_benchmarks

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Store the dead band from two runs of identical code."""
    parser = argparse.ArgumentParser(prog="python -m conformance.reports.benchmarks.band", description=main.__doc__)
    parser.add_argument("old", type=Path, help="a run's folder, or its benchmarks.json")
    parser.add_argument("new", type=Path, help="another run of the same code on the same machine")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to store it; under results/aa by default")
    options = parser.parse_args(arguments)
    try:
        band = band_from(read_benchmarks(options.old), read_benchmarks(options.new))
        path = write_band(band, options.output)
    except (UsageError, HarnessError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, UsageError) else 3
    sys.stdout.write(f"{on_terminal(band.says())}\nstored: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
