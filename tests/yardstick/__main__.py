"""``python -m tests.yardstick [score|matrix|page|fuzz|peers] [--wrong FILE]``: the mutation score, and what follows.

score   what kills each wrong backend first, and whether what is right passes every case
matrix  every kill: writes kills.json, docs/kill-matrix.md, and cases/quick.yaml, the selection that
        `conformance run --quick` takes. Goes on from the --record of the last time: asks what is new or has changed
page    docs/kill-matrix.md from kills.json, docs/peers.md from it and peers.json.
fuzz    what a search finds that knows none of the cases: a kill of each of --sample wrong backends within --seconds,
        and nothing on the right ones within --right-seconds, of the process's own processor time
peers   what the rules of ONNX, OpInfo and KernelBench kill: writes peers.json and docs/peers.md; goes on likewise

Progress goes to standard error, the counts to standard output. Exits with 1 where a wrong backend survives or a right
one fails; with --wrong the wrong backends are the classes of a file, and nothing is written but a --record.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.cases.load import Entry
from conformance.model.wording import message
from conformance.places import QUICK, ROOT
from conformance.reports.kills import FILE, read_kills
from tests.yardstick import cover, matrix, pool, search
from tests.yardstick.page import summary_text
from tests.yardstick.peers.page import peers_text
from tests.yardstick.peers.record import read_peers, write_peers
from tests.yardstick.record import RECORD, Record
from tests.yardstick.registry import Kind, recorded_pairs, right_backends, suite, title, wrong_backends
from tests.yardstick.sequences import completed
from tests.yardstick.trial import Kill, quick_survivors

PAGE = ROOT / "docs" / "kill-matrix.md"
PEERS_PAGE = ROOT / "docs" / "peers.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.yardstick", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", default="score", choices=("score", "matrix", "page", "fuzz", "peers"))
    parser.add_argument("--wrong", type=Path, metavar="FILE", help="wrong backends of your own")
    parser.add_argument("--alone", action="store_true", help="the wrong backends only: no false alarms are looked for")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes; the number of cores by default")
    parser.add_argument("--record", type=Path, metavar="FILE", help="matrix: the kills found so far")
    parser.add_argument("--anew", action="store_true", help="matrix, peers: keep nothing of the last time")
    parser.add_argument("--sample", type=int, default=20, metavar="N", help="fuzz: so many wrong backends")
    parser.add_argument("--seconds", type=float, default=120.0, metavar="S", help="fuzz: for each wrong backend")
    parser.add_argument("--right-seconds", type=float, default=600.0, metavar="S", help="fuzz: for each right one")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="fuzz: of the sample and of the searches")
    asked = parser.parse_args(arguments)
    if asked.what == "page":
        _write_page()
        return 0
    if asked.what == "fuzz":
        return _fuzz(asked)
    if asked.what == "peers":
        _peers(asked)
        return 0
    right = [] if asked.wrong or asked.alone else right_backends()
    wrong = wrong_backends(asked.wrong)
    unwanted = pool.false_alarms(right, asked.jobs)
    if asked.what == "matrix":
        kills = _matrix(asked, wrong)
    else:
        found = pool.first_kills(wrong, recorded_pairs(), asked.jobs)
        kills = {title(kind): found[title(kind)] for kind in wrong if title(kind) in found}
    survivors = [kind for kind in wrong if not kills.get(title(kind))]
    _print(right, unwanted, wrong, survivors)
    return 1 if survivors or any(unwanted.values()) else 0


def _fuzz(asked: argparse.Namespace) -> int:
    """A line for each search; fails where a tenth of the wrong ones, or anything right, is judged wrongly."""
    wrong = search.sampled(wrong_backends(asked.wrong), asked.sample, asked.seed)
    killed = 0
    for found in search.searched(wrong, asked.seconds, asked.seed, first=True, processes=asked.jobs):
        killed += bool(found.causes)
        print(found, flush=True)
    right = [] if asked.wrong or asked.alone else right_backends()
    alarms = 0
    for found in search.searched(right, asked.right_seconds, asked.seed, first=False, processes=asked.jobs):
        alarms += bool(found.causes)
        print(found, flush=True)
    print(f"killed by a search: {killed} of {len(wrong)} wrong backends")
    print(f"false alarms of a search: {alarms} of {len(right)} right backends")
    return 1 if killed < 0.9 * len(wrong) or alarms else 0


def _matrix(asked: argparse.Namespace, wrong: Sequence[Kind]) -> dict[str, list[Kill]]:
    """Every kill, those of the last measurement as far as they still hold."""
    entries = suite()
    with tempfile.TemporaryDirectory() as folder:
        path = asked.record or (Path(folder) / RECORD.name if asked.wrong else RECORD)
        if asked.anew:
            path.unlink(missing_ok=True)
        record = Record(path, wrong, entries)
        count = pool.go_on(record, wrong, entries, asked.jobs)
    print(f"asked: {count:,} cases of wrong backends; the rest was on record")
    if not asked.wrong:
        _write(record.kills, wrong, entries)
    return record.kills


def _write(kills: matrix.AllKills, wrong: Sequence[Kind], entries: Sequence[Entry]) -> None:
    selection = cover.choose(kills, entries)
    QUICK.write_text(cover.render(selection), encoding="utf-8")
    left = {*quick_survivors(wrong, entries, matrix.quick_kills(kills, entries))}
    selection = completed(selection, [kind for kind in wrong if title(kind) in left], kills, entries)
    QUICK.write_text(cover.render(selection), encoding="utf-8")
    matrix.write(matrix.matrix(kills, wrong, entries, matrix.quick_kills(kills, entries)), FILE)
    _write_page()


def _peers(asked: argparse.Namespace) -> None:
    """Hold the backends against the peers' rules. Those of a file, or wrong ones alone, are only printed."""
    from tests.yardstick.peers.measure import measure  # PyTorch and ONNX

    right = [] if asked.wrong or asked.alone else right_backends()
    former = None if asked.anew else read_peers()
    found = measure(wrong_backends(asked.wrong), right, read_kills(), asked.jobs, former)
    if right:
        write_peers(found)
        _write_page()
    else:
        for name, each in found.wrong.items():
            print(f"{name}: {each.killed or 'survives'}")
    for zeros in found.zeros:
        print(f"zeros {'pass' if zeros.passes else 'fail'} {zeros.name} of KernelBench {zeros.version}")
    for key, rule in found.rules.items():
        killed = sum(1 for each in found.wrong.values() if key in each.killed)
        alarms = [name for name, each in found.right.items() if key in each.killed]
        print(f"{killed:>4} of {len(found.wrong)} killed, {len(alarms)} false alarms: {rule.title}")
        for name in alarms:
            print(f"     false alarm: {name}: {found.right[name].killed[key]}")


def _write_page() -> None:
    kills = read_kills()
    if kills is not None:
        PAGE.write_text(summary_text(kills), encoding="utf-8")
        if (peers := read_peers()) is not None:
            PEERS_PAGE.write_text(peers_text(peers, kills), encoding="utf-8")


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
