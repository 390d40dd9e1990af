"""Prints the harness's own cost: ``python -m tests.overhead [SECTION ...] [--write FILE]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.overhead import measure
from tests.support.figures import print_figures

NOTES = """\
**A check** is what one more case adds to a run that is under way with a worker on each core, of
which each asks and judges in turn. Both its parts are the run's own seconds, in which all workers
do something: of processor time they are as often as much as there are workers. The cases have been
read before, by one process and once for all backends, which has a line of its own.

A fifth of the harness's part is the second call of a check, by which its result is known to repeat:
a request of its own, like the first one and later, so that no backend can tell it from any other. A
tenth is to write to every result and to read it again eight calls later, so that a call which
overwrites another one's result is found out.
"""


def main(arguments: list[str]) -> None:
    """Measure the named sections (all by default) and print them as a Markdown table."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        sections = {
            "startup": lambda: measure.startup(folder),
            "check": lambda: measure.check_time(folder),
            "oracle": measure.oracle_speed,
            "scaling": lambda: measure.scaling(folder),
            "workers": lambda: measure.workers(folder),
            "run": lambda: measure.default_run(folder),
        }
        print_figures("What the harness costs", "tox run -e overhead", sections, arguments, NOTES)


if __name__ == "__main__":
    main(sys.argv[1:])
