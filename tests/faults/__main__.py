"""``python -m tests.faults``: every kind of fault in a run of its own, then the runs that are killed; prints figures.

Exits with 1 where something is not as it must be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.kills import Killed, killed_runs
from tests.faults.table import KINDS
from tests.faults.trial import Trial, trial, trial_of_wholes
from tests.faults.whole import WHOLE

GROUPS = {
    "alive": "the process lives on",
    "state": "something global is changed",
    "alone": "something global is changed that hurts",
    "later": "a call leaves something behind that hurts others",
    "memory": "memory is taken without end",
    "torch": "something global of PyTorch's is changed",
    "deaths": "the process ends",
    "hangs": "a call does not come back",
    "whole": "the backend is wrong as a whole",
}


def main() -> int:
    """Run what the arguments ask for, print the table of figures and what is wrong; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", help="kinds by parts of their names; without any, all, and the kills")
    parser.add_argument("--kills", type=int, default=100, help="SIGKILLs (default: %(default)s)")
    parser.add_argument("--terms", type=int, default=20, help="SIGTERMs (default: %(default)s)")
    parser.add_argument(
        "--cases", type=int, default=300, help="cases of the runs that are killed (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the times at which they are (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time (default: %(default)s)")
    asked = parser.parse_args()
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tests-faults-") as folder:
        figures = _kinds(Path(folder), asked.names, asked.jobs, problems)
        killed = None
        if not asked.names:
            print(f"ending runs: {asked.kills} SIGKILLs, {asked.terms} SIGTERMs", file=sys.stderr)
            killed = killed_runs(Path(folder, "killed"), asked.kills, asked.terms, cases=asked.cases, seed=asked.seed)
            problems += killed.problems
    Console(width=100).print(_table(figures, killed))
    for each in problems:
        print(each)
    return 1 if problems else 0


def _kinds(folder: Path, names: list[str], jobs: int, problems: list[str]) -> dict[str, tuple[int, int, float]]:
    """By group: how many kinds, how many of them right, and the seconds that they took."""
    todo: list[tuple[str, str, Callable[[], Trial]]] = []
    for place, each in enumerate(KINDS):
        todo.append((each.group, each.name, partial(trial, [each], folder / f"kind-{place}")))
    for place, whole in enumerate(WHOLE):
        todo.append(("whole", whole.name, partial(trial_of_wholes, [whole], folder / f"whole-{place}")))
    todo = [each for each in todo if not names or any(name in each[1] for name in names)]
    count: Counter[str] = Counter()
    right: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    with ThreadPoolExecutor(jobs) as pool:
        for (group, name, _), done in zip(todo, pool.map(lambda each: each[2](), todo), strict=True):
            count[group] += 1
            right[group] += not done.problems
            seconds[group] += done.seconds  # type: ignore[assignment]
            found = "; ".join(text for _, text in done.problems)
            problems += [f"{name}: {found}"] if found else []
            print(f"{time.strftime('%H:%M:%S')} {group}: {name}: {found or 'right'}", file=sys.stderr)
    return {group: (count[group], right[group], seconds[group]) for group in GROUPS if count[group]}


def _table(figures: dict[str, tuple[int, int, float]], killed: Killed | None) -> Table:
    table = Table("what goes wrong", "kinds", "right", "seconds each", title="faults of backends")
    for group, (count, right, seconds) in figures.items():
        table.add_row(GROUPS[group], str(count), str(right), f"{seconds / count:.1f}")
    rows = list(figures.values())
    table.add_section()
    table.add_row("all", str(sum(each[0] for each in rows)), str(sum(each[1] for each in rows)), "")
    if killed is not None:
        table.add_section()
        ended = ", ".join(f"{count} by {name}" for name, count in sorted(killed.signals.items()))
        equal = killed.resumed - len({each.partition(":")[0] for each in killed.problems if each.startswith("broken")})
        table.add_row(f"runs ended {ended}, and resumed", str(killed.resumed), str(equal), "")
    return table


if __name__ == "__main__":
    sys.exit(main())
