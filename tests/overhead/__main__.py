"""Prints the harness's own cost: ``python -m tests.overhead [SECTION ...] [--write FILE]``; see ``SECTIONS``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.results.environment import describe_environment
from tests.overhead import measure

SECTIONS = ("startup", "check", "oracle", "scaling", "workers", "run")


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


def main(arguments: list[str]) -> None:
    """Measure the named sections (all by default) and print them as a Markdown table."""
    target = Path(arguments[arguments.index("--write") + 1]) if "--write" in arguments else None
    names = [name for name in arguments if name in SECTIONS] or SECTIONS
    environment = describe_environment()
    lines = [
        "# What the harness costs",
        "",
        "Printed by `tox run -e overhead`; each ratio is taken side by side in one run.",
        f"Machine: {machine(environment)}.",
        "",
        "| measured | figure | asked for |",
        "|---|---|---|",
    ]
    print("\n".join(lines))
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        sections = {
            "startup": lambda: measure.startup(folder),
            "check": lambda: measure.check_time(folder),
            "oracle": measure.oracle_speed,
            "scaling": lambda: measure.scaling(folder),
            "workers": lambda: measure.workers(folder),
            "run": lambda: measure.default_run(folder),
        }
        for name in names:
            for figure in sections[name]():
                lines.append(f"| {figure.what} | {figure.value} | {figure.asked} |")
                print(lines[-1], flush=True)
    if target is not None:
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
