"""Prints how runs grow: ``python -m tests.scale [SECTION ...] [--write FILE]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.overhead.measure import fixed_cost
from tests.scale import fleet, measure
from tests.support.figures import print_figures


def main(arguments: list[str]) -> None:
    """Measure the named sections (all by default) and print them as a Markdown table."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        sections = {
            "workers": lambda: fixed_cost(folder),
            "dask": lambda: fixed_cost(folder, executor=("--executor", "dask"), asked=1.7),
            "dispatch": lambda: measure.dispatch(folder),
            "cases": lambda: measure.many_cases(folder),
            "shards": lambda: measure.shards(folder),
            "killed": lambda: measure.killed_workers(folder),
            "fleet": fleet.figures,
        }
        print_figures("How runs grow", "tox run -e scale", sections, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
