"""``python -m tests.yardstick [score|matrix] [--wrong FILE]``: the mutation score, and what follows from it.

score   what kills each wrong backend first, and whether what is right passes every case
matrix  every kill: writes docs/kill-matrix.md, docs/kill-matrix-cases.md, and cases/quick.yaml, the selection that
        `conformance run --quick` takes

Progress goes to standard error, the counts to standard output. Exits with 1 where a wrong backend survives or a right
one fails; with --wrong the wrong backends are the classes of a file, and nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.model.wording import message
from conformance.places import QUICK, ROOT
from tests.yardstick import cover, matrix
from tests.yardstick.pool import in_parallel
from tests.yardstick.registry import Kind, right_backends, suite, title, wrong_backends

DOCS = ROOT / "docs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.yardstick", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", default="score", choices=("score", "matrix"))
    parser.add_argument("--wrong", type=Path, metavar="FILE", help="wrong backends of your own")
    parser.add_argument("--alone", action="store_true", help="the wrong backends only: no false alarms are looked for")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes; the number of cores by default")
    asked = parser.parse_args(arguments)
    right = [] if asked.wrong or asked.alone else right_backends()
    wrong = wrong_backends(asked.wrong)
    jobs = [("unwanted", right), ("first_kills" if asked.what == "score" else "every_kill", wrong)]
    found = in_parallel([job for job in jobs if job[1]], asked.jobs)
    unwanted = {kind: seen for name, part in found if name == "unwanted" for kind, seen in part.items()}
    unsorted = {kind: kills for name, part in found if name != "unwanted" for kind, kills in part.items()}
    kills = {title(kind): unsorted[title(kind)] for kind in wrong if title(kind) in unsorted}
    if asked.what == "matrix" and not asked.wrong:
        _write(kills, wrong)
    survivors = [kind for kind in wrong if not kills.get(title(kind))]
    _print(right, unwanted, wrong, survivors)
    return 1 if survivors or any(unwanted.values()) else 0


def _write(kills: matrix.Kills, wrong: Sequence[Kind]) -> None:
    entries = suite()
    QUICK.write_text(cover.render(cover.choose(kills, entries)), encoding="utf-8")
    (DOCS / "kill-matrix.md").write_text(matrix.render_backends(kills, wrong, entries), encoding="utf-8")
    (DOCS / matrix.CASES_PAGE).write_text(matrix.render_cases(kills, entries), encoding="utf-8")


def _print(
    right: Sequence[Kind], unwanted: Mapping[str, list[Any]], wrong: Sequence[Kind], survivors: Sequence[Kind]
) -> None:
    for name, outcomes in unwanted.items():
        for outcome in outcomes[:5]:
            print(f"false alarm: {name}: {outcome.case}, {outcome.dtype}, {outcome.check}: {message(outcome)}")
    for kind in survivors:
        print(f"survives: {title(kind)}: {' '.join((kind.__doc__ or '').split())}")
    counts = Counter(title(kind).partition(".")[0] for kind in wrong)
    alive = Counter(title(kind).partition(".")[0] for kind in survivors)
    for module, count in counts.items():
        print(f"{module:<20} {count - alive[module]:>4} of {count:>4} killed")
    killed = len(wrong) - len(survivors)
    print(f"mutation score: {killed} of {len(wrong)} ({100 * killed / max(len(wrong), 1):.1f} %)")
    print(f"false alarms: {sum(1 for each in unwanted.values() if each)} of {len(right)} right backends")


if __name__ == "__main__":
    sys.exit(main())
