"""The kill matrix: ``python -m tests.yardstick.matrix`` writes docs/kill-matrix.md (some minutes)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.cases.load import Entry
from tests.yardstick.trial import Kind, in_parallel, suite, title, wrong_backends

__all__ = ["kill_matrix", "render"]

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "kill-matrix.md"
SHOWN = 3
NAMES = 12
#: Of each wrong backend, by title: the cases that kill it, each with the checks that do.
Kills = Mapping[str, Mapping[str, Sequence[str]]]

INTRODUCTION = """\
# Kill matrix

What the cases catch. Each wrong backend is a sound kernel with one thing wrong: a defect that some framework had, or
one that is easily imagined. A case kills it when any of its checks fails. Made by `python -m tests.yardstick.matrix`;
the tests hold that every wrong backend is killed, and that the correctly rounded truth, results at the very edge of the
bounds, and sound evaluations in every order of summation pass all cases.
"""


def kill_matrix(kinds: Sequence[Kind]) -> dict[str, dict[str, list[str]]]:
    """All kills of all ``kinds``, in as many processes as there are cores."""
    cores = os.cpu_count() or 1
    parts = [kinds[start::cores] for start in range(min(cores, len(kinds)))]
    kills: dict[str, dict[str, list[str]]] = {}
    for part in in_parallel([("every_kill", part) for part in parts]):
        kills |= part
    return {title(kind): kills[title(kind)] for kind in kinds}


def render(kills: Kills, kinds: Sequence[Kind], entries: Sequence[Entry]) -> str:
    """The page, in Markdown."""
    sections = (_summary(kills, entries), _backends(kills, kinds), _flags(kills, entries), _idle(kills, entries))
    return "\n".join([INTRODUCTION, *(line for section in sections for line in section)]).rstrip() + "\n"


def _killers(kills: Kills) -> dict[str, list[str]]:
    """Case to the wrong backends that it kills."""
    found: dict[str, list[str]] = {}
    for name, cases in kills.items():
        for case in cases:
            found.setdefault(case, []).append(name)
    return found


def _summary(kills: Kills, entries: Sequence[Entry]) -> Iterator[str]:
    killed = sum(1 for cases in kills.values() if cases)
    single = sum(1 for cases in kills.values() if len(cases) == 1)
    yield f"- wrong backends: {len(kills)}, killed: {killed} ({100 * killed / max(len(kills), 1):.0f} %)"
    yield f"- killed by one case only: {single}"
    yield f"- cases: {len(entries)}, of which {len(_killers(kills))} kill something"
    yield ""


def _backends(kills: Kills, kinds: Sequence[Kind]) -> Iterator[str]:
    module = ""
    for kind in kinds:
        here, _, name = title(kind).partition(".")
        if here != module:
            module = here
            yield f"## {here.capitalize()}\n"
            yield "| wrong backend | what is wrong | cases | the first of them, with the checks |\n|---|---|---:|---|"
        cases = kills[title(kind)]
        shown = [f"`{case}` ({', '.join(checks)})" for case, checks in list(cases.items())[:SHOWN]]
        yield f"| {name} | {_escaped(kind.__doc__ or '')} | {len(cases)} | {', '.join(shown) or '**survives**'} |"
    yield ""


def _flags(kills: Kills, entries: Sequence[Entry]) -> Iterator[str]:
    yield "## Flags\n\nWhich wrong backends the cases under a flag kill.\n"
    yield "| flag | cases | kills | among them |\n|---|---:|---:|---|"
    killers = _killers(kills)
    for flag in sorted({flag for entry in entries for flag in entry.case.flags}):
        cases = [entry.case.id for entry in entries if flag in entry.case.flags]
        killed = {name for case in cases for name in killers.get(case, ())}
        names = sorted(killed, key=lambda name: (len(kills[name]), name))
        shown = [name.partition(".")[2] for name in names[:NAMES]]
        more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
        yield f"| {flag} | {len(cases)} | {len(names)} | {', '.join(shown)}{more} |"
    yield ""


def _idle(kills: Kills, entries: Sequence[Entry]) -> Iterator[str]:
    killers = _killers(kills)
    idle = [entry for entry in entries if entry.case.id not in killers]
    yield "## Cases that kill nothing\n"
    if not idle:
        yield "None."
        return
    yield "They speak of what no wrong backend here gets wrong, or of a policy that may go either way.\n"
    yield "| case | why it is there |\n|---|---|"
    yield from (f"| `{entry.case.id}` | {_escaped(entry.case.why)} |" for entry in idle)


def _escaped(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def main() -> None:
    """Write the page."""
    kinds, entries = wrong_backends(), suite()
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(render(kill_matrix(kinds), kinds, entries), encoding="utf-8")
    sys.stdout.write(f"{FILE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
