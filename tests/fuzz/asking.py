"""Results files that ask for much: kernels whose text is hard to read, and headers that name what they should not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from conformance import __version__
from conformance.model.backend import ClassSource
from conformance.model.records import MOST_RANDOM, MOST_SHARDS, Header
from conformance.repro.kernel import LARGEST
from conformance.results.store import FILE, Writer
from tests.support import outcomes

__all__ = ["CASE", "KERNEL", "asking"]

#: The case and the backend that have a finding in each of the files.
CASE, KERNEL = "small", "mine"
_CLASS = "class Mine:\n    def softmax(self, logits, *, axis):\n        return {}\n"
_MANY = 3000


def asking() -> list[bytes]:
    """The files, without checksums, so that an edit of one gets as far as the reports."""
    sound = [ClassSource(name="Mine", line=1, file="mine.py", text=_CLASS.format("logits"))]
    headers = [_header(sound, **selection) for selection in _SELECTIONS]
    return [*(_kernel(text) for text in _texts()), *headers]


def _texts() -> Iterator[str]:
    """Deep, long and wide, near the size that is read and beyond it, and so that one line stands for many."""
    for size in (LARGEST // 20, LARGEST - 1000, LARGEST * 8):
        for piece in ("logits + ", "-", "not ", "axis if axis else ", "logits ** "):
            yield _CLASS.format(piece * (size // len(piece)) + "1")
        for piece in (".a", "()", "[0]"):
            yield _CLASS.format("logits" + piece * (size // len(piece)))
    yield _CLASS.format("1\n        if axis: pass\n" + "        elif axis: pass\n" * _MANY)
    yield _CLASS.format(f"f'{'{axis}' * 2 * _MANY}'")
    yield _CLASS.format("(" * 300)
    for line in ("::error::own", "##[error]own", "\x1b[2J", "\u202e"):
        yield _CLASS.format(f"'''\n{line}\n'''")
        yield _CLASS.format(f'super().softmax("""\n{line}\n""")')
    yield _CLASS.format("f0(logits)") + "".join(f"def f{n}(x): return f{n + 1}(x)\n" for n in range(_MANY))
    names = [f"a{n}" for n in range(_MANY)]
    used = _CLASS.format(" + ".join(names[:900]))
    yield ";".join(f"{name} = 1" for name in names) + "\n" + used
    yield f"from numpy import {', '.join(names)}\n{used}"
    yield f"{' = '.join(names)} = 1\n{used}"


_SELECTIONS: tuple[dict[str, Any], ...] = (
    *({"cases": [place]} for place in ("/", "~", "/proc", "/dev/zero", "/dev/stdin", "/proc/self/mem", "../..")),
    {"cases": ["/"] * 100_000},
    {"cases": ["cases.yaml"] * 100_000},
    {"random": MOST_RANDOM, "seed": 1},
    {"random": 5, "seed": 2**53},
    {"shard": {"index": MOST_SHARDS, "count": MOST_SHARDS}},
    {"costs": ["/dev/zero"], "shard": {"index": 1, "count": 2}},
    {"expression": "(" * 100_000},
    {"backends": ["numpy"] * 2_000},
    {"backends": ["antigravity:x"]},
)


def _kernel(text: str) -> bytes:
    return _header([ClassSource(name="Mine", line=1, file="mine.py", text=text)])


def _header(classes: list[ClassSource], **selection: Any) -> bytes:
    """A run without an end, of one failure of a backend of these classes, that asks for a selection."""
    header = Header(
        suite=__version__, started="2026-01-01T00:00:00+00:00", selection={"backends": ["numpy"]} | selection
    )
    record = msgspec.structs.replace(outcomes.record(KERNEL, profile="numpy"), classes=classes)
    found = outcomes.outcome(CASE, KERNEL, op="softmax", reduction="none", verdict="fail", class_="F")
    with tempfile.TemporaryDirectory() as folder:
        with Writer(Path(folder), header) as writer:
            writer.describe(record)
            writer.write([found])
        return outcomes.unsealed((Path(folder) / FILE).read_bytes())
