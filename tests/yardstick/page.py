"""The page of docs on the kill matrix."""

from __future__ import annotations

import textwrap

from conformance.reports.kills import Kills, groups

__all__ = ["summary_text"]

#: Flags that are shown: those under which most is killed.
MOST_FLAGS = 15


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
        "`conformance report` writes in a checkout: `kills.html`. What the checks of other projects find of",
        "the same wrong backends: [peers](peers.md).",
        "",
        f"- wrong backends: {len(kills.wrong)}, killed: {killed}",
        f"- killed by one case only: {kills.single}",
        f"- cases that kill something: {kills.useful}; that are the only ones to kill something: {kills.sole}",
        *(f"- killed in {dtype} alone: {count}" for dtype, count in kills.only.items()),
        "",
        "Each is asked every case of fewer than 65,536 logits in single calls, in float32 where the case has",
        "that. Only what survives is asked large cases, repeated calls, other dtypes and the identities.",
        *textwrap.wrap(kills.note, 100),
        "",
        "Cases without a kill of their own stay for what they document: worked examples that a reader can",
        "follow, policies that may go either way, defects of one framework that its register refers to.",
        "",
        "## The flags that find out most",
        "",
        "| flag | wrong backends killed |",
        "|---|---:|",
    ]
    most = sorted(kills.flags.items(), key=lambda item: (-item[1].kills, item[0]))[:MOST_FLAGS]
    lines += [f"| {flag} | {each.kills} |" for flag, each in most]
    sizes = ", ".join(f"{module.replace('_', ' ')} {len(wrong)}" for module, wrong in groups(kills))
    return "\n".join([*lines, "", "## The wrong backends by kind", "", *textwrap.wrap(sizes, 100), ""])
