"""Figures that a command measures, and the page that it prints them as."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.results.environment import describe_environment

__all__ = ["Figure", "machine", "print_figures"]


@dataclass(frozen=True)
class Figure:
    """One line of the page: what, the value with its unit, and what was asked of it."""

    what: str
    value: str
    asked: str = ""


def machine(environment: Mapping[str, Any]) -> str:
    """Processor, cores and memory in words, without what is unknown."""
    cores, memory = environment.get("cores") or {}, environment.get("memory")
    usable, every = cores.get("usable"), cores.get("all")
    words = [str(environment.get("cpu") or "an unknown processor")]
    if usable:
        words.append(f"{usable} cores" if usable == every else f"{usable} of {every} cores")
    if isinstance(memory, int):
        words.append(f"{memory / 2**30:.0f} GiB of memory")
    return ", ".join(words)


def print_figures(
    title: str,
    command: str,
    sections: Mapping[str, Callable[[], Iterable[Figure]]],
    arguments: Sequence[str],
    notes: str = "",
) -> None:
    """Measure the sections that the arguments name, all by default, and print them as a Markdown table.

    ``--write FILE`` among the arguments stores the page, too. ``command`` is what prints it; ``notes``, Markdown, say
    how the figures are to be read.
    """
    target = Path(arguments[arguments.index("--write") + 1]) if "--write" in arguments else None
    lines = [
        f"# {title}",
        "",
        f"Printed by `{command}`; each ratio is taken side by side in one run.",
        f"Machine: {machine(describe_environment())}; its load was {os.getloadavg()[0]:.1f} at the start.",
        "",
        "| measured | figure | asked for |",
        "|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for name in [name for name in arguments if name in sections] or sections:
        for figure in sections[name]():
            lines.append(f"| {figure.what} | {figure.value} | {figure.asked} |")
            print(lines[-1], flush=True)
    if notes:
        lines += ["", notes.rstrip()]
        print("\n".join(lines[-2:]), flush=True)
    if target is not None:
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
