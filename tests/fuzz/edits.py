"""Edits that make a hostile file of a sound one: drawn by hypothesis, which shrinks them, or fast, by number."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

__all__ = ["MOST_EDITS", "Edit", "drawn", "edited", "edits"]

MOST_EDITS = 5
_TOKEN = re.compile(rb"[A-Za-z_][\w.-]*|[-+.]?\d[\w.+-]*|\"[^\"\n]*\"|'[^'\n]*'|\n *|[^\w\s]")
#: What may stand in place of a token, or beside it: limits of numbers, words that mean something, and plain nonsense.
_VALUES = [
    *(
        b"0",
        b"-1",
        b"1",
        b"1.5",
        b"-0.0",
        b"1e400",
        b"-1e308",
        b"5e-324",
        b"1e-400",
        b"2147483648",
        b"9223372036854775808",
    ),
    *(b"9" * 25, b"9" * 390, b"9" * 5000, b"0x1.8p+1", b"0x1p5000", b"0o17", b"NaN", b"-Infinity", b".inf", b".nan"),
    *(
        b"null",
        b"~",
        b"true",
        b"[]",
        b"{}",
        b"''",
        b'"\\u0000"',
        b'"\\ud800"',
        b'"a\\n::error::b"',
        b"\xff\xfe",
        b"\x00",
    ),
    *(b"[[1, 2], [3]]", b"[1.5, 0.5]", b"[[0.5, 0.5]]", b"[0, 0, 0]", b"{mean: 1}", b"{error: no}", b"x" * 3000),
    *(b"{distribution: uniform}", b"{distribution: simplex}", b"{distribution: labels, shape: [99999, 99999]}"),
    *(b"{distribution: one-hot, shape: [0, 2147483648]}", b"{distribution: normal, shape: [2000, 1000]}"),
    *(b"&a [1]", b"*a", b"!!python/object/apply:os.system [id]", b"<<: *a", b"---", b"...", b"%YAML 9.9", b"? [a]: b"),
    *(b"|", b">", b"#", b"\t", b": ", b"- ", b"'", b'"', b"\r", b"\xc2\x85", b"\xe2\x80\xae", b"\x1b[31m", b","),
]
#: Depths of brackets around a token: allowed, at the limit, and beyond it.
_DEPTHS = (1, 5, 63, 400, 20_000)


class Edit(NamedTuple):
    """``kind`` at a place between 0 and 1 of the file, with two numbers that choose what is put there."""

    kind: str
    place: float
    choice: int
    other: float


def _replace(token: bytes, other: bytes, edit: Edit) -> bytes:
    return _VALUES[edit.choice % len(_VALUES)]


def _copy(token: bytes, other: bytes, edit: Edit) -> bytes:
    return other


def _insert(token: bytes, other: bytes, edit: Edit) -> bytes:
    return token + b" " + _VALUES[edit.choice % len(_VALUES)]


def _delete(token: bytes, other: bytes, edit: Edit) -> bytes:
    return b""


def _nest(token: bytes, other: bytes, edit: Edit) -> bytes:
    depth = _DEPTHS[edit.choice % len(_DEPTHS)]
    return b"[" * depth + token + b"]" * depth


def _repeat(token: bytes, other: bytes, edit: Edit) -> bytes:
    return (token + (b", " if edit.choice % 2 else b"")) * (1 + edit.choice % 3000)


def _flip(token: bytes, other: bytes, edit: Edit) -> bytes:
    place = edit.choice % max(len(token), 1)
    return token[:place] + bytes([token[place] ^ (1 << edit.choice % 8)]) + token[place + 1 :] if token else token


_OF_A_TOKEN = {
    "replace": _replace,
    "copy": _copy,
    "insert": _insert,
    "delete": _delete,
    "nest": _nest,
    "repeat": _repeat,
    "flip": _flip,
}
_OF_LINES = ("cut", "drop-line", "double-line", "swap-lines", "double-block")
# What keeps a file readable comes most often: a file that is not YAML is refused by its first line.
_KINDS = (*["replace", "copy"] * 4, *_OF_A_TOKEN, *_OF_LINES)


def edits() -> st.SearchStrategy[list[Edit]]:
    """Some edits, as hypothesis draws and shrinks them."""
    share = st.floats(0, 1, exclude_max=True)
    one = st.builds(Edit, st.sampled_from(_KINDS), share, st.integers(0, 10_000), share)
    return st.lists(one, min_size=1, max_size=MOST_EDITS)


def drawn(random: random.Random) -> list[Edit]:
    """Some edits, the same for the same state of ``random``."""
    count = random.randint(1, MOST_EDITS)
    return [
        Edit(random.choice(_KINDS), random.random(), random.randrange(10_000), random.random()) for _ in range(count)
    ]


def edited(data: bytes, changes: Sequence[Edit], *, binary: bool = False) -> bytes:
    """``data`` with the edits made one by one; of ``binary`` data some bytes are changed, or the end is cut."""
    for edit in changes:
        if binary:
            start = int(edit.place * len(data))
            changed = bytes(byte ^ (1 + edit.choice % 255) for byte in data[start : start + 1 + edit.choice % 64])
            data = data[:start] + (b"" if edit.kind == "cut" else changed + data[start + len(changed) :])
            continue
        data = _by_line(data, edit) if edit.kind in _OF_LINES else _by_token(data, edit)
    return data


def _by_token(data: bytes, edit: Edit) -> bytes:
    spans = [match.span() for match in _TOKEN.finditer(data)]
    if not spans:
        return data + _VALUES[edit.choice % len(_VALUES)]
    start, end = spans[int(edit.place * len(spans))]
    other = spans[int(edit.other * len(spans))]
    return data[:start] + _OF_A_TOKEN[edit.kind](data[start:end], data[slice(*other)], edit) + data[end:]


def _by_line(data: bytes, edit: Edit) -> bytes:
    if edit.kind == "cut":
        return data[: int(edit.place * len(data))]
    lines = data.split(b"\n")
    first, second = int(edit.place * len(lines)), int(edit.other * len(lines))
    if edit.kind == "drop-line":
        del lines[first]
    elif edit.kind == "double-line":
        lines.insert(second, lines[first])
    elif edit.kind == "swap-lines":
        lines[first], lines[second] = lines[second], lines[first]
    else:
        lines[first:first] = lines[min(first, second) : max(first, second)]
    return b"\n".join(lines)
