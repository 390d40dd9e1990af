"""The kill matrix as data: which wrong backends the cases find out, and what each case adds.

``python -m tests.yardstick matrix`` writes it beside the wrong backends; a summary in docs and a page of the site show
it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec

from conformance.model.errors import UsageError
from conformance.places import ROOT

__all__ = ["FILE", "FlagKills", "Kills", "Shared", "WrongBackend", "groups", "read_kills", "summary_text"]

#: Where a checkout keeps the matrix; an installed suite has none.
FILE = ROOT / "tests" / "yardstick" / "kills.json"
#: Flags that the summary shows: those under which most is killed.
MOST_FLAGS = 15


class WrongBackend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sound kernel with one thing wrong, and what finds it out.

    ``cases`` counts those that it fails; ``example`` is the one of them in which the fewest ``checks`` fail. ``quick``
    is a case and dtype of the quick selection that it fails.
    """

    defect: str
    cases: int
    example: str = ""
    checks: list[str] = []
    quick: tuple[str, str] | None = None


class Shared(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case without a kill of its own: how many it kills, and one other case that kills all of them, if any does."""

    kills: int
    within: str = ""


class FlagKills(msgspec.Struct, frozen=True, kw_only=True):
    """What the cases of a flag kill; ``rarest`` are those of them that the fewest cases kill."""

    cases: int
    kills: int
    rarest: list[str]


class Kills(msgspec.Struct, frozen=True, kw_only=True):
    """The kill matrix.

    ``cases`` were tried, ``useful`` of them kill something; ``single`` wrong backends are killed by one case only, and
    ``only`` counts those that a dtype alone kills. ``wrong`` goes by module and class, ``shared`` by case.
    """

    cases: int
    useful: int
    single: int
    only: dict[str, int]
    wrong: dict[str, WrongBackend]
    shared: dict[str, Shared]
    flags: dict[str, FlagKills]


def read_kills(path: Path = FILE) -> Kills | None:
    """The matrix in ``path``, or None where there is none. Raises UsageError for a file that does not hold one."""
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kills)
    except (OSError, msgspec.DecodeError) as error:
        hint = "write it anew: python -m tests.yardstick matrix"
        raise UsageError(f"{path}: not a kill matrix: {error}", hint=hint) from None


def groups(kills: Kills) -> Iterator[tuple[str, dict[str, WrongBackend]]]:
    """The wrong backends by module, each by the name of its class."""
    found: dict[str, dict[str, WrongBackend]] = {}
    for title, wrong in kills.wrong.items():
        module, _, name = title.partition(".")
        found.setdefault(module, {})[name] = wrong
    yield from found.items()


def summary_text(kills: Kills) -> str:
    """The page of docs, in Markdown: counts, and the kinds of defects by module."""
    killed = sum(1 for each in kills.wrong.values() if each.cases)
    lines = [
        "# Kill matrix",
        "",
        "What the cases catch. Each wrong backend is a sound kernel with one thing wrong: a defect that some",
        "framework had, or one that is easily imagined. A case kills it when any of its checks fails.",
        "`tox run -e mutants` holds that every wrong backend is killed, and that the correctly rounded truth,",
        "results at the very edge of the bounds, and sound evaluations in every order of summation pass all",
        "cases. The whole matrix, wrong backend by wrong backend, is a page of the site that",
        "`conformance report` writes in a checkout: `kills.html`.",
        "",
        f"- wrong backends: {len(kills.wrong)}, killed: {killed}",
        f"- killed by one case only: {kills.single}",
        f"- cases: {kills.cases}, of which {kills.useful} kill something and {kills.cases - len(kills.shared)} are the",
        "  only ones to kill something",
        *(f"- killed in {dtype} alone: {count}" for dtype, count in kills.only.items()),
        "",
        "Cases without a kill of their own stay for what they document: worked examples that a reader can",
        "follow, policies that may go either way, defects of one framework that its register refers to.",
        "",
        "## The flags that find out most",
        "",
        "| flag | cases | wrong backends killed |",
        "|---|---:|---:|",
    ]
    most = sorted(kills.flags.items(), key=lambda item: (-item[1].kills, item[0]))[:MOST_FLAGS]
    lines += [f"| {flag} | {each.cases} | {each.kills} |" for flag, each in most]
    sizes = ", ".join(f"{module.replace('_', ' ')} {len(wrong)}" for module, wrong in groups(kills))
    return "\n".join([*lines, "", "## The wrong backends by kind", "", *_wrapped(sizes), ""])


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100)
