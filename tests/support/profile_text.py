"""A small profile and its cases, as text."""

from __future__ import annotations

CASES = """\
theme: worked
cases:
  - id: plain
    why: a test
    op: softmax
    logits: [[0.2, 0.7, 0.1]]
    dtypes: [float32]
  - id: refused
    why: a test
    op: softmax
    logits: [[0.2, 0.7, 0.1]]
    axis: 5
    expect: {error: no such axis}
    dtypes: [float32]
"""

ENTRY = """\
  - id: late
    title: The value is late
    why: a test
    issue: not reported
    date: 2026-01-31
    cases: [plain]
    checks: [value]
    ops: [softmax]
    reached: [C]
"""


def profile(entries: str) -> str:
    """A profile with these entries in its register."""
    return f"backend: mine\ntested: [mine 1.0]\nknown:\n{entries}"
