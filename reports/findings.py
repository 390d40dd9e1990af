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

from conformance.reports.escape import address, escape, wrapped

__all__ = ["findings_text"]

_HEAD = """# What was found

Every entry is in the register of known defects of its backend's profile (`backends/profiles/`). A
run fails as soon as one of them no longer shows, unless the entry depends on the machine. Each was
confirmed with the framework alone, outside the suite. The versions are those on which it was
observed. The command derives the exact result and shows what the framework gives.
"""


def findings_text(defects: list[dict[str, Any]]) -> str:
    """Markdown of the rows that ``conformance list defects --format json`` gives."""
    lines = [_HEAD]
    for backend, rows in groupby(defects, key=lambda row: row["backend"]):
        found = list(rows)
        lines.append(f"## {escape(backend)} ({len(found)})\n")
        for row in found:
            lines.append(f"### {escape(row['defect'])}\n")
            lines.append(wrapped(escape(row["why"])) + "\n")
            where = ", ".join([*row["ops"], *row["dtypes"], *row["checks"]])
            unraised = f"no error where one is due ({row['message']})" if row["checks"] == ["error"] else row["message"]
            seen = ", ".join(row["seen"]) or unraised
            lines.append(wrapped(f"- where: {escape(where)}; observed: {escape(seen) or 'see the command'}", "  "))
            on = f"{escape('; '.join(row['seen_on']))}{_range(row['versions'])}"
            lines.append(wrapped(f"- on: {on}; confirmed {row['date']}", "  "))
            if row["machine"]:
                lines.append(wrapped(f"- depends on the machine: {escape(row['machine'])}", "  "))
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
