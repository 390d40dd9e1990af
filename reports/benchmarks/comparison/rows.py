"""What a comparison of two benchmark runs consists of."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from conformance.bench.record import Keyed
from conformance.reports.benchmarks.comparison.band import DeadBand

__all__ = ["ALPHA", "FEWEST", "OTHER_WORK", "ChangeCall", "ChangeRow", "Missing", "SpeedComparison"]

ALPHA = 0.05
#: Processes on each side below which nothing is called: of three and three, one in ten is wholly apart by chance.
FEWEST = 4
ChangeCall = Literal["slower", "faster", "same", "unclear", "too few"]
#: Why there is no time although one was tried for. What a backend does not offer, or nobody asked for, fails nothing.
FAILED = frozenset({"crash", "timeout", "error"})
OTHER_WORK = "other work"


class ChangeRow(Keyed, frozen=True, kw_only=True):
    """One workload × backend × contract × cache in both runs.

    ``ratio`` is new over old, with ``low`` and ``high`` its 95 % interval; ``old_seconds`` and ``new_seconds`` are
    medians over processes; ``p`` is Mann–Whitney's, ``p_holm`` corrected over the table. ``call`` is ``slower`` or
    ``faster`` by the rule, ``same`` when the whole interval lies in the dead band, ``unclear`` in between, and ``too
    few`` when there are not enough processes to say. ``family_wise``: the call holds after Holm's correction too.
    """

    ratio: float
    low: float
    high: float
    p: float
    p_holm: float
    call: ChangeCall
    family_wise: bool
    old_seconds: float
    new_seconds: float
    old_processes: int
    new_processes: int
    old_version: str = ""
    new_version: str = ""
    old_accuracy: str | None = None
    new_accuracy: str | None = None

    @property
    def apart(self) -> bool:
        """Whether the interval excludes 1, with enough processes to say so: the first half of the rule."""
        return self.call != "too few" and not self.low <= 1 <= self.high

    @property
    def changed(self) -> bool:
        """Whether a change was called."""
        return self.call in ("slower", "faster")

    @property
    def lost_accuracy(self) -> bool:
        """Whether it conformed in the old run and does not in the new one: its speed counts for nothing then.

        What the new run did not judge ("not run") has lost nothing.
        """
        return self.old_accuracy == "pass" and self.new_accuracy not in ("pass", "not run", None)


class Missing(Keyed, frozen=True, kw_only=True):
    """What only one run has a time for; ``status`` and ``message`` are the other run's word on it, if it has one.

    ``other work``: the other run timed something else under the same name, so that no ratio means anything.
    """

    only: Literal["old", "new"]
    status: str = "not run"
    message: str | None = None

    @property
    def lost(self) -> bool:
        """Whether the old run timed it and the new one tried and failed: the worst that can become of a time."""
        return self.only == "old" and self.status in FAILED


class SpeedComparison(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of two runs, the dead band that was used, and notes on what makes the two hard to compare."""

    old: str
    new: str
    rows: tuple[ChangeRow, ...]
    missing: tuple[Missing, ...]
    band: DeadBand
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[ChangeRow, ...]:
        """The rows that were called a change, the largest first."""
        found = [row for row in self.rows if row.changed]
        return tuple(sorted(found, key=lambda row: -abs(math.log(row.ratio))))

    @property
    def regressions(self) -> tuple[ChangeRow, ...]:
        """What got slower, and what lost its accuracy."""
        return tuple(row for row in self.rows if row.call == "slower" or row.lost_accuracy)

    @property
    def lost(self) -> tuple[Missing, ...]:
        """What the old run timed and the new one could not, as it crashed, hung or raised."""
        return tuple(each for each in self.missing if each.lost)

    @property
    def regressed(self) -> bool:
        """Whether anything got slower, lost its accuracy, or cannot be timed any more."""
        return bool(self.regressions or self.lost)

    def document(self) -> dict[str, Any]:
        """Everything, in terms that JSON has."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document
