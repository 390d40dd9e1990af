"""``python -m conformance.corpus > cases/combinations/triples.yaml``: every triple of features, seeded."""

from __future__ import annotations

import json
import sys
from typing import Any

from conformance.corpus.covering import covering_array
from conformance.corpus.features import FACTORS, allowed, case_of

__all__ = ["SEED", "STRENGTH", "combined_text", "main"]

SEED = 20
STRENGTH = 3

_HEAD = f"""\
# yaml-language-server: $schema=../schema.json
# Written by `python -m conformance.corpus`: a covering array of strength {STRENGTH}, seed {SEED}.
theme: combinations
why: every triple of form, shape, weights, ignored label, smoothing, range of logits and memory layout occurs together
cases:
"""


def combined_text() -> str:
    """The case file."""
    rows = covering_array(FACTORS, STRENGTH, SEED, allowed)
    cases = {}
    for number, row in enumerate(rows):
        case = case_of(row, 10_000 + 10 * number)
        case["reductions"] = ["none", ("mean", "sum", "mean")[number % 3]]
        cases[case["id"]] = case
    return _HEAD + "\n".join(_case_text(cases[name]) for name in sorted(cases))


def _case_text(case: dict[str, Any]) -> str:
    lines = [f"{key}: {_value(key, value)}\n" for key, value in case.items()]
    return "  - " + "    ".join(lines)


def _value(key: str, value: Any) -> str:
    if key == "why":
        return f">-\n      {value}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_value('', each)}" for name, each in value.items()) + "}"
    if key in ("flags", "layouts", "reductions", "requires"):
        return f"[{', '.join(value)}]"
    return value if isinstance(value, str) else json.dumps(value)


def main() -> None:
    """Print the case file."""
    sys.stdout.write(combined_text())


if __name__ == "__main__":
    main()
