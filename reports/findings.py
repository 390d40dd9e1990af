"""Writes docs/findings.md from the registers of known defects.

``python -m conformance.reports.findings > docs/findings.md``.

The registers are the record; this page is their reading copy.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import groupby
from typing import Any

from conformance.reports.escape import address, escape

__all__ = ["findings_text"]

_HEAD = """# What was found

Every entry stands in the register of known defects of its backend's profile (`backends/profiles/`), and a run fails as
soon as one of them no longer shows, unless the entry says that it depends on the machine. Each was confirmed by the
framework alone, outside the suite. Versions are those that it was seen on. The command derives the exact result and
shows what the framework gives; the call is the adapter's function of that name, a few lines long.
"""


def findings_text(defects: list[dict[str, Any]]) -> str:
    """Markdown of the rows that ``conformance list defects --format json`` gives."""
    lines = [_HEAD]
    for backend, rows in groupby(defects, key=lambda row: row["backend"]):
        found = list(rows)
        lines.append(f"## {escape(backend)} ({len(found)})\n")
        for row in found:
            lines.append(f"### {escape(row['defect'])}\n")
            lines.append(f"{escape(row['why'])}\n")
            where = ", ".join([*row["ops"], *row["dtypes"], *row["checks"]])
            seen = ", ".join(row["seen"]) or row["message"]
            lines.append(f"- where: {escape(where)}; seen: {escape(seen)}")
            lines.append(f"- on: {escape('; '.join(row['seen_on']))}{_range(row['versions'])}; confirmed {row['date']}")
            if row["machine"]:
                lines.append(f"- depends on the machine: {escape(row['machine'])}")
            lines.append(f"- upstream: {address(row['issue'])}")
            lines.append(f"- `{row['shown_by']}`\n")
    return "\n".join(lines)


def _range(versions: str) -> str:
    return f" (entry for {escape(versions)})" if versions else ""


def main() -> None:
    """Print the page."""
    command = [sys.executable, "-m", "conformance", "list", "defects", "--format", "json"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    sys.stdout.write(findings_text(json.loads(listed)))


if __name__ == "__main__":
    main()
