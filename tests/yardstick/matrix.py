"""The kill matrix: what the cases kill, counted, and written as one file of a line for each wrong backend and flag."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from conformance.cases.load import Entry
from conformance.cases.quick import load_quick
from conformance.places import QUICK
from conformance.reports.kills import FlagKills, Kills, WrongBackend
from tests.yardstick.registry import Kind, title
from tests.yardstick.trial import Kill, Pair, logits

__all__ = ["AllKills", "matrix", "quick_kills", "write"]

#: Of each wrong backend, by title, all that kills it.
AllKills = Mapping[str, Sequence[Kill]]
#: Of a flag's kills, how many are named.
NAMED = 6


def matrix(kills: AllKills, kinds: Sequence[Kind], entries: Sequence[Entry], quick: Mapping[str, Pair]) -> Kills:
    """The matrix of all ``kills``; ``quick`` is the case and dtype that kills each in the quick selection."""
    killed = _killed(kills)
    alone = _alone(kills)
    return Kills(
        cases=len(entries),
        useful=len(killed),
        single=len(alone),
        sole=len({*alone.values()}),
        only={
            "float64": _only(kills, "float64"),
            "a half type": _only(kills, "float16", "bfloat16"),
        },
        wrong={title(kind): _wrong(kind, kills[title(kind)], quick.get(title(kind))) for kind in kinds},
        flags=dict(_flags(kills, killed, entries)),
    )


def write(kills: Kills, path: Path) -> None:
    """Write the matrix as JSON with a line for each entry, so that a change is a line of a diff."""
    parts = []
    for name, value in msgspec.to_builtins(kills).items():
        if name in ("wrong", "flags"):
            lines = ",\n".join(f"  {_json(key)}: {_json(each)}" for key, each in value.items())
            parts.append(f" {_json(name)}: {{\n{lines}\n }}")
        else:
            parts.append(f" {_json(name)}: {_json(value)}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8", newline="\n")


def quick_kills(kills: AllKills, entries: Sequence[Entry]) -> dict[str, Pair]:
    """Of each wrong backend, the case and dtype of the quick selection that kills it with the fewest logits."""
    size = {entry.case.id: (logits(entry), len(entry.case.layouts)) for entry in entries}
    quick = load_quick(QUICK).quick
    order = sorted(((case, dtype) for case, dtypes in quick.items() for dtype in dtypes), key=lambda p: size[p[0]])
    found: dict[str, Pair] = {}
    for name, each in kills.items():
        pairs = {(kill.case, kill.dtype) for kill in each}
        pair = next((pair for pair in order if pair in pairs), None)
        if pair is not None:
            found[name] = pair
    return found


def _alone(kills: AllKills) -> dict[str, str]:
    """Of each wrong backend that a single case kills, that case."""
    cases = {name: {kill.case for kill in each} for name, each in kills.items()}
    return {name: next(iter(each)) for name, each in cases.items() if len(each) == 1}


def _killed(kills: AllKills) -> dict[str, set[str]]:
    """Case to the wrong backends that it kills."""
    found: dict[str, set[str]] = {}
    for name, each in kills.items():
        for kill in each:
            found.setdefault(kill.case, set()).add(name)
    return found


def _only(kills: AllKills, *dtypes: str) -> int:
    return sum(1 for each in kills.values() if each and {kill.dtype for kill in each} <= set(dtypes))


def _wrong(kind: Kind, kills: Sequence[Kill], quick: Pair | None) -> WrongBackend:
    """The example is the case that fails fewest checks: it points to the defect best."""
    checks: dict[str, set[str]] = {}
    for kill in kills:
        checks.setdefault(kill.case, set()).add(kill.check)
    defect = " ".join((kind.__doc__ or "").split())
    if not checks:
        return WrongBackend(defect=defect, cases=0)
    example = min(checks, key=lambda name: (len(checks[name]), len(name), name))
    return WrongBackend(defect=defect, cases=len(checks), example=example, checks=sorted(checks[example]), quick=quick)


def _flags(
    kills: AllKills, killed: Mapping[str, Iterable[str]], entries: Sequence[Entry]
) -> Iterator[tuple[str, FlagKills]]:
    """Those first that few cases kill."""
    rarity = {name: len({kill.case for kill in each}) for name, each in kills.items()}
    for flag in sorted({flag for entry in entries for flag in entry.case.flags}):
        cases = [entry.case.id for entry in entries if flag in entry.case.flags]
        names = sorted({name for case in cases for name in killed.get(case, ())}, key=lambda n: (rarity[n], n))
        rarest = [name.partition(".")[2] for name in names[:NAMED]]
        yield flag, FlagKills(cases=len(cases), kills=len(names), rarest=rarest)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
