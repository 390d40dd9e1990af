"""Speed in a diff: the comparison of two folders' benchmarks, where both hold them and the module is there."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

__all__ = ["BENCHMARKS", "compare_speed"]

BENCHMARKS = "benchmarks.json"
_MODULE = "reports.benchmarks.compare"


def compare_speed(old: Path, new: Path) -> Any:
    """What ``compare_folders`` of ``reports.benchmarks.compare`` says of two runs' folders.

    An object with ``lines()`` (plain text), ``regressed``, and ``document()`` (for JSON); None where there is nothing
    to compare.
    """
    if not all((each / BENCHMARKS).is_file() for each in (old, new)):
        return None
    try:
        if importlib.util.find_spec(_MODULE) is None:
            return None
    except ModuleNotFoundError:
        return None
    compare = getattr(importlib.import_module(_MODULE), "compare_folders", None)
    return None if compare is None else compare(old, new)
