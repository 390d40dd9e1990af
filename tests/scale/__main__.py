"""Prints how runs grow: ``python -m tests.scale [SECTION ...] [--write FILE]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.overhead.measure import fixed_cost
from tests.scale import fleet, measure
from tests.support.figures import print_figures

NOTES = """\
**Two workers.** Whole processes, from `conformance run` to its end, one worker and two in turn: the
start of the cluster, and its end, are in these seconds. Locally it is the shorter of two runs each,
over Dask one run, twice as long. Each call of the backend takes the processor for 5 ms, and a
worker waits for it, so that two workers fill two cores; what conducts, and Dask's scheduler in it,
run beside them.

**Dispatch.** What a task takes longer with an executor that has one worker than done on the spot,
with the worker and its backend up, the shortest of three turns: sent out, received, begun, and its
results returned. A unit is a case in one dtype and layout; what a task takes is divided by the
units that a task of a run of all cases has on average.

**Cases.** Each count is a run of its own process. Its memory is that of the process that conducts,
which reads all cases and writes all results; those that judge hold one chunk of cases at a time.

**Shards.** Divided by the seconds that one run has recorded, and measured by those of a second one.

**The fleet** is simulated: the run's own executor, Dask's own scheduler, and workers that wait, all
in one process.
"""


def main(arguments: list[str]) -> None:
    """Measure the named sections (all by default) and print them as a Markdown table."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        sections = {
            "workers": lambda: fixed_cost(folder),
            "dask": lambda: fixed_cost(folder, rounds=1, executor=("--executor", "dask"), asked=1.7, count=4000),
            "dispatch": lambda: measure.dispatch(folder),
            "cases": lambda: measure.many_cases(folder),
            "shards": lambda: measure.shards(folder),
            "killed": lambda: measure.killed_workers(folder),
            "fleet": fleet.figures,
        }
        print_figures("How runs grow", "tox run -e scale", sections, arguments, NOTES)


if __name__ == "__main__":
    main(sys.argv[1:])
