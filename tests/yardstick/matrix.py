"""The kill matrix as two pages: what kills each wrong backend, and the cases that add no kill of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conformance.cases.load import Entry
from tests.yardstick.registry import Kind, title
from tests.yardstick.trial import Kill

__all__ = ["Kills", "alone", "render_backends", "render_cases"]

#: Of each wrong backend, by title, all that kills it.
Kills = Mapping[str, Sequence[Kill]]
NAMES = 6
CASES_PAGE = "kill-matrix-cases.md"

BACKENDS_INTRODUCTION = f"""\
# Kill matrix

What the cases catch. Each wrong backend is a sound kernel with one thing wrong: a defect that some framework had, or
one that is easily imagined. A case kills it when any of its checks fails; all cases are tried in float32, and in the
other dtypes where they have no float32 or where few kill a backend. Made by
`python -m tests.yardstick matrix`; `tox run -e mutants` holds that every wrong backend is killed, and that the
correctly rounded truth, results at the very edge of the bounds, and sound evaluations in every order of summation pass
all cases. The cases that add no kill of their own stand in [{CASES_PAGE}]({CASES_PAGE}), each with what it is for.
"""

CASES_INTRODUCTION = """\
# Cases that add no kill of their own

Every wrong backend that such a case kills is killed by some other case as well (*shared*), or it kills none
(*nothing*). They stay because what they document is not a defect of the wrong backends here: worked examples that a
reader can follow by hand, policies that may go either way, defects of one framework that its register refers to, every
axis of every rank. The second column says how many wrong backends a case kills; the third gives another case that
kills all of them, where one alone does; the fourth is the case's own `why`.
"""


def render_backends(kills: Kills, kinds: Sequence[Kind], entries: Sequence[Entry]) -> str:
    """The page of wrong backends, in Markdown."""
    sections = (_summary(kills, entries), _backends(kills, kinds), _flags(kills, entries))
    return "\n".join([BACKENDS_INTRODUCTION, *(line for section in sections for line in section)]).rstrip() + "\n"


def render_cases(kills: Kills, entries: Sequence[Entry]) -> str:
    """The page of cases without a kill of their own, in Markdown."""
    killed, only = _killed(kills), alone(kills)
    idle = [entry for entry in entries if entry.case.id not in only]
    lines = [
        CASES_INTRODUCTION,
        f"{len(idle)} of {len(entries)} cases; the others are the only ones to kill something.",
    ]
    theme = ""
    for entry in sorted(idle, key=lambda entry: entry.theme):
        if entry.theme != theme:
            theme = entry.theme
            lines += [f"\n## {theme}\n", "| case | kills | within | why it is there |", "|---|---:|---|---|"]
        own = killed.get(entry.case.id, set())
        within = _container(entry.case.id, own, killed)
        count = str(len(own)) if own else "nothing"
        lines.append(f"| `{entry.case.id}` | {count} | {within} | {_escaped(_reason(entry))} |")
    return "\n".join(lines) + "\n"


def alone(kills: Kills) -> dict[str, list[str]]:
    """Cases that are the only ones to kill something, each with what."""
    found: dict[str, list[str]] = {}
    for name, each in kills.items():
        cases = {kill.case for kill in each}
        if len(cases) == 1:
            found.setdefault(cases.pop(), []).append(name)
    return found


def _killed(kills: Kills) -> dict[str, set[str]]:
    """Case to the wrong backends that it kills."""
    found: dict[str, set[str]] = {}
    for name, each in kills.items():
        for kill in each:
            found.setdefault(kill.case, set()).add(name)
    return found


def _container(case: str, own: set[str], killed: Mapping[str, set[str]]) -> str:
    """The case with the fewest kills of which ``own`` is a part."""
    if not own:
        return ""
    larger = [(len(names), other) for other, names in killed.items() if other != case and own <= names]
    return f"`{min(larger)[1]}`" if larger else "several"


def _reason(entry: Entry) -> str:
    """Why a case is there: its own words, the defects that it refers to, and whether a policy is observed by it."""
    case = entry.case
    parts = [case.why]
    if case.policy:
        parts.append(f"observes the policy {case.policy}")
    if case.references:
        parts.append(", ".join(case.references))
    return "; ".join(parts)


def _summary(kills: Kills, entries: Sequence[Entry]) -> Iterator[str]:
    killed = sum(1 for each in kills.values() if each)
    single = sum(len(names) for names in alone(kills).values())
    useful = _killed(kills)
    yield f"- wrong backends: {len(kills)}, killed: {killed} ({100 * killed / max(len(kills), 1):.0f} %)"
    yield f"- killed by one case only: {single}"
    yield f"- cases: {len(entries)}, of which {len(useful)} kill something"
    halves = _in_one(kills, "float16", "bfloat16")
    yield f"- killed in float32 alone: {_in_one(kills, 'float32')}, in float64 alone: {_in_one(kills, 'float64')}, "
    yield f"  in the half types alone: {halves}"
    yield ""


def _in_one(kills: Kills, *dtypes: str) -> int:
    return sum(1 for each in kills.values() if each and {kill.dtype for kill in each} <= set(dtypes))


def _backends(kills: Kills, kinds: Sequence[Kind]) -> Iterator[str]:
    module = ""
    for kind in kinds:
        here, _, name = title(kind).partition(".")
        if here != module:
            module = here
            yield f"\n## {here.capitalize().replace('_', ' ')}\n"
            yield "| wrong backend | what is wrong | cases | one of them, with the checks |"
            yield "|---|---|---:|---|"
        each = kills[title(kind)]
        count = len({kill.case for kill in each})
        yield f"| {name} | {_escaped(kind.__doc__ or '')} | {count} | {_clearest(each)} |"
    yield ""


def _clearest(kills: Sequence[Kill]) -> str:
    """The case that fails fewest checks: it points to the defect best."""
    checks: dict[str, set[str]] = {}
    for kill in kills:
        checks.setdefault(kill.case, set()).add(kill.check)
    if not checks:
        return "**survives**"
    case = min(checks, key=lambda name: (len(checks[name]), len(name), name))
    return f"`{case}` ({', '.join(sorted(checks[case]))})"


def _flags(kills: Kills, entries: Sequence[Entry]) -> Iterator[str]:
    yield "## Flags\n\nWhich wrong backends the cases under a flag kill, those first that few other cases kill.\n"
    yield "| flag | cases | kills | among them |\n|---|---:|---:|---|"
    killed = _killed(kills)
    rarity = {name: len({kill.case for kill in each}) for name, each in kills.items()}
    for flag in sorted({flag for entry in entries for flag in entry.case.flags}):
        cases = [entry.case.id for entry in entries if flag in entry.case.flags]
        names = sorted({name for case in cases for name in killed.get(case, ())}, key=lambda n: (rarity[n], n))
        shown = [name.partition(".")[2] for name in names[:NAMES]]
        more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
        yield f"| {flag} | {len(cases)} | {len(names)} | {', '.join(shown)}{more} |"
    yield ""


def _escaped(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
