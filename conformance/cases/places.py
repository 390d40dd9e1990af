"""Where a key of a case file is: lines are looked up only when an error needs them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from conformance.cases.yaml12 import NodePath, dotted, lines, read_text
from conformance.model.errors import CaseError, Place

__all__ = ["place_of"]


def place_of(file: Path, path: NodePath) -> Place:
    """File, line and dotted key of the node at ``path``; of a missing node, the line of its nearest parent."""
    try:
        status = file.stat()
        known = _lines(file, status.st_mtime_ns, status.st_size)
    except (OSError, CaseError):
        return Place(file, None, dotted(path) or None)
    line = next((known[path[:end]] for end in range(len(path), 0, -1) if path[:end] in known), 1)
    return Place(file, line, dotted(path) or None)


@lru_cache(maxsize=8)
def _lines(file: Path, modified: int, size: int) -> dict[NodePath, int]:
    """Keyed by time and size too, so that an edited file is read again."""
    return lines(read_text(file), file)
