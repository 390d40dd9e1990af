"""``python -m conformance.corpus [triples|memory]``: the generated case files, seeded, to standard output.

``triples`` is ``cases/combinations/triples.yaml``, ``memory`` is ``cases/layouts/memory.yaml``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from conformance.corpus.covering import covering_array
from conformance.corpus.features import FACTORS, allowed, case_of
from conformance.corpus.memory import memory_cases

__all__ = ["SEED", "STRENGTH", "combined_text", "main", "memory_text"]

SEED = 20
STRENGTH = 3

_MEMORY = """\
# yaml-language-server: $schema=../schema.json
# Written by `python -m conformance.corpus memory`: covering arrays of strength 2.
theme: layouts
why: every pair of memory layouts of two operands occurs together; a kernel that reads one of them as it reads another
  is right where all lie alike
cases:
"""
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


def memory_text() -> str:
    """The case file of layouts."""
    return _MEMORY + "\n".join(map(_case_text, memory_cases()))


def _case_text(case: dict[str, Any]) -> str:
    texts = {key: _value(key, value) for key, value in case.items()}
    lines = [f"{key}:{'' if text[:1] == chr(10) else ' '}{text}\n" for key, text in texts.items()]
    return "  - " + "    ".join(lines)


def _value(key: str, value: Any) -> str:
    if key == "why":
        return f">-\n      {value}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_value('', each)}" for name, each in value.items()) + "}"
    if key == "layouts" and "=" in "".join(value):
        return "".join(f"\n      - {each}" for each in value)
    if key in ("dtypes", "flags", "layouts", "reductions", "requires", "transforms"):
        return f"[{', '.join(value)}]"
    return value if isinstance(value, str) else json.dumps(value)


def main() -> None:
    """Print the case file that the argument names."""
    texts = {"triples": combined_text, "memory": memory_text}
    sys.stdout.write(texts[sys.argv[1] if len(sys.argv) > 1 else "triples"]())


if __name__ == "__main__":
    main()
