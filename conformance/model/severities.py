"""What a defect does to its user, the gravest first: the words of a register of known defects."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["SEVERITIES", "Severity"]

Severity = Literal[
    "wrong-number", "lost-value", "memory-error", "invalid-input-accepted", "valid-input-refused", "divergence"
]
#: Each word with what it says.
SEVERITIES: dict[Severity, str] = dict(
    zip(
        get_args(Severity),
        (
            "a finite number that is not the result",
            "zero, an infinity or NaN where the result is a number, or a number where it is one of these",
            "memory read or written that is not the caller's, or the death of the process",
            "no error where one is due",
            "an error where a result is due",
            "not what is documented, or not what the library's other functions do",
        ),
        strict=True,
    )
)
