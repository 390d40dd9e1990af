"""What changed between two runs, as a value that is written as JSON as it stands."""

from __future__ import annotations

import msgspec

from conformance.model.outcome import Number
from conformance.reports.benchmarks.comparison.rows import SpeedComparison

__all__ = [
    "KEY",
    "ChangedAccuracy",
    "ChangedVerdict",
    "Check",
    "CountsInBoth",
    "Diff",
    "Setting",
    "SpeedAlone",
]

#: What names a check in any run. That of a policy names it, too.
KEY = ("backend", "case", "dtype", "layout", "op", "reduction", "check")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A check of both runs, or of one of them."""

    backend: str
    case: str
    dtype: str = ""
    layout: str = ""
    op: str = ""
    reduction: str = ""
    check: str

    @property
    def key(self) -> tuple[str, ...]:
        """What names it."""
        return tuple(getattr(self, name) for name in KEY)


class ChangedVerdict(Check, frozen=True, kw_only=True):
    """A check whose verdict changed; null where only one run made it."""

    old: str | None
    new: str | None
    message: str = ""


class ChangedAccuracy(Check, frozen=True, kw_only=True):
    """A check of unchanged verdict whose class or largest error changed; infinities and NaN are strings."""

    old_class: str | None
    new_class: str | None
    old_ulp: Number | None
    new_ulp: Number | None
    worse: bool


class CountsInBoth(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts of a backend and their numbers in both runs."""

    old: dict[str, int]
    new: dict[str, int]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What the environments or versions differ in."""

    key: str
    old: str
    new: str


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs compared. ``speed`` is there where both were timed; ``new_cases`` and ``gone_cases`` are by backend.

    ``incomparable`` says in words what only one run holds, and ``unequal`` holds the outcomes that are not in both runs
    as often, where that was asked.
    """

    old: str
    new: str
    regressed: bool
    compared: int
    counts: dict[str, CountsInBoth]
    regressions: list[ChangedVerdict]
    fresh_failures: list[ChangedVerdict]
    improvements: list[ChangedVerdict]
    policies: list[ChangedVerdict]
    other: list[ChangedVerdict]
    accuracy: list[ChangedAccuracy]
    unequal: list[ChangedVerdict]
    new_cases: dict[str, list[str]]
    gone_cases: dict[str, list[str]]
    environment: list[Setting]
    incomparable: list[str]
    speed: SpeedComparison | None


class SpeedAlone(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs that hold times and no verdicts; ``regressed`` is what the exit code says."""

    regressed: bool
    speed: SpeedComparison
