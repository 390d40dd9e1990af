"""What the tests of case files share: a folder that turns text into a loaded suite."""

from __future__ import annotations

from pathlib import Path

from conformance.cases.load import Entry, load_suite

EXAMPLE = """\
theme: worked
cases:
  - id: probabilities-are-logits
    why: cross_entropy applies log_softmax itself
    op: cross_entropy
    logits: [[0.2, 0.7, 0.1]]
    targets: [1]
"""


def write(folder: Path, text: str, name: str = "cases.yaml") -> Path:
    """A file of ``text`` in ``folder``, with its parents."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def entry(folder: Path, body: str, *, op: str = "cross_entropy") -> Entry:
    """The only case of a file whose keys, but for id, why and op, are ``body``, one a line."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    file = write(folder, f"theme: worked\ncases:\n  - id: it\n    why: a test\n    op: {op}\n{lines}")
    return load_suite([file]).entries[0]
