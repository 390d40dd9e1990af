"""How operands lie in memory: the layouts by name, and which operand has which.

A layout of a call is one word, which all its operands then have as far as it applies to them, or says it operand by
operand: ``logits=padded+weight=sliced``. Operands that are not named there are contiguous.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated

import msgspec

__all__ = [
    "BETWEEN",
    "FAR_APART",
    "LAYOUTS",
    "OPERANDS",
    "Layout",
    "is_exact",
    "layout_of",
    "named_operands",
    "problem_of",
]

#: What lies in memory, in the order in which a layout names them; ``upstream`` is the upstream gradient, ``tangent``
#: the direction of a derivative.
OPERANDS = ("logits", "targets", "where", "weight", "upstream", "tangent")

#: Each layout, by the view of NumPy or PyTorch that it is; ``n`` is the last extent. What lies between and around the
#: elements of a view is garbage.
LAYOUTS: dict[str, str] = {
    "contiguous": "in C order",
    "transposed": "in Fortran order: the axes in reverse",
    "sliced": "every second element along the last axis, from the second on: x[..., 1::2]",
    "reversed": "a negative stride along every axis",
    "broadcast": "stride 0 along axis 0, whose positions are all the same",
    "misaligned": "in C order, one element past a 64-byte boundary",
    "padded": "rows that are dense, with three elements between them: x[..., :n]",
    "cut": "all but the last position along axis 1: x[:, :-1]; along axis 0 where there is no other",
    "shifted": "all but the first position along axis 1: x[:, 1:]; along axis 0 where there is no other",
    "aligned-rows": "rows that are filled up to a multiple of 16 elements, and cut back: x[..., :n]",
    "alternate-rows": "every second position along axis 0: x[::2]",
    "reversed-rows": "a negative stride along axis 0 alone: x[::-1]",
    "offset": "in C order, behind two positions along axis 0 of the same memory, and before one: x[2:-1]",
    "time-major": "axis 1 before axis 0 in memory, as (T, N, C) is seen as (N, T, C)",
    "channels-last": "axis 1 last in memory, as (N, H, W, C) is seen as (N, C, H, W)",
    "channels-last-cut": "axis 1 last in memory, of one more position along axis 2: x[:, :, :-1] of channels-last",
    "overlapping": "each row begins one element behind the one before, so that x[i, j] = memory[i + j]",
    "expanded": "stride 0 along every axis whose positions are all the same",
    "read-only": "in C order, in memory that cannot be written to",
    "byte-swapped": "in C order, each number in the byte order that the machine does not have",
    "far-apart": "positions along axis 0 that lie 2**31 elements apart, in memory of which only they are held",
    "beside-logits": "x[..., n:] of the memory of which the logits are x[..., :n]",
    "within-logits": "the logits' own elements: all of them, or one of their rows",
}
#: Layouts of an operand that lies in the memory of the logits.
BETWEEN = ("beside-logits", "within-logits")
#: The layout whose offsets no integer of 32 bits holds, in elements or bytes.
FAR_APART = "far-apart"
#: Those that a framework that makes copies may be given as a copy in its own order: so it has always been.
_OLD = ("contiguous", "transposed", "sliced", "reversed", "broadcast", "misaligned")

# Whether the words are known is said by `problem_of`, which knows near ones, too.
Layout = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z-]+(?:=[a-z-]+(?:\+[a-z-]+=[a-z-]+)*)?$(?!\n)",
        max_length=200,
        description="a layout of all operands, or operand=layout for some of them, joined by '+'",
    ),
]


@cache
def named_operands(layout: str) -> dict[str, str]:
    """The operands that a layout names, each with its own; none where it is one word for all of them."""
    if "=" not in layout:
        return {}
    pairs = (part.partition("=") for part in layout.split("+"))
    return {operand: name for operand, _, name in pairs}


def layout_of(layout: str, operand: str) -> str:
    """The layout of one operand."""
    named = named_operands(layout)
    return named.get(operand, "contiguous") if named else layout


def is_exact(layout: str, operand: str) -> bool:
    """Whether the framework must hold the operand in that very layout, and not in a copy."""
    name = layout_of(layout, operand)
    return name != "contiguous" and (bool(named_operands(layout)) or name not in _OLD)


def problem_of(layout: str) -> tuple[str, str] | None:
    """What is wrong with the text of a layout, and what to write; None where nothing is."""
    named = named_operands(layout)
    names = list(named.values()) if "=" in layout else [layout]
    for name in names:
        if name not in LAYOUTS:
            return f"unknown layout '{name[:40]}'", f"one of {', '.join(LAYOUTS)}"
    if not named:
        return (f"'{layout}' is of one operand", f"write `targets={layout}`") if layout in BETWEEN else None
    for operand in named:
        if operand not in OPERANDS:
            return f"unknown operand '{operand[:40]}'", f"one of {', '.join(OPERANDS)}"
    canonical = "+".join(f"{operand}={named[operand]}" for operand in OPERANDS if operand in named)
    if layout != canonical:
        return f"'{layout}' names its operands in another order, or twice", f"write `{canonical}`"
    if "contiguous" in names:
        return "operands that are not named are contiguous", "name only the others"
    if named.get("logits") in BETWEEN:
        return f"the logits {named['logits']}", "name another operand"
    if "logits" in named and "beside-logits" in names:
        return "a layout of the logits next to one that gives them theirs", "remove `logits=...`"
    if named.get("logits") == FAR_APART and "within-logits" in names:
        return "an operand within logits that are far apart", "name another layout"
    return None
