"""What the JSON documents of the command line hold, where no type elsewhere says it already."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from conformance.model.execution import ExecutionEvidence
from conformance.model.severities import Severity
from conformance.model.verdicts import Verdict

__all__ = [
    "Badge",
    "LintProblem",
    "ListedBackend",
    "ListedCase",
    "ListedDefect",
    "ListedFlag",
    "ListedPolicy",
    "ListedSchema",
    "ListedTheme",
    "ListedVerdict",
    "RunSummary",
    "SmokeRow",
    "SmokeUnavailable",
    "TimedRow",
]


class Badge(msgspec.Struct, frozen=True, kw_only=True):
    """A badge of one backend, as shields.io reads it from an endpoint."""

    schemaVersion: Literal[1] = 1  # noqa: N815 (shields.io names it)
    label: str
    message: str
    color: str
    isError: bool = False  # noqa: N815


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of a run. ``backends`` maps ``name version`` to verdicts and their numbers.

    ``unavailable`` maps backends that did not run to the end to the reason, ``given_up`` those of them that were given
    up to how many cases were through, and of how many; ``deaths`` maps backends to how often their process ended, and
    ``restarts`` to how often it was started again, ``modes`` to how their calls were executed. ``truncated`` says that
    the run was cut off.
    """

    folder: str
    outcomes: str
    summary: str
    backends: dict[str, dict[Verdict, int]]
    unavailable: dict[str, str]
    given_up: dict[str, tuple[int, int]]
    deaths: dict[str, int]
    restarts: dict[str, int]
    modes: dict[str, ExecutionEvidence]
    truncated: bool


class ListedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case, without its tensors. ``memory_gib``: the memory that it states to need; null where it states none."""

    case: str
    theme: str
    op: str
    tier: Literal["quick", "default", "full"]
    memory_gib: float | None
    flags: list[str]
    dtypes: list[str]
    file: str
    why: str


class ListedTheme(msgspec.Struct, frozen=True, kw_only=True):
    """A theme, how many cases it has, and on which operations."""

    theme: str
    cases: int
    ops: list[str]


class ListedFlag(msgspec.Struct, frozen=True, kw_only=True):
    """A class of bug that cases carry as a flag."""

    flag: str
    cases: int
    bug_class: str
    effect: str
    references: list[str]


class ListedBackend(msgspec.Struct, frozen=True, kw_only=True):
    """A backend; ``state`` is installed, missing or broken, and ``note`` then says how to correct it.

    ``dtypes`` are those that its profile declares, or those of each operation; empty where it takes all.
    """

    backend: str
    title: str
    state: Literal["installed", "missing", "broken"]
    version: str
    devices: list[str]
    modes: list[str]
    dtypes: list[str] | dict[str, list[str]]
    note: str


class ListedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What one backend declares of one policy; ``values`` are what may be declared, the normative one first."""

    policy: str
    values: list[str]
    backend: str
    declared: Any
    variants: dict[str, Any]
    documentation: str
    details: str


class ListedDefect(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a register of known defects, and the command that shows it."""

    backend: str
    defect: str
    severity: Severity | None
    title: str
    why: str
    ops: list[str]
    dtypes: list[str]
    checks: list[str]
    seen: list[str]
    versions: str
    seen_on: list[str]
    machine: str
    intermittent: bool
    message: str
    issue: str
    date: str
    cases: list[str]
    shown_by: str


class ListedSchema(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON document that has a schema, and the command that writes it."""

    schema: str
    title: str
    written_by: str


class ListedVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict, what it says, and whether it makes a run non-conforming."""

    verdict: Verdict
    says: str
    fails_a_run: bool


class ListedLayout(msgspec.Struct, frozen=True, kw_only=True):
    """How operands may lie in memory; some layouts are only of one operand beside the logits."""

    layout: str
    of_one_operand: bool
    memory: str


class LintProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong in a file, where, and what to write instead."""

    file: str
    line: int | None
    key: str | None
    problem: str
    hint: str | None


class SmokeRow(msgspec.Struct, frozen=True, kw_only=True):
    """What the smoke test found of one operation of a backend."""

    backend: str
    operation: str
    state: str
    calls: int
    sound: int
    unsupported: int
    values_only: int
    source: str
    fault: str | None
    hint: str | None


class SmokeUnavailable(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that cannot be started."""

    backend: str
    error: str


class TimedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A backend on a workload: medians over ``processes`` fresh processes, or ``status`` and ``message`` without times.

    ``seconds`` is the median of the processes' medians, with its 95 % interval ``low`` to ``high``;
    ``bytes_per_second`` the least traffic over it, and ``bandwidth_fraction`` that over the measured peak bandwidth.
    ``ratio`` is error over the tolerance of the declared class; ``inf`` and ``nan`` are strings. ``verdict`` is null
    where nothing was judged; where there is no rank, ``message`` says why.
    """

    workload: str
    contract: str
    cache: str
    backend: str
    seconds: float | None = None
    low: float | None = None
    high: float | None = None
    bytes_per_second: float | None = None
    bandwidth_fraction: float | None = None
    class_: str | None = msgspec.field(name="class", default=None)
    ratio: float | str | None = None
    verdict: str | None = None
    processes: int = 0
    status: str = "ok"
    message: str = ""
