"""Speed in a diff: the comparison of two folders' benchmarks, where both hold them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.model.errors import UsageError
from conformance.plain import json_text, on_terminal
from conformance.reports.benchmarks.read import FILE, find_benchmarks
from conformance.reports.merge import holds_times, results_in
from conformance.results.store import FILE as OUTCOMES

if TYPE_CHECKING:
    from conformance.reports.benchmarks.comparison.rows import SpeedComparison

__all__ = ["compare_only_speed", "compare_speed", "only_timed", "speed_text", "timed_once"]


def only_timed(old: Path, new: Path) -> bool:
    """Whether the two runs have times and no verdicts in common, as `conformance bench` leaves them.

    Raises UsageError, naming the run at fault, where one has nothing that the other has.
    """
    held = [_held(each) for each in (old, new)]
    if held[0] & held[1]:
        return OUTCOMES not in held[0] & held[1]
    for path, mine, others in ((new, held[1], held[0]), (old, held[0], held[1])):
        if others and not mine:
            hint = f"name a folder that holds {' or '.join(sorted(others))}, as the other run does"
            raise UsageError(f"{path} holds no run" if path.exists() else f"there is no {path}", hint=hint)
    if held[0]:
        one, two = (f"{path} holds {', '.join(sorted(what))}" for path, what in zip((old, new), held, strict=True))
        raise UsageError(f"nothing to compare: {one}, and {two}", hint="name two runs of one kind")
    return False


def _held(run: Path) -> set[str]:
    """Which of the two results files a run has."""
    return {FILE if holds_times(file) else OUTCOMES for file in results_in(run)}


def compare_speed(old: Path, new: Path, band: Path | None = None) -> SpeedComparison | None:
    """The comparison of two runs' times; None where one of them was not timed.

    ``band`` is a file with a dead band; by default the stored one of the machine. Raises UsageError for a file that
    cannot be read.
    """
    from conformance.reports.benchmarks.comparison.band import read_band
    from conformance.reports.benchmarks.comparison.compare import compare_benchmarks
    from conformance.reports.benchmarks.read import read_benchmarks

    files = [find_benchmarks(each) for each in (old, new)]
    if any(file is None or file.name == OUTCOMES for file in files):
        return None
    before, after = (read_benchmarks(file) for file in files if file is not None)
    return compare_benchmarks(before, after, None if band is None else read_band(band))


def timed_once(old: Path, new: Path) -> list[str]:
    """That times are in one of the two runs only, in words; empty where they are in both or in none."""
    timed = [FILE in _held(each) for each in (old, new)]
    return [f"times are only in the {'old' if timed[0] else 'new'} run"] if timed[0] != timed[1] else []


def compare_only_speed(old: Path, new: Path, band: Path | None = None) -> SpeedComparison:
    """The comparison of two runs that hold times and no verdicts.

    Raises UsageError for a file that cannot be read, and where nothing is in both: a check of nothing is not a success.
    """
    from conformance.reports.benchmarks.comparison.rows import OTHER_WORK

    found = compare_speed(old, new, band)
    assert found is not None
    if not found.rows and not found.lost:
        other = next((f": {each.workload}: {each.message}" for each in found.missing if each.status == OTHER_WORK), "")
        raise UsageError(
            f"{old} and {new} have no time in common{other}",
            hint="name two runs of the same workloads, backends and contracts",
        )
    return found


def speed_text(found: SpeedComparison, style: str) -> str:
    """A comparison of times alone as ``text``, ``markdown`` or ``json``."""
    if style == "json":
        whole = {"regressed": found.regressed, "speed": found.document()}
        return json_text(whole)
    from conformance.reports.benchmarks.comparison.render import change_lines, changes_markdown

    if style == "markdown":
        return changes_markdown(found)
    return "\n".join(map(on_terminal, change_lines(found))) + "\n"
