"""Speed in a diff: the comparison of two folders' benchmarks, where both hold them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.results.store import FILE as OUTCOMES
from reports.benchmarks.read import find_benchmarks

if TYPE_CHECKING:
    from reports.benchmarks.compare import Comparison

__all__ = ["compare_speed", "only_timed", "speed_text"]


def only_timed(old: Path, new: Path) -> bool:
    """Whether both runs hold times and neither holds verdicts, as `conformance bench` leaves them."""
    found = (find_benchmarks(each) for each in (old, new))
    return all(file is not None and file.name != OUTCOMES for file in found) and not any(
        (each / OUTCOMES).is_file() for each in (old, new)
    )


def compare_speed(old: Path, new: Path, band: Path | None = None) -> Comparison | None:
    """The comparison of two runs' times; None where one of them was not timed.

    ``band`` is a file with a dead band; by default the stored one of the machine. Raises UsageError for a file that
    cannot be read.
    """
    from reports.benchmarks.band import read_band
    from reports.benchmarks.compare import compare_runs
    from reports.benchmarks.read import read_benchmarks

    files = [find_benchmarks(each) for each in (old, new)]
    if any(file is None or file.name == OUTCOMES for file in files):
        return None
    before, after = (read_benchmarks(file) for file in files if file is not None)
    return compare_runs(before, after, None if band is None else read_band(band))


def speed_text(found: Comparison, style: str) -> str:
    """A comparison of times alone as ``text``, ``markdown`` or ``json``."""
    if style == "json":
        import msgspec

        return msgspec.json.format(msgspec.json.encode({"speed": found.document()}), indent=1).decode() + "\n"
    if style == "markdown":
        from reports.benchmarks.changes import changes_markdown

        return changes_markdown(found)
    return "\n".join(found.lines()) + "\n"
