"""``python -m tests.fuzz``: every parser for some seconds, or a number of files of one."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.drive import by_number, by_time, made
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Print figures and failures; 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--count", type=int, help="edited files of each, the same every time")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each, drawn by hypothesis (without --count)")
    parser.add_argument("--seed", type=int, default=0, help="of the files by number")
    parser.add_argument("--first", type=int, default=0, help="the number of the first file")
    parser.add_argument("--show", type=int, metavar="NUMBER", help="print this file, and end")
    options = parser.parse_args()
    if unknown := {*options.targets} - {*TARGETS}:
        parser.error(f"there is no target {', '.join(unknown)}")
    failed = False
    for target in [TARGETS[name] for name in options.targets or TARGETS]:
        if options.show is not None:
            sys.stdout.buffer.write(made(target, options.seed, options.show))
            continue
        if options.count is not None:
            figures = by_number(target, options.count, options.seed, options.first)
        else:
            figures = by_time(target, options.seconds)
        print(figures, flush=True)
        for failure in figures.failures[:20]:
            print(f"  {failure}", flush=True)
        failed = failed or bool(figures.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
