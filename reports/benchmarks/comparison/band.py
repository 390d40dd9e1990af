"""The dead band: how far two runs of identical code differ on a machine, kept in a file from an A/A run.

Within one run, replicates show how processes differ; what shifts a whole run (a neighbour on the machine, heat, where
memory happened to lie) they cannot show. The A/A run does, and the dead band is the part of its differences that a
change must exceed. ``python -m conformance.reports.benchmarks.band OLD NEW`` stores one from any two runs of identical
code.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from conformance.disk import contents, write
from conformance.model.errors import Place, UsageError
from conformance.places import RESULTS
from conformance.reports.benchmarks.records import Machine

__all__ = ["DEFAULT", "FOLDER", "DeadBand", "Rate", "band_of", "find_band", "read_band", "same_machine", "write_band"]

FOLDER = RESULTS / "aa"
#: Without an A/A run of the machine: wide, since shared machines have been seen to differ by more than 5 %.
DEFAULT = 0.10
#: A band is never narrower: placement of code and memory alone moves times by a percent or two.
LEAST = 0.02
SHARE = 0.95
SCHEMA = 1
MOST_BYTES = 1 << 20


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What the rule does with ``processes`` a side: false calls among A/A comparisons, and slowdowns found."""

    processes: int
    comparisons: int
    false_calls: int
    injected: int
    found: int

    def summary(self) -> str:
        """Both figures, in half a sentence."""
        text = f"with {self.processes} processes a side, {self.false_calls} of {self.comparisons} A/A comparisons were"
        text += f" called, and {self.found} of {self.injected} slowdowns found" if self.injected else " called"
        return text


class DeadBand(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio of times within ``1/(1+width) … 1+width`` is not a change.

    ``comparisons`` A/A comparisons, of which ``false_calls`` were called a change by the very rule that is used, give
    the false-positive rate; ``held_out`` says that they had no part in setting the width. ``injected`` real slowdowns
    of ``slowdown`` (0.1 is 10 %), of which ``found`` were called, give what the rule finds; ``fewer`` gives both for
    fewer processes than ``replicates``. ``log_ratios`` are the differences that set the width. ``machine`` is None for
    the default, which no measurement stands behind.
    """

    schema: int = SCHEMA
    width: float
    machine: Machine | None = None
    measured: str = ""
    how: str = ""
    replicates: int = 0
    comparisons: int = 0
    false_calls: int = 0
    held_out: bool = False
    injected: int = 0
    found: int = 0
    slowdown: float = 0.0
    log_ratios: tuple[float, ...] = ()
    fewer: tuple[Rate, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.width) and 0 < self.width < 10):
            raise ValueError("width is a share of the time, above 0: 0.05 is 5 %")
        if not 0 <= self.false_calls <= self.comparisons or not 0 <= self.found <= self.injected:
            raise ValueError("false_calls are among the comparisons, and found among the injected")

    def contains(self, ratio: float) -> bool:
        """Whether the ratio means nothing; symmetric in the logarithm, so that runs can be swapped."""
        return abs(math.log(ratio)) <= math.log1p(self.width)

    def with_fewer(self, processes: int) -> Rate | None:
        """The figures for so many processes a side, or for the next fewer ones that there are figures of."""
        known = [each for each in self.fewer if each.processes <= processes]
        return max(known, key=lambda each: each.processes, default=None)

    @property
    def stored(self) -> bool:
        """Whether an A/A run stands behind it."""
        return self.comparisons > 0

    def summary(self) -> str:
        """Width, and the false-positive rate with its 95 % interval, in a sentence or two."""
        if not self.stored:
            what = (
                "the default: no A/A run of this machine is stored"
                if self.how == _DEFAULT
                else "with no A/A run behind"
            )
            return f"Dead band ±{self.width:.1%}, {what}, so the false-positive rate is not known; {_HINT}."
        low, high = _proportion(self.false_calls, self.comparisons)
        text = (
            f"Dead band ±{self.width:.1%}, from an A/A run on {self.machine or 'a machine that it does not name'}; "
            f"false calls there: {self.false_calls} of {self.comparisons} "
            f"({self.false_calls / self.comparisons:.1%}, 95 % interval {low:.1%} to {high:.1%})"
        )
        text += "" if self.held_out else ", each judged by the band of the others"
        text += f"; {self.how}" if self.how else ""
        if self.injected:
            text += f"; a slowdown of {self.slowdown:.0%} was found in {self.found} of {self.injected}"
        return text + "."


def band_of(log_ratios: Sequence[float]) -> float:
    """The width that 95 % of the A/A differences stay within (the largest, of fewer than 20), and never below 2 %.

    ``log_ratios`` are logarithms of ratios new/old. Raises UsageError where there is none.
    """
    if not log_ratios:
        raise UsageError("no A/A comparison to take a dead band from", hint="compare two runs of the same workloads")
    ordered = sorted(abs(each) for each in log_ratios)
    place = min(len(ordered) - 1, math.ceil(SHARE * len(ordered)) - 1 if len(ordered) >= 20 else len(ordered) - 1)
    return max(math.expm1(ordered[place]), LEAST)


def find_band(machine: Machine, folder: Path = FOLDER) -> DeadBand:
    """The newest stored band of that machine, else the default.

    A stored band is of a machine when processor and usable cores are the same; one with the same threads comes first,
    so that the self-check's, which takes one thread, does not take the place of one from whole runs.
    """
    stored = [read_band(each) for each in sorted(folder.glob("*.json"))] if folder.is_dir() else []
    same = [each for each in stored if each.machine and same_machine(each.machine, machine)]
    return max(
        same,
        key=lambda each: (_threads(each.machine) == machine.threads, each.measured),
        default=DeadBand(width=DEFAULT, how=_DEFAULT),
    )


def read_band(file: Path) -> DeadBand:
    """Read a stored band. Raises UsageError, naming file and key."""
    try:
        band = msgspec.json.decode(contents(file, MOST_BYTES), type=DeadBand)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"not a dead band: {error}", place=Place(file), hint=_HINT) from None
    if band.schema > SCHEMA:
        problem = f"written by a newer suite (schema {band.schema}, this one reads {SCHEMA})"
        raise UsageError(problem, place=Place(file, key="schema"), hint="update the suite")
    return band


def write_band(band: DeadBand, file: Path | None = None, folder: Path = FOLDER) -> Path:
    """Store a band: in ``file``, else under the machine's name in ``folder``. Raises HarnessError."""
    name = f"{band.machine.cpu}|{band.machine.cores}|{band.machine.threads}" if band.machine else "unknown"
    path = file or folder / f"{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"
    return write(path, msgspec.json.format(msgspec.json.encode(band), indent=1) + b"\n")


_DEFAULT = "the default"
_HINT = "`python -m conformance.reports.benchmarks.band OLD NEW` stores one from two runs of identical code"


def _threads(machine: Machine | None) -> int | None:
    return machine.threads if machine else None


def same_machine(one: Machine, other: Machine) -> bool:
    """Whether processor and usable cores are the same, with however many threads."""
    return (one.cpu, one.cores) == (other.cpu, other.cores)


def _proportion(hits: int, count: int) -> tuple[float, float]:
    """The exact 95 % interval of a proportion (Clopper and Pearson)."""
    from scipy import stats

    interval = stats.binomtest(hits, count).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)
