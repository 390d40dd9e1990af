"""Prints the harness's own cost: ``python -m tests.overhead [startup|check|oracle|scaling ...] [--write FILE]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from conformance.results.environment import describe_environment
from tests.overhead import measure

SECTIONS = ("startup", "check", "oracle", "scaling")


def main(arguments: list[str]) -> None:
    """Measure the named sections (all by default) and print them as a Markdown table."""
    target = Path(arguments[arguments.index("--write") + 1]) if "--write" in arguments else None
    names = [name for name in arguments if name in SECTIONS] or SECTIONS
    environment = describe_environment()
    lines = [
        "# What the harness costs",
        "",
        "Printed by `tox run -e overhead`; each ratio is taken side by side in one run.",
        f"Machine: {environment.get('cpu', 'unknown')}, {environment.get('cores')} cores.",
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
        }
        for name in names:
            for figure in sections[name]():
                lines.append(f"| {figure.what} | {figure.value} | {figure.asked} |")
                print(lines[-1], flush=True)
    if target is not None:
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
