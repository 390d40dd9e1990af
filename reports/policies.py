"""Writes docs/policies.md from runs: ``python -m conformance.reports.policies results/RUN... > docs/policies.md``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.model.errors import UsageError
from conformance.reports.merge import Merged, merge
from conformance.reports.semantics import semantics
from conformance.reports.semantics_text import semantics_lines

__all__ = ["policies_text"]

_HEAD = """# The semantics matrix

Where implementations legitimately differ, each choice has a name, a *policy*. A backend's profile
declares its choices. The cases observe them: of the values that a policy may take, those that
describe what was seen. Neither is derived from the other. `conformance list policies` prints what
is declared, `--observed RUN` adds what a run observed, and the summary of every run has this table.
How a policy is observed, and what follows where the two differ, is in [verdicts and
policies](semantics.md).

"""


def policies_text(merged: Merged) -> str:
    """The page in Markdown."""
    return _HEAD + "\n".join(semantics_lines(semantics(merged.relations))) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Print the page for the runs named; 2 for wrong usage."""
    try:
        sys.stdout.write(policies_text(merge([Path(each) for each in arguments])))
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
