"""``python -m conformance.corpus [NAME]``: writes one of the generated case files anew.

The tier of each case stays as it is in the file. NAME is ``triples``, ``sizes`` or ``transforms``, each a file of
``cases/combinations``, ``memory``, which is ``cases/layouts/memory.yaml``, or ``specials``, which is
``cases/combinations/special-values.yaml``, to which ``conformance fill`` then adds the expected values.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from conformance.corpus import sizes, specials, transformed
from conformance.corpus.covering import covering_array
from conformance.corpus.features import FACTORS, allowed, case_of
from conformance.corpus.memory import memory_cases
from conformance.places import CASES

__all__ = [
    "SEED",
    "STRENGTH",
    "combined_text",
    "main",
    "memory_text",
    "sized_text",
    "special_text",
    "transformed_text",
    "with_tiers",
]

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
_HEAD_OF_SIZES = f"""\
# yaml-language-server: $schema=../schema.json
# Written by `python -m conformance.corpus sizes`: a covering array of pairs, seed {SEED}.
theme: combinations
why: every pair of form, size, dtype, reduction, weights, ignored label, smoothing, upstream gradient, memory layout,
  type of the labels, range of logits and transform occurs together
cases:
"""
_HEAD_OF_TRANSFORMS = f"""\
# yaml-language-server: $schema=../schema.json
# Written by `python -m conformance.corpus transforms`: a covering array of pairs, seed {SEED}.
theme: combinations
why: every triple of an operation, a transform and one of shape, dtype, divisor, smoothing, memory layout, range of
  logits and direction occurs together
cases:
"""
_HEAD_OF_SPECIALS = f"""\
# yaml-language-server: $schema=../schema.json
# Written by `python -m conformance.corpus specials` and `conformance fill`: a covering array of pairs, seed {SEED}.
theme: combinations
why: every pair of operand, special value, kind of place, smoothing, reduction and dtype occurs together
cases:
"""


def combined_text() -> str:
    """The case file of ordinary features."""
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


def sized_text() -> str:
    """The case file of features at sizes."""
    rows = covering_array(sizes.FACTORS, 2, SEED, sizes.allowed)
    cases = {case["id"]: case for case in (sizes.case_of(row, 60_000 + 10 * number) for number, row in enumerate(rows))}
    return _HEAD_OF_SIZES + "\n".join(_case_text(cases[name]) for name in sorted(cases))


def transformed_text() -> str:
    """The case file of operations under transforms."""
    rows = covering_array(transformed.FACTORS, 2, SEED, transformed.allowed)
    numbered = enumerate(rows)
    cases = {case["id"]: case for case in (transformed.case_of(row, 90_000 + 10 * number) for number, row in numbered)}
    return _HEAD_OF_TRANSFORMS + "\n".join(_case_text(cases[name]) for name in sorted(cases))


def special_text() -> str:
    """The case file of special values, without the expected values."""
    rows = covering_array(specials.FACTORS, 2, SEED, specials.allowed)
    cases = {case["id"]: case for case in map(specials.case_of, rows)}
    return _HEAD_OF_SPECIALS + "\n".join(_case_text(cases[name]) for name in sorted(cases))


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
    if isinstance(value, list):
        return f"[{', '.join(_value('', each) for each in value)}]"
    if isinstance(value, str):
        return json.dumps(value) if value.startswith("0x") else value
    return json.dumps(value)


def with_tiers(text: str, former: str) -> str:
    """A generated ``text`` with the tiers that its cases have in the file as it was."""
    spared = {*re.findall(r"^  - id: (.+)\n    tier: full$", former, re.MULTILINE)}
    return re.sub(
        r"^  - id: (.+)$(?!\n    tier:)",
        lambda m: m[0] + ("\n    tier: full" if m[1] in spared else ""),
        text,
        flags=re.MULTILINE,
    )


def main() -> None:
    """Write the case file that the argument names."""
    texts = {
        "triples": (combined_text, "combinations/triples.yaml"),
        "sizes": (sized_text, "combinations/sizes.yaml"),
        "transforms": (transformed_text, "combinations/transforms.yaml"),
        "memory": (memory_text, "layouts/memory.yaml"),
        "specials": (special_text, "combinations/special-values.yaml"),
    }
    text, name = texts[sys.argv[1] if len(sys.argv) > 1 else "triples"]
    file = CASES / name
    former = file.read_text(encoding="utf-8") if file.is_file() else ""
    file.write_text(with_tiers(text(), former), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
