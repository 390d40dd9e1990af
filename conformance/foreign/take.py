"""The whole way: from a source to case files, and a report of what was taken, what was not, and how it agrees."""

from __future__ import annotations

import importlib
from collections.abc import Collection
from pathlib import Path
from typing import Literal

import msgspec

from conformance import __version__
from conformance.foreign.agreement import Agreement, agreements
from conformance.foreign.call import LeftOutTest, Taken
from conformance.foreign.write import write_cases

__all__ = ["Import", "SourceName", "take_over"]

SourceName = Literal["onnx", "opinfo"]


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a source's tests. ``files`` hold the cases; ``versions`` are those of the packages asked.

    ``agreements`` has an entry for each case, ``left_out`` one for each call that has none.
    """

    suite: str
    source: SourceName
    versions: dict[str, str]
    files: list[str]
    agreements: list[Agreement]
    left_out: list[LeftOutTest]


def take_over(source: SourceName, folder: Path, ops: Collection[str], most: int) -> Import:
    """Write the cases of a source's tests into ``folder``, and hold the source's values against the truth.

    ``ops`` narrows the operations; ``most`` is how many numbers a case may hold. Raises UsageError where a package
    that the source needs is not installed, HarnessError where the disk refuses.
    """
    taken: Taken = importlib.import_module(f"conformance.foreign.{source}").take(ops)
    written = write_cases(taken.calls, folder, source, most)
    found = agreements(written.calls, written.files) if written.files else []
    return Import(
        suite=__version__,
        source=source,
        versions=taken.versions,
        files=[str(file) for file in written.files],
        agreements=found,
        left_out=[*taken.left_out, *written.left_out],
    )
